//! A project as small as a project can be: one stream of orders, one model.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sluice_engine::Error;
use sluice_engine::runtime::Summary;
use sluice_operators::store::Store;
use sluice_pipelines::audit::{VerifyOptions, verify};
use sluice_pipelines::compile::{Pipeline, plan_project};
use sluice_pipelines::daemon::{Health, HealthChange, RunOptions, run_pipeline};
use sluice_pipelines::lake::{lake_session, query};
use sluice_pipelines::project::{Project, ProjectErrors};
use sluice_tests::readers::{self, Engine};
use tempfile::TempDir;

use super::{PATIENCE_S, within};

pub const DBT: &str = "name: shop\nversion: '1.0'\nmodels:\n  +materialized: table\n  +schema: gold\n  +tags: [gold]\n";

pub const SOURCES: &str = "sources:
  - name: shop
    schema: bronze
    tables:
      - name: orders
        meta: { stream: { topic: orders, event_time: \"timestamp_millis(ts)\", watermark: 10 minutes } }
        columns:
          - { name: id, data_type: bigint }
          - { name: ts, data_type: bigint }
          - { name: amount, data_type: double }
          - { name: note, data_type: string }
";

pub const SPEND: &str = "{{ config(unique_key='id') }}
select id, count(*) as orders, sum(amount) as spent
from {{ source('shop', 'orders') }}
group by id
";

/// A project in a folder of its own, with its lake.
pub struct Shop {
    folder: TempDir,
    source: String,
    lake: String,
    clickhouse: Option<String>,
    workers: usize,
}

impl Shop {
    /// The usual project: it reads files, of which there are none yet, and its lake is a folder.
    pub fn new() -> Shop {
        let folder = tempfile::tempdir().unwrap();
        let lake = folder.path().join("lake").display().to_string();
        let shop = Shop { folder, source: "files: { path: ./events }".into(), lake, clickhouse: None, workers: 2 };
        fs::create_dir_all(shop.path("events")).unwrap();
        shop.with("dbt_project.yml", DBT).with("models/sources.yml", SOURCES).with("models/spend.sql", SPEND).set()
    }

    /// With a file, in place of the one that is there.
    pub fn with(self, path: &str, text: &str) -> Shop {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// With orders, one a line.
    pub fn orders(self, lines: &str) -> Shop {
        self.with("events/orders.jsonl", lines)
    }

    /// Without a file.
    pub fn without(self, path: &str) -> Shop {
        fs::remove_file(self.path(path)).unwrap();
        self
    }

    /// With so many workers.
    pub fn workers(mut self, workers: usize) -> Shop {
        self.workers = workers;
        self.set()
    }

    /// With its stream from a topic.
    pub fn kafka(mut self, brokers: &str, topic: &str) -> Shop {
        self.source = format!("kafka: {{ brokers: \"{brokers}\" }}");
        self.with("models/sources.yml", &SOURCES.replace("topic: orders", &format!("topic: {topic}"))).set()
    }

    /// With further settings of its source, as they stand in `sluice.yml`.
    pub fn source(mut self, source: &str) -> Shop {
        self.source = source.into();
        self.set()
    }

    /// With its tables elsewhere.
    pub fn lake(mut self, lake: &str) -> Shop {
        self.lake = lake.into();
        self.set()
    }

    /// With a ClickHouse, as in `sluice.yml`.
    pub fn clickhouse(mut self, settings: &str) -> Shop {
        self.clickhouse = Some(settings.into());
        self.set()
    }

    /// Writes `sluice.yml`.
    fn set(self) -> Shop {
        let clickhouse = self.clickhouse.iter().map(|c| format!("clickhouse: {{ {c} }}\n")).collect::<String>();
        let text = format!(
            "version: 1\nsources:\n  shop: {{ {} }}\nlake: \"{}\"\n{clickhouse}run: {{ workers: {}, epoch: 200 ms }}\n",
            self.source, self.lake, self.workers
        );
        self.with("sluice.yml", &text)
    }

    /// A path in the project's folder.
    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// The project's folder, for a command line.
    pub fn dir(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// All faults of the project, one a line.
    pub fn faults(&self) -> String {
        let dir = self.path("");
        within(PATIENCE_S, move || block_on(plan(dir))).err().expect("the project is wrong").to_string()
    }

    /// Everything adds up, and each table is what its SQL says as a batch over bronze.
    #[track_caller]
    pub fn adds_up(&self) {
        let (dir, lake) = (self.path(""), self.lake.clone());
        let report = within(PATIENCE_S, move || {
            block_on(async move {
                let pipeline = plan(dir).await.unwrap_or_else(|faults| panic!("{faults}"));
                verify(&pipeline, &Store::open(&lake).unwrap(), VerifyOptions { deep: true }).await.unwrap()
            })
        });
        assert!(report.adds_up(), "{report}");
    }

    /// The project's plan.
    pub fn planned(&self) -> Arc<Pipeline> {
        let dir = self.path("");
        within(PATIENCE_S, move || block_on(plan(dir))).unwrap_or_else(|faults| panic!("{faults}"))
    }

    /// Runs until everything is read and committed.
    pub fn run(&self) -> Result<Summary, Error> {
        self.run_with(RunOptions { until_idle: true, ..RunOptions::default() })
    }

    /// Runs until the first failure, also if another start could mend it.
    pub fn first_failure(&self) -> Error {
        let options = RunOptions::default();
        let stop = options.stop.clone();
        let health = Health::new(move |change| {
            if let HealthChange::Waiting(_) = change {
                stop.stop();
            }
        });
        self.run_with(RunOptions { health, ..options }).expect_err("the run fails")
    }

    /// Runs as the daemon does.
    pub fn run_with(&self, options: RunOptions) -> Result<Summary, Error> {
        let (dir, lake) = (self.path(""), self.lake.clone());
        within(PATIENCE_S, move || {
            block_on(async move {
                let pipeline = plan(dir).await.unwrap_or_else(|faults| panic!("{faults}"));
                run_pipeline(pipeline, Store::open(&lake)?, options, || Box::new(|_| {})).await
            })
        })
    }

    /// A table's rows as an independent reader sees them, one JSON object for each.
    pub fn rows(&self, table: &str, columns: &[&str]) -> Vec<serde_json::Value> {
        let lines = readers::rows(Engine::DuckDb, &format!("{}/{table}", self.lake), columns).unwrap();
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The rows that sluice's own SQL gives, their values as text; `-` is NULL.
    pub fn query(&self, sql: &str) -> Vec<String> {
        let (dir, lake, sql) = (self.path(""), self.lake.clone(), sql.to_owned());
        let batches = within(PATIENCE_S, move || {
            block_on(async move {
                let pipeline = plan(dir).await.unwrap_or_else(|faults| panic!("{faults}"));
                let context = lake_session(&pipeline, &Store::open(&lake).unwrap()).await.unwrap();
                query(&context, &sql).await.unwrap()
            })
        });
        let options = FormatOptions::default().with_null("-");
        let line = |batch: &RecordBatch, row| {
            let value = |c: &ArrayRef| ArrayFormatter::try_new(c, &options).unwrap().value(row).to_string();
            batch.columns().iter().map(value).collect::<Vec<_>>().join(" ")
        };
        batches.iter().flat_map(|b| (0..b.num_rows()).map(move |i| line(b, i))).collect()
    }
}

async fn plan(dir: PathBuf) -> Result<Arc<Pipeline>, ProjectErrors> {
    plan_project(Project::load(&dir, |_| None)?).await.map(Arc::new)
}

/// Waits for `work` on a runtime of its own, which does not wait for what is left behind.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

/// `127.0.0.1:port`, where nothing listens.
pub fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
