//! The same records give the same tables, whatever the number of workers, the size of batches and the stops in between.

use std::path::Path;
use std::sync::atomic::Ordering;

use sluice_tests::compare::{self, Line, difference, lines};
use sluice_tests::events::{Event, Feed, push_columns, read, write_files};
use sluice_tests::oracle::{self, Tables};
use sluice_tests::project::{MusicProject, Opened};

const FILES: usize = 3;

/// The music project over files of events, with a lake of its own.
struct OverFiles {
    project: MusicProject,
    events: usize,
}

impl OverFiles {
    fn new(events: &[Event], run: &str) -> anyhow::Result<OverFiles> {
        let over = OverFiles { project: MusicProject::new("")?, events: events.len() };
        let folder = over.project.path().display();
        over.project.set(&format!(
            "version: 1\nsources: {{ music: {{ files: {{ path: {folder}/events }} }} }}\nlake: {folder}/lake\nrun: {{ {run} }}\n"
        ))?;
        write_files(&Path::new(over.project.path()).join("events"), events, FILES)?;
        Ok(over)
    }

    fn open(&self) -> anyhow::Result<Opened> {
        Opened::of(self.project.path())
    }

    /// Runs once to the end, and checks the tables against the batch.
    fn whole(&self, batch_rows: usize) -> anyhow::Result<Tables> {
        let opened = self.open()?;
        let summary = opened.run(Some(batch_rows))?;
        assert!(summary.rows >= self.events as u64, "{} of {} records were read", summary.rows, self.events);
        tables(&opened)
    }
}

/// All tables, models checked against the batch; bronze and rejects without `_epoch`, in which runs may differ.
fn tables(opened: &Opened) -> anyhow::Result<Tables> {
    let mut tables = oracle::check(opened)?;
    for stream in &opened.pipeline.streams {
        let columns: Vec<&str> = compare::names(&stream.schema).into_iter().filter(|name| *name != "_epoch").collect();
        tables.insert(stream.table.clone(), lines(&opened.table(&stream.path)?, &columns)?);
    }
    let columns = ["stream", "_topic", "_partition", "_offset", "_timestamp", "_key", "payload", "reason"];
    tables.insert("rejects".to_owned(), lines(&opened.table("_sluice/rejects")?, &columns)?);
    Ok(tables)
}

fn same(expected: &Tables, found: &Tables, how: &str) {
    let differ = |(table, rows): (&String, &Vec<String>)| {
        difference(rows.clone(), found[table].clone()).map(|difference| format!("{table}: {difference}"))
    };
    let wrong: Vec<String> = expected.iter().filter_map(differ).collect();
    assert!(wrong.is_empty(), "{how}: {} tables differ\n{}", wrong.len(), wrong.join("\n"));
}

/// Every record of the files is in bronze or in rejects exactly once, as serde_json reads it.
fn nothing_lost(events: &[Event], opened: &Opened) -> anyhow::Result<()> {
    let mut rejects = Vec::new();
    for stream in &opened.pipeline.streams {
        let mut bronze = Vec::new();
        for event in events.iter().filter(|event| event.stream == stream.topic) {
            let payload = event.payload.strip_suffix(b"\n").unwrap_or(&event.payload);
            let mut line = Line::default();
            line.push("_topic", Some(&compare::text(&stream.topic)));
            match read(stream, payload) {
                Some(fields) => {
                    push_columns(&mut line, stream, &fields)?;
                    bronze.push(line.finish());
                }
                None => {
                    line.push("payload", Some(&compare::binary(payload)));
                    rejects.push(line.finish());
                }
            }
        }
        let mut columns = vec!["_topic"];
        columns.extend(stream.fields.iter().map(|field| field.name.as_str()));
        columns.extend(["_rescued", "_date"]);
        let wrong = difference(bronze, lines(&opened.table(&stream.path)?, &columns)?);
        assert_eq!(wrong, None, "{}", stream.table);
    }
    assert!(!rejects.is_empty(), "there are malformed records");
    let wrong = difference(rejects, lines(&opened.table("_sluice/rejects")?, &["_topic", "payload"])?);
    assert_eq!(wrong, None, "rejects");
    Ok(())
}

