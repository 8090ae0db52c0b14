//! The whole music project, changed in its middle.

use std::fs;
use std::path::Path;

use sluice_tests::events::{Feed, write_files};
use sluice_tests::oracle;
use sluice_tests::project::{MusicProject, Opened};

const FILES: usize = 3;

fn settings(project: &MusicProject, workers: usize) -> String {
    let folder = project.path().display();
    format!(
        "version: 1\nsources: {{ music: {{ files: {{ path: {folder}/events }} }} }}\nlake: {folder}/lake\nrun: {{ workers: {workers} }}\n"
    )
}

/// Facts and dimensions that most tables read are changed between two runs with other numbers of workers, and one table goes:
/// all others are the batch over bronze.
#[test]
fn facts_and_dimensions() -> anyhow::Result<()> {
    let events = Feed::new(6_000, 300, 4)?.take(usize::MAX);
    for (before, after) in [(1, 3), (3, 1)] {
        let project = MusicProject::new("")?;
        project.set(&settings(&project, before))?;
        let folder = Path::new(project.path()).join("events");
        write_files(&folder, &events[..events.len() / 2], FILES)?;
        Opened::of(project.path())?.run(Some(512))?;

        write_files(&folder, &events, FILES)?;
        project.set(&settings(&project, after))?;
        for (file, from, to) in [
            ("silver/fact_listens", "and ts is not null", "and ts is not null and userId % 5 <> 0"),
            ("silver/dim_users", "", "\n"),
        ] {
            let path = project.path().join(format!("models/{file}.sql"));
            let text = fs::read_to_string(&path)?;
            assert!(text.contains(from), "{file} is as the test knows it");
            fs::write(&path, if from.is_empty() { text + to } else { text.replacen(from, to, 1) })?;
        }
        let opened = Opened::of(project.path())?;
        opened.run(Some(512))?;
        oracle::check(&opened)?;
    }
    Ok(())
}
