//! The source as the engine uses it.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type};
use proptest::prelude::*;
use sluice_engine::error::{Error, ErrorKind};
use sluice_engine::source::{Polled, Position, Source, SourceContext};
use tempfile::TempDir;

use super::{FileConfig, FileSource};
use crate::source::raw;

/// Nothing here takes longer when it works, in seconds.
const PATIENCE_S: u64 = 10;

/// The lines by file number and byte.
type Read = BTreeMap<(i32, i64), Vec<u8>>;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("s")).unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn append(dir: &TempDir, name: &str, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(dir.path().join(name)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn source(path: &Path, worker: usize, workers: usize, until_idle: bool) -> FileSource {
    let context = SourceContext { name: "x.s".into(), worker, workers, until_idle };
    FileSource::new(FileConfig::new(path.to_str().unwrap(), "s"), context)
}

fn open(dir: &TempDir, until_idle: bool, resume: &Position) -> FileSource {
    let mut source = source(dir.path(), 0, 1, until_idle);
    source.open(resume).unwrap();
    source
}

fn open_error(dir: &TempDir, resume: &Position) -> Error {
    source(dir.path(), 0, 1, true).open(resume).unwrap_err()
}

/// Adds what a poll gave; lines of a file come in order and none twice.
fn add(polled: Polled, read: &mut Read) -> usize {
    let Polled::Batch(batch) = polled else { return 0 };
    let number = batch.column(raw::PARTITION).as_primitive::<Int32Type>();
    let offset = batch.column(raw::OFFSET).as_primitive::<Int64Type>();
    let payload = batch.column(raw::PAYLOAD).as_binary::<i32>();
    assert!(payload.null_count() == 0 && batch.column(raw::KEY).null_count() == batch.len());
    assert_eq!(batch.column(raw::TIMESTAMP).null_count(), batch.len());
    for i in 0..batch.len() {
        assert_eq!(batch.column(raw::TOPIC).as_string::<i32>().value(i), "s");
        assert!(
            read.insert((number.value(i), offset.value(i)), payload.value(i).to_vec()).is_none(),
            "a line came twice"
        );
    }
    batch.len()
}

fn to_the_end(source: &mut FileSource, rows: usize, bytes: usize) -> Read {
    let mut read = Read::new();
    loop {
        match source.poll(rows, bytes).unwrap() {
            Polled::End => return read,
            polled => assert!((1..=rows).contains(&add(polled, &mut read))),
        }
    }
}

fn until(source: &mut FileSource, read: &mut Read, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(PATIENCE_S);
    while read.len() < count {
        assert!(Instant::now() < deadline, "only {read:?} came");
        add(source.poll(100, 1000).unwrap(), read);
    }
    assert_eq!(read.len(), count);
}

fn texts(read: &Read) -> Vec<String> {
    let mut texts: Vec<_> = read.values().map(|v| String::from_utf8(v.clone()).unwrap()).collect();
    texts.sort();
    texts
}

fn next(source: &FileSource) -> Vec<(String, i64)> {
    source.position().0.into_iter().map(|(name, at)| (name, at.next)).collect()
}

/// Lines of all files, empty ones and a last one without a newline; offsets are the bytes where they begin.
#[test]
fn reads_all_lines() {
    let dir = folder(&[("s.jsonl", "ab\n\n{c}"), ("s/x.jsonl", "d\n"), ("s/empty.jsonl", ""), ("t.jsonl", "no\n")]);
    let mut source = open(&dir, true, &Position::default());
    let read = to_the_end(&mut source, 100, 1000);
    let own: Vec<_> = read.iter().filter(|((number, _), _)| *number == 0).map(|((_, at), v)| (*at, &v[..])).collect();
    assert_eq!(own, [(0, &b"ab"[..]), (3, b""), (4, b"{c}")]);
    assert_eq!(texts(&read), ["", "ab", "d", "{c}"]);
    assert_eq!(next(&source), [("s.jsonl".into(), 7), ("s/empty.jsonl".into(), 0), ("s/x.jsonl".into(), 2)]);
    assert_eq!(source.lag_rows(), Some(0));
}

/// Any number of workers share the files without gap or overlap, and give the same records.
#[test]
fn workers_share_the_files() {
    let files: Vec<(String, String)> = (0..9).map(|i| (format!("s/{i}.jsonl"), format!("{i}a\n{i}b\n"))).collect();
    let dir = folder(&files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect::<Vec<_>>());
    let alone = to_the_end(&mut open(&dir, true, &Position::default()), 5, 1000);
    assert_eq!(alone.len(), 18);
    for workers in [2, 3, 20] {
        let mut read = Read::new();
        for worker in 0..workers {
            let mut source = source(dir.path(), worker, workers, true);
            source.open(&Position::default()).unwrap();
            for (place, line) in to_the_end(&mut source, 5, 1000) {
                assert!(read.insert(place, line).is_none());
            }
        }
        assert_eq!(read, alone, "{workers} workers");
    }
}

/// With `until_idle`, lines that come later are left for the next run; one that has begun is read whole.
#[test]
fn until_idle_ends_with_what_was_there() {
    let dir = folder(&[("s.jsonl", "a\nb")]);
    let mut source = open(&dir, true, &Position::default());
    append(&dir, "s.jsonl", "b\nc\n");
    append(&dir, "s/new.jsonl", "d\n");
    assert_eq!(texts(&to_the_end(&mut source, 10, 100)), ["a", "bb"]);
    let mut source = open(&dir, true, &source.position());
    assert_eq!(texts(&to_the_end(&mut source, 10, 100)), ["c", "d"]);
}

/// A file that grows is followed, an unfinished line is waited for, and new files are found.
#[test]
fn follows_files() {
    let dir = folder(&[("s.jsonl", "a\nb")]);
    let mut source = open(&dir, false, &Position::default());
    let mut read = Read::new();
    until(&mut source, &mut read, 1);
    assert!(matches!(source.poll(10, 100).unwrap(), Polled::Idle));
    append(&dir, "s.jsonl", "c");
    std::thread::sleep(Duration::from_millis(50));
    assert!(matches!(source.poll(10, 100).unwrap(), Polled::Idle));
    append(&dir, "s.jsonl", "d\ne\n");
    until(&mut source, &mut read, 3);
    append(&dir, "s/new.jsonl", "f\n");
    until(&mut source, &mut read, 4);
    assert_eq!(texts(&read), ["a", "bcd", "e", "f"]);
    assert_eq!(next(&source), [("s.jsonl".into(), 8), ("s/new.jsonl".into(), 2)]);
}

/// Truncated, replaced, and removed before it was read: each is an error and not silence.
#[test]
fn files_that_change() {
    let dir = folder(&[("s.jsonl", "a\nb\n"), ("s/x.jsonl", "c\n")]);
    let mut source = open(&dir, false, &Position::default());
    until(&mut source, &mut Read::new(), 3);
    let position = source.position();
    std::fs::remove_file(dir.path().join("s/x.jsonl")).unwrap();
    assert!(matches!(source.poll(10, 100).unwrap(), Polled::Idle), "a file that was read may go");
    assert_eq!(open(&dir, false, &position).position(), position, "and its position is kept");
    std::fs::write(dir.path().join("s.jsonl"), "z\n").unwrap();
    let e = open_error(&dir, &position);
    assert_eq!(e.kind(), ErrorKind::Config);
    assert!(e.to_string().contains("it was truncated or replaced"), "{e}");
    let mut e = None;
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(5));
        e = e.or(source.poll(10, 100).err());
    }
    assert_eq!(e.unwrap().kind(), ErrorKind::Config, "seen while it is followed, too");

    let dir = folder(&[("s.jsonl", "a\n"), ("s/x.jsonl", "c\nd\n")]);
    let mut source = open(&dir, true, &Position::default());
    add(source.poll(2, 100).unwrap(), &mut Read::new());
    std::fs::remove_file(dir.path().join("s/x.jsonl")).unwrap();
    let e = open_error(&dir, &source.position());
    assert!(e.to_string().contains("was removed when 2 of its 4 bytes had been read"), "{e}");
}

