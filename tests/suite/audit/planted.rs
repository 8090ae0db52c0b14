//! Faults that are planted into a lake are found and named.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use sluice_operators::sink::delta::content_checksum;
use sluice_operators::store::TableAtEpoch;
use sluice_pipelines::audit::Check;

use super::Ran;

const LISTENS: &str = "lake/bronze/listen_events";
const PLAYS: &str = "lake/gold/plays_per_minute";

/// The data files of a table (a folder below the lake's), as its log has them.
fn files(ran: &Ran, table: &str) -> Vec<PathBuf> {
    let path = table.strip_prefix("lake/").unwrap();
    let opened = ran.opened.wait(TableAtEpoch::open(&ran.opened.store, path, "tests", None)).unwrap().unwrap();
    opened.files.iter().map(|f| ran.folder().join(table).join(&f.file.path)).collect()
}

fn rows(file: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

fn parquet(rows: &RecordBatch) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None).unwrap();
    writer.write(rows).unwrap();
    writer.into_inner().unwrap()
}

/// A file of a table that has rows enough, and its rows.
fn a_file(ran: &Ran, table: &str) -> (PathBuf, RecordBatch) {
    let mut all = files(ran, table).into_iter().map(|file| (rows(&file), file));
    let (rows, file) = all.find(|(rows, _)| rows.num_rows() > 3).unwrap();
    (file, rows)
}

/// The path of a file below its table, as the log has it.
fn below(table: &Path, file: &Path) -> String {
    file.strip_prefix(table).unwrap().to_string_lossy().into_owned()
}

/// Adds a version to a table's log.
fn commit(table: &Path, actions: &[Value]) {
    let log = table.join("_delta_log");
    let version = (0..).find(|v| !log.join(format!("{v:020}.json")).exists()).unwrap();
    let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
    fs::write(log.join(format!("{version:020}.json")), lines.join("\n")).unwrap();
}

/// The action of the log that added a file.
fn added(table: &Path, path: &str) -> Value {
    let logs = fs::read_dir(table.join("_delta_log")).unwrap().flatten();
    let lines: Vec<String> = logs.filter_map(|l| fs::read_to_string(l.path()).ok()).collect();
    let actions = lines.iter().flat_map(|text| text.lines()).filter_map(|l| serde_json::from_str::<Value>(l).ok());
    actions.map(|action| action["add"].clone()).find(|add| add["path"] == path).unwrap()
}

fn removed(path: &str) -> Value {
    json!({ "remove": { "path": path, "dataChange": true, "deletionTimestamp": 0 } })
}

fn offset_of(rows: &RecordBatch, row: usize) -> String {
    rows["_offset"].as_primitive::<Int64Type>().value(row).to_string()
}

/// With nothing planted everything adds up: each record of the files is in bronze or rejects, each table is its batch.
#[test]
fn nothing_planted() {
    let ran = Ran::new();
    let report = ran.adds_up(true);
    let records: u64 = report.streams.iter().map(|s| s.bronze + s.rejects).sum();
    assert!(records >= super::RECORDS, "{report}");
    assert!(report.streams.iter().any(|s| s.rejects > 0), "{report}");
    assert!(report.tables.len() > 30, "{report}");
    for line in &report.tables {
        assert_eq!((line.audit, line.content), (Check::Ok, Check::Ok), "{}\n{report}", line.table);
    }
    let computed = report.tables.iter().filter(|t| t.batch == Check::Ok).count();
    assert!(computed >= ran.opened.pipeline.models.len() - 2, "{report}");
    println!("{report}");
}

/// A row that was taken out of a bronze file is missed by its partition and offset, and the file is named.
#[test]
fn a_row_out_of_a_file() {
    let ran = Ran::new();
    let table = ran.folder().join(LISTENS);
    let (file, rows) = a_file(&ran, LISTENS);
    fs::write(&file, parquet(&rows.slice(1, rows.num_rows() - 1))).unwrap();
    let report = ran
        .finds(false, &["bronze.listen_events: partition listen_events/", "1 records are lost", &offset_of(&rows, 0)]);
    let name = below(&table, &file);
    assert!(report.faults.iter().any(|f| f.contains(&name) && f.contains("has been altered")), "{report}");
    assert_eq!(report.streams.iter().map(|s| s.lost).sum::<u64>(), 1, "{report}");
}

