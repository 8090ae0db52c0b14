//! Sources of property files: tables with their columns, and what makes a table a stream (`meta.stream`).

use serde_json::Value as Json;

use super::dbt_project::merge;
use super::error::Faults;
use super::lines::line_of_path;
use super::nearest::did_you_mean;
use super::node::{Origin, PartitionBy, SourceColumn, SourceTable, StreamMeta};
use super::properties::{Reader, TestEntry, Tested, place};
use super::units::{parse_duration, parse_size};
use super::values::{Config, bool_of, text_of, texts_of};

/// The keys of `meta.stream`.
const STREAM_KEYS: [&str; 6] = ["topic", "format", "event_time", "watermark", "partition_by", "record_max"];

/// Reads one source with its tables.
pub(super) fn read(
    reader: &mut Reader<'_>,
    source: &Json,
    start: usize,
    tables: &mut Vec<SourceTable>,
    tests: &mut Vec<TestEntry>,
) {
    let Some((name, line)) = reader.name(source, "source", start) else { return };
    if disabled(source) {
        return;
    }
    let schema = source.get("schema").and_then(text_of).unwrap_or_else(|| name.clone());
    for table in reader.list(source, "tables", line) {
        let Some(table) = read_table(reader, (&name, &schema, source), table, line.unwrap_or(start), tests) else {
            continue;
        };
        match tables.iter().find(|other| other.source == table.source && other.name == table.name) {
            Some(other) => {
                let what = format!(
                    "source table \"{name}.{}\" is declared twice, also in {}",
                    table.name,
                    place(&other.origin)
                );
                reader.faults.error(reader.file, table.origin.line, what, "keep one of the two");
            }
            None => tables.push(table),
        }
    }
}

fn read_table(
    reader: &mut Reader<'_>,
    (source_name, schema, source): (&str, &str, &Json),
    table: &Json,
    start: usize,
    tests: &mut Vec<TestEntry>,
) -> Option<SourceTable> {
    let (name, line) = reader.name(table, "table of a source", start)?;
    if disabled(table) {
        return None;
    }
    let tested = Tested::Source(source_name.to_owned(), name.clone());
    reader.tests(table, &tested, None, line, tests);
    let mut columns = Vec::new();
    for column in reader.list(table, "columns", line) {
        let Some(column) = reader.column(column, line.unwrap_or(start), &tested, tests) else { continue };
        columns.push(SourceColumn {
            name: column.name,
            data_type: column.data_type.unwrap_or_default(),
            description: column.description,
            origin: column.origin,
        });
    }
    let mut tags = Config::new();
    for owner in [source, table] {
        for from in [Some(owner), owner.get("config")].into_iter().flatten() {
            let own = from.get("tags").map(|tags| ("tags".to_owned(), tags.clone()));
            merge(&mut tags, own.into_iter().collect());
        }
    }
    let identifier = table.get("identifier").and_then(text_of).unwrap_or_else(|| name.clone());
    let meta = meta_of(table);
    let stream = meta.get("stream").and_then(|stream| {
        let mut at = StreamPlace { reader, table: format!("{source_name}.{name}"), line };
        at.read(stream, &identifier, &columns)
    });
    Some(SourceTable {
        source: source_name.to_owned(),
        package: reader.package.to_owned(),
        source_description: reader.description(source, line),
        schema: schema.to_owned(),
        identifier,
        columns,
        stream,
        description: reader.description(table, line),
        meta,
        tags: tags.get("tags").map(texts_of).unwrap_or_default(),
        origin: reader.origin(line),
        name,
    })
}

/// `meta`, at the table or in its config.
fn meta_of(table: &Json) -> Config {
    let mut meta = Config::new();
    for owner in [Some(table), table.get("config")].into_iter().flatten() {
        meta.extend(owner.get("meta").and_then(Json::as_object).cloned().unwrap_or_default());
    }
    meta
}

