//! The music project in a folder of a test's own, loaded, planned and run in the test's process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use arrow::array::RecordBatch;
use sluice_engine::metrics::Metrics;
use sluice_engine::runtime::Summary;
use sluice_operators::store::{Store, read_all};
use sluice_pipelines::compile::{Pipeline, plan_project};
use sluice_pipelines::daemon::{RunOptions, run_pipeline};
use sluice_pipelines::project::Project;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The dbt project that the tests run.
const MUSIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines/music");

/// What dbt writes into a project; no part of it.
const NOT_COPIED: [&str; 3] = ["target", "logs", "dbt_packages"];

/// A copy of the music project; it goes with this value.
pub struct MusicProject {
    folder: TempDir,
}

impl MusicProject {
    /// Copies the project, with `settings` as its `sluice.yml`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn new(settings: &str) -> anyhow::Result<MusicProject> {
        let project = MusicProject { folder: tempfile::Builder::new().prefix("sluice-music-").tempdir()? };
        copy(Path::new(MUSIC), project.path())?;
        project.set(settings)?;
        Ok(project)
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes its `sluice.yml` anew.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn set(&self, settings: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.path().join("sluice.yml"), settings)?)
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if !entry.file_type()?.is_dir() {
            fs::copy(entry.path(), target)?;
        } else if !NOT_COPIED.iter().any(|name| entry.file_name() == *name) {
            copy(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// A project that is loaded and planned, and its lake.
pub struct Opened {
    /// The plan.
    pub pipeline: Arc<Pipeline>,
    /// The lake.
    pub store: Store,
    runtime: Runtime,
}

impl Opened {
    /// Loads and plans the project in `folder`. Its `lake` must be a URL or an absolute path.
    ///
    /// # Errors
    /// The project's faults.
    pub fn of(folder: &Path) -> anyhow::Result<Opened> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let project = Project::load(folder, |_| None).map_err(|faults| anyhow::anyhow!("{faults}"))?;
        let pipeline = runtime.block_on(plan_project(project)).map_err(|faults| anyhow::anyhow!("{faults}"))?;
        let lake = PathBuf::from(&pipeline.project.settings.lake);
        anyhow::ensure!(lake.to_string_lossy().contains("://") || lake.is_absolute(), "the lake is relative");
        let store = Store::open(&pipeline.project.settings.lake)?;
        Ok(Opened { pipeline: Arc::new(pipeline), store, runtime })
    }

    /// Runs it in this process until everything that is in the sources now is committed, in batches of `batch_rows`.
    ///
    /// # Errors
    /// Those of the run.
    pub fn run(&self, batch_rows: Option<usize>) -> anyhow::Result<Summary> {
        let options = RunOptions { until_idle: true, batch_rows, ..RunOptions::default() };
        let run = run_pipeline(self.pipeline.clone(), self.store.clone(), options, || Box::new(|_| {}));
        Ok(self.runtime.block_on(run)?)
    }

    /// As `run`, with an epoch after every `epoch_rows` rows; asks to stop after so many epochs, if told to. Gives what the
    /// run has counted, too.
    ///
    /// # Errors
    /// Those of the run.
    pub fn run_for_epochs(
        &self,
        batch_rows: usize,
        epoch_rows: u64,
        epochs: Option<u64>,
    ) -> anyhow::Result<(Summary, Metrics)> {
        let (batch_rows, epoch_rows) = (Some(batch_rows), Some(epoch_rows));
        let options = RunOptions { until_idle: true, batch_rows, epoch_rows, ..RunOptions::default() };
        let (stop, metrics) = (options.stop.clone(), options.metrics.clone());
        let run = run_pipeline(self.pipeline.clone(), self.store.clone(), options, || {
            let (stop, mut left) = (stop.clone(), epochs);
            Box::new(move |_| {
                left = left.map(|left| left.saturating_sub(1));
                if left == Some(0) {
                    stop.stop();
                }
            })
        });
        Ok((self.runtime.block_on(run)?, metrics))
    }

    /// As `run`, but asks to stop as soon as an epoch with rows is committed.
    ///
    /// # Errors
    /// Those of the run.
    pub fn run_for_an_epoch(&self, batch_rows: Option<usize>) -> anyhow::Result<Summary> {
        let options = RunOptions { until_idle: true, batch_rows, ..RunOptions::default() };
        let stop = options.stop.clone();
        let run = run_pipeline(self.pipeline.clone(), self.store.clone(), options, || {
            let stop = stop.clone();
            Box::new(move |epoch| {
                if epoch.rows > 0 {
                    stop.stop();
                }
            })
        });
        Ok(self.runtime.block_on(run)?)
    }

    /// All rows of the table in the folder `path` of the lake.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn table(&self, path: &str) -> anyhow::Result<Vec<RecordBatch>> {
        Ok(self.wait(read_all(&self.store, path))?.1)
    }

    /// Waits for something asynchronous.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}
