//! The music project in a folder, as much of it as is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::arguments::{Arguments, Layers};
use crate::watched::Watched;

/// A project in a folder of its own, its lake within it.
pub struct Project {
    folder: PathBuf,
}

impl Project {
    /// Lets the program itself write it (`sluice init`), and takes out what is not measured.
    ///
    /// # Errors
    /// When the program fails or a file cannot be removed.
    pub fn create(folder: &Path, arguments: &Arguments) -> anyhow::Result<Project> {
        let run = Watched::run(Command::new(&arguments.sluice).arg("init").arg(folder))?;
        ensure!(run.status.success(), "sluice init failed ({}) and said:\n{}", run.status, run.said);
        let without: &[&str] = match arguments.layers {
            Layers::Gold => &[],
            Layers::Silver => &["models/gold", "tests"],
            Layers::Bronze => &["models/gold", "models/silver", "tests"],
        };
        for part in without {
            let part = folder.join(part);
            fs::remove_dir_all(&part).with_context(|| format!("{} cannot be removed", part.display()))?;
        }
        Ok(Project { folder: folder.to_owned() })
    }

    /// Writes its `sluice.yml`: from these brokers, or from the simulator, into its own folder and nowhere else.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_settings(&self, brokers: Option<&str>, arguments: &Arguments) -> anyhow::Result<()> {
        let source = match brokers {
            Some(brokers) => format!("kafka: {{ brokers: \"{brokers}\" }}"),
            None => format!("simulator: {{ config: example, events: {}, seed: 1 }}", arguments.events),
        };
        let workers = arguments.workers.map_or("auto".to_owned(), |workers| workers.to_string());
        let text = format!(
            "version: 1\nsources:\n  music:\n    {source}\nlake: ./lake\nrun: {{ workers: {workers}, epoch: {} seconds }}\n",
            arguments.epoch_s
        );
        let file = self.folder.join("sluice.yml");
        fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes of all files of its lake; 0 when there is none.
    pub fn lake_bytes(&self) -> u64 {
        bytes_below(&self.folder.join("lake"))
    }
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
        _ => entry.metadata().map_or(0, |file| file.len()),
    });
    bytes.sum()
}
