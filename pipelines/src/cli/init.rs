//! `sluice init`: a new project that runs.

use std::path::{Path, PathBuf};

use clap::Args;
use include_dir::{Dir, DirEntry, include_dir};
use sluice_engine::{Error, Result};

use super::{Outcome, output};

/// The music project, so that neither demo nor init needs a checkout.
static MUSIC: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/music");

/// Folders that dbt makes and that belong to nobody's project.
const NOT_OURS: &[&str] = &["target", "logs", "dbt_packages"];

/// What a new project's `sluice.yml` says: it runs without any server.
const SETTINGS: &str = r#"# where streams come from and where tables go
version: 1
sources:
  music:
    # simulated events, so that the project runs as it is. For Kafka, write instead:
    # kafka: { brokers: "${KAFKA_BROKERS:-127.0.0.1:9092}" }
    simulator: { config: example, rate: 2000 }
lake: "${LAKE:-./lake}"          # a folder, or hdfs://namenode:8020/lake
# clickhouse: { url: "${CLICKHOUSE_URL:-http://127.0.0.1:8123}", database: music, models: "tag:gold" }
run: { workers: auto, memory: 512 MiB, epoch: 10 seconds, freshness: 500 ms, keep_late: 7 days }
admin: { listen: "${ADMIN_LISTEN:-127.0.0.1:8088}" }
"#;

/// Write a new project that runs.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The new project's folder; it must not exist or be empty.
    dir: PathBuf,
}

pub fn init(args: InitArgs) -> Outcome {
    write_project(&args.dir)?;
    let dir = args.dir.display();
    output::say(&format!("{dir} is a project now. Try:\n  sluice plan --project {dir}\n  sluice run --project {dir}"));
    Ok(())
}

/// Writes the project into an empty folder.
pub fn write_project(dir: &Path) -> Result<()> {
    let taken = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if taken {
        return Err(Error::config(format!("the folder {} is not empty; name another one", dir.display())));
    }
    write_entries(dir, MUSIC.entries())?;
    write(&dir.join("sluice.yml"), SETTINGS.as_bytes())
}

fn write_entries(dir: &Path, entries: &[DirEntry<'_>]) -> Result<()> {
    for entry in entries {
        let path = dir.join(entry.path());
        match entry {
            DirEntry::File(file) => write(&path, file.contents())?,
            DirEntry::Dir(inner) => {
                let name = inner.path().file_name().and_then(|n| n.to_str()).unwrap_or_default();
                if !NOT_OURS.contains(&name) {
                    write_entries(dir, inner.entries())?;
                }
            }
        }
    }
    Ok(())
}

fn write(path: &Path, contents: &[u8]) -> Result<()> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(path, contents));
    made.map_err(|e| Error::config(format!("{} cannot be written: {e}", path.display())))
}