/// Another file of the same name is not read from the old one's position.
#[test]
fn a_replaced_file() {
    let dir = folder(&[("s.jsonl", "a\n")]);
    let mut source = open(&dir, false, &Position::default());
    until(&mut source, &mut Read::new(), 1);
    std::fs::write(dir.path().join("other"), "x\ny\n").unwrap();
    std::fs::rename(dir.path().join("other"), dir.path().join("s.jsonl")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(PATIENCE_S);
    let e = loop {
        assert!(Instant::now() < deadline);
        if let Err(e) = source.poll(10, 100) {
            break e;
        }
    };
    assert!(e.kind() == ErrorKind::Config && e.to_string().contains("is another file than the one"), "{e}");
}

/// Nothing to read is said with what was looked for.
#[test]
fn nothing_there() {
    let dir = folder(&[]);
    let e = open_error(&dir, &Position::default());
    assert_eq!(e.kind(), ErrorKind::Config);
    assert!(e.to_string().starts_with("stream \"s\" has no file: looked for \""), "{e}");
    let e = source(&dir.path().join("missing"), 0, 1, true).open(&Position::default()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config);
    assert!(e.to_string().ends_with("put it there, or change files.path"), "{e}");
}

proptest! {
    /// However the polls cut the files, and wherever reading stops and goes on, each line comes once and unchanged.
    #[test]
    fn any_cut_gives_the_same_records(
        files in prop::collection::vec(prop::collection::vec("[a-z\r]{0,9}", 0..20), 1..4),
        polls in prop::collection::vec((1usize..9, 1usize..40, any::<bool>()), 1..20),
        newline_at_end in any::<bool>(),
    ) {
        let texts: Vec<(String, String)> = files.iter().enumerate().map(|(i, lines)| {
            let newline = if newline_at_end || lines.last().is_none_or(|l| l.is_empty()) { "\n" } else { "" };
            (format!("s/{i}.jsonl"), if lines.is_empty() { String::new() } else { lines.join("\n") + newline })
        }).collect();
        let dir = folder(&texts.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect::<Vec<_>>());
        let (mut read, mut source) = (Read::new(), open(&dir, true, &Position::default()));
        for (rows, bytes, again) in polls.iter().cycle() {
            if *again {
                source = open(&dir, true, &source.position());
            }
            match source.poll(*rows, *bytes).unwrap() {
                Polled::End => break,
                polled => prop_assert!((1..=*rows).contains(&add(polled, &mut read))),
            }
        }
        let mut by_file: BTreeMap<i32, Vec<(i64, Vec<u8>)>> = BTreeMap::new();
        for ((number, at), line) in read {
            by_file.entry(number).or_default().push((at, line));
        }
        let mut expected = BTreeMap::new();
        let place = super::find::Place::of(&FileConfig::new(dir.path().to_str().unwrap(), "s")).unwrap();
        for (i, lines) in files.iter().enumerate().filter(|(_, lines)| !lines.is_empty()) {
            let mut at = 0;
            let placed = lines.iter().map(|l| { let begin = at; at += l.len() as i64 + 1; (begin, l.clone().into_bytes()) });
            expected.insert(place.number(&format!("s/{i}.jsonl")), placed.collect::<Vec<_>>());
        }
        prop_assert_eq!(by_file, expected);
    }
}