/// Workers and batch sizes make no difference, each run agrees with the batch, and no record is lost.
#[test]
fn workers_and_batches_make_no_difference() -> anyhow::Result<()> {
    let events = Feed::new(6_000, 300, 1)?.take(usize::MAX);
    let first = OverFiles::new(&events, "workers: 1")?;
    let expected = first.whole(8_192)?;
    nothing_lost(&events, &first.open()?)?;
    for (workers, batch_rows) in [(1, 7), (3, 7), (3, 8_192)] {
        let found = OverFiles::new(&events, &format!("workers: {workers}"))?.whole(batch_rows)?;
        same(&expected, &found, &format!("{workers} workers, batches of {batch_rows}"));
    }
    Ok(())
}

/// Batches of one row, the smallest there are, make no difference either.
#[test]
fn single_rows_make_no_difference() -> anyhow::Result<()> {
    let events = Feed::new(800, 50, 2)?.take(usize::MAX);
    let expected = OverFiles::new(&events, "workers: 1")?.whole(8_192)?;
    for workers in [1, 3] {
        let found = OverFiles::new(&events, &format!("workers: {workers}"))?.whole(1)?;
        same(&expected, &found, &format!("{workers} workers, single rows"));
    }
    Ok(())
}

/// Stops in the middle, and starts with another number of workers, make no difference.
#[test]
fn stops_make_no_difference() -> anyhow::Result<()> {
    let events = Feed::new(6_000, 300, 1)?.take(usize::MAX);
    let expected = OverFiles::new(&events, "workers: 1")?.whole(8_192)?;
    let stopped = OverFiles::new(&events, "workers: 1")?;
    let folder = stopped.project.path().display();
    let mut rows = 0;
    for (generation, workers) in [(1, 1), (2, 3)] {
        stopped.project.set(&format!(
            "version: 1\nsources: {{ music: {{ files: {{ path: {folder}/events }} }} }}\nlake: {folder}/lake\nrun: {{ workers: {workers}, epoch: 100 ms }}\n"
        ))?;
        let summary = stopped.open()?.run_for_an_epoch(Some(1))?;
        println!("generation {generation}: {} rows", summary.rows);
        assert_eq!(summary.generation, generation);
        rows += summary.rows;
        assert!(rows < events.len() as u64, "the run is stopped in the middle, not after {rows} rows");
    }
    let opened = stopped.open()?;
    let summary = opened.run(Some(7))?;
    assert_eq!(summary.generation, 3);
    same(&expected, &tables(&opened)?, "after two stops");
    Ok(())
}

/// Short epochs, so that windows leave memory while rows still come for them: state is read back, with other numbers of
/// workers and after stops too, and the tables are those of a run that forgets nothing.
#[test]
fn late_rows_of_closed_windows_make_no_difference() -> anyhow::Result<()> {
    let events = Feed::new(20_000, 300, 3)?.take(usize::MAX);
    let expected = OverFiles::new(&events, "workers: 1")?.whole(8_192)?;
    for workers in [1, 2] {
        let over = OverFiles::new(&events, &format!("workers: {workers}"))?;
        let opened = over.open()?;
        let (summary, metrics) = opened.run_for_epochs(200, 1_500, None)?;
        let thaws = metrics.run().thaws.load(Ordering::Relaxed);
        println!("{workers} workers: {} epochs, state read back {thaws} times", summary.epoch);
        assert!(thaws > 0, "late rows met cold state");
        same(&expected, &tables(&opened)?, &format!("{workers} workers, short epochs"));
    }
    let stopped = OverFiles::new(&events, "workers: 2")?;
    let mut thaws = 0;
    for generation in 1..=3 {
        let workers = [2, 1, 3][generation - 1];
        let folder = stopped.project.path().display();
        stopped.project.set(&format!(
            "version: 1\nsources: {{ music: {{ files: {{ path: {folder}/events }} }} }}\nlake: {folder}/lake\nrun: {{ workers: {workers} }}\n"
        ))?;
        let (_, metrics) = stopped.open()?.run_for_epochs(200, 1_500, (generation < 3).then_some(4))?;
        thaws += metrics.run().thaws.load(Ordering::Relaxed);
    }
    assert!(thaws > 0, "late rows met cold state");
    same(&expected, &tables(&stopped.open()?)?, "short epochs and two stops");
    Ok(())
}