/// A row that is twice in a bronze file is found by its partition and offset.
#[test]
fn a_row_twice() {
    let ran = Ran::new();
    let (file, rows) = a_file(&ran, LISTENS);
    fs::write(&file, parquet(&concat_batches(&rows.schema(), [&rows, &rows.slice(2, 1)]).unwrap())).unwrap();
    let report = ran.finds(false, &["bronze.listen_events: partition ", "1 rows too many", &offset_of(&rows, 2)]);
    assert_eq!(report.streams.iter().map(|s| s.doubled).sum::<u64>(), 1, "{report}");
}

/// A file that was taken out of a table's log leaves a gap: in the counts, and in the offsets.
#[test]
fn a_file_out_of_the_log() {
    let ran = Ran::new();
    let table = ran.folder().join(LISTENS);
    let (file, rows) = a_file(&ran, LISTENS);
    commit(&table, &[removed(&below(&table, &file))]);
    ran.finds(false, &["bronze.listen_events: its log says ", "the audit "]);
    let report = ran.finds(false, &["bronze.listen_events: partition ", "records are lost"]);
    assert_eq!(report.streams.iter().map(|s| s.lost).sum::<u64>(), rows.num_rows() as u64, "{report}");
}

/// One byte of a file that is another one is found, in whatever table.
#[test]
fn a_byte_of_a_file() {
    let ran = Ran::new();
    let file = files(&ran, "lake/gold/top_songs").pop().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[20] ^= 1;
    fs::write(&file, bytes).unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    ran.finds(false, &["gold.top_songs: file ", &name, "has been altered"]);
    fs::remove_file(&file).unwrap();
    ran.finds(false, &["gold.top_songs: file ", &name, "is gone"]);
}

/// A value that was changed by a new file in place of an old one, its name and the log all as they should be, is found: the
/// files are not those of the epochs, and the batch has another row.
#[test]
fn a_value_in_a_new_file() {
    let ran = Ran::new();
    let table = ran.folder().join(PLAYS);
    let (file, rows) = a_file(&ran, PLAYS);
    let place = rows.schema().index_of("plays").unwrap();
    let plays = rows["plays"].as_primitive::<Int64Type>();
    let other = Int64Array::from_iter_values(plays.values().iter().enumerate().map(|(i, n)| n + i64::from(i == 1)));
    let mut columns = rows.columns().to_vec();
    columns[place] = Arc::new(other) as ArrayRef;
    let bytes = parquet(&RecordBatch::try_new(rows.schema(), columns).unwrap());
    let old = below(&table, &file);
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let start = name.rsplit_once('-').unwrap().0;
    let new = old.replace(&name, &format!("{start}-{:032x}.snappy.parquet", content_checksum(&bytes)));
    fs::write(table.join(&new), &bytes).unwrap();
    let mut add = added(&table, &old);
    (add["path"], add["size"]) = (json!(new), json!(bytes.len()));
    commit(&table, &[removed(&old), json!({ "add": add })]);
    ran.finds(false, &["gold.plays_per_minute: its ", "files are not the "]);
    let report = ran.finds(
        true,
        &[
            "gold.plays_per_minute: held against the batch, 1 rows are missing and 1 are too many",
            "missing: ",
            "too many: ",
        ],
    );
    let wrong: Vec<_> = report.tables.iter().filter(|t| t.batch == Check::Wrong).map(|t| &t.table).collect();
    assert_eq!(wrong, ["gold.plays_per_minute"], "no other table is blamed: {report}");
}

/// A table that was deleted is missed.
#[test]
fn a_table_is_gone() {
    let ran = Ran::new();
    fs::remove_dir_all(ran.folder().join("lake/silver/dim_songs")).unwrap();
    ran.finds(false, &["silver.dim_songs: the table is gone"]);
}