fn disabled(entry: &Json) -> bool {
    let config = entry.get("config").unwrap_or(&Json::Null);
    [entry, config].into_iter().any(|owner| owner.get("enabled").and_then(bool_of) == Some(false))
}

/// The stream of a table that is being read.
struct StreamPlace<'r, 'a> {
    reader: &'r mut Reader<'a>,
    table: String,
    line: Option<usize>,
}

impl StreamPlace<'_, '_> {
    fn read(&mut self, stream: &Json, identifier: &str, columns: &[SourceColumn]) -> Option<StreamMeta> {
        let keys = match stream {
            Json::Object(keys) => keys,
            Json::Null => &Config::new(),
            _ => {
                self.fault(None, "is not a map", "write meta: { stream: { topic: ..., event_time: ... } }");
                return None;
            }
        };
        for key in keys.keys().filter(|key| !STREAM_KEYS.contains(&key.as_str())) {
            let way_out = did_you_mean(key, STREAM_KEYS, format!("its keys are {}", STREAM_KEYS.join(", ")));
            self.fault(Some(key), &format!("has an unknown key \"{key}\""), &way_out);
        }
        self.check_columns(columns);
        let text = |key: &str| keys.get(key).and_then(text_of);
        Some(StreamMeta {
            topic: text("topic").unwrap_or_else(|| identifier.to_owned()),
            format: text("format").unwrap_or_else(|| "json".to_owned()),
            event_time: text("event_time"),
            watermark: text("watermark").and_then(|text| self.watermark(&text)),
            partition_by: text("partition_by").and_then(|text| self.partition_by(&text)),
            record_bytes_max: text("record_max").and_then(|text| self.record_max(&text)),
        })
    }

    fn check_columns(&mut self, columns: &[SourceColumn]) {
        if columns.is_empty() {
            self.fault(None, "has no columns", "list the fields under columns:, each with name and data_type");
        }
        for (at, column) in columns.iter().enumerate() {
            if column.data_type.is_empty() {
                let what = format!("column \"{}\" of stream \"{}\" has no data_type", column.name, self.table);
                fault_at(self.reader.faults, &column.origin, what, "add its Spark SQL type, as data_type: string");
            }
            if columns[..at].iter().any(|other| other.name.eq_ignore_ascii_case(&column.name)) {
                let what = format!("stream \"{}\" has two columns \"{}\"", self.table, column.name);
                fault_at(self.reader.faults, &column.origin, what, "keep one of them; Spark SQL's names ignore case");
            }
        }
    }

    fn watermark(&mut self, text: &str) -> Option<std::time::Duration> {
        let parsed = parse_duration(text);
        parsed.map_err(|wrong| self.fault(Some("watermark"), "has no valid watermark", &wrong)).ok()
    }

    fn record_max(&mut self, text: &str) -> Option<u64> {
        let parsed = parse_size(text);
        parsed.map_err(|wrong| self.fault(Some("record_max"), "has no valid record_max", &wrong)).ok()
    }

    fn partition_by(&mut self, text: &str) -> Option<PartitionBy> {
        match text {
            "day" => Some(PartitionBy::Day),
            "none" => Some(PartitionBy::None),
            other => {
                self.fault(Some("partition_by"), &format!("has partition_by \"{other}\""), "it can be day or none");
                None
            }
        }
    }

    /// Notes a fault at the line of a key of the stream, or of the table.
    fn fault(&mut self, key: Option<&str>, what: &str, way_out: &str) {
        let start = self.line.unwrap_or(1);
        let below: String = self.reader.text.lines().skip(start - 1).collect::<Vec<_>>().join("\n");
        let line =
            key.and_then(|key| line_of_path(&below, &["stream", key])).map(|line| line + start - 1).or(self.line);
        self.reader.faults.error(self.reader.file, line, format!("stream \"{}\" {what}", self.table), way_out);
    }
}

fn fault_at(faults: &mut Faults, origin: &Origin, what: String, way_out: &str) {
    faults.error(&origin.file, origin.line, what, way_out);
}
