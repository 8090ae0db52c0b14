//! What a run shows while it goes on: progress on stderr, and the daemon's HTTP server.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use sluice_engine::metrics::Metrics;
use sluice_engine::{Error, Result};
use sluice_operators::store::Store;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::output;
use crate::admin::{AdminServer, AdminState};
use crate::compile::Pipeline;
use crate::daemon::{Health, HealthChange, RunOptions};
use crate::lake;
use crate::node_names;
use crate::progress::{Meter, Output, Progress, Snapshot, SourceProgress, TableProgress, Top};
use crate::sql::op::Retractions;

/// How often progress looks at the counters, in milliseconds.
const LOOK_MS: u64 = 250;
/// Shortest time between two askings of the live ranking, in seconds: it is a query over a table.
const TOP_EVERY_S: u64 = 5;

/// The name of the dbt var that says what ranking to show: `{title, sql}`; the SQL gives a name and a count.
pub const TOP_VAR: &str = "sluice_live_top";

/// The live view of a run.
pub struct Watch {
    pipeline: Arc<Pipeline>,
    store: Store,
    metrics: Metrics,
    title: String,
    started: Instant,
    top: Mutex<(Option<Top>, Option<Instant>)>,
    ended: Notify,
}

impl Watch {
    /// A view of a run that begins now.
    pub fn new(pipeline: Arc<Pipeline>, store: Store, metrics: Metrics) -> Arc<Self> {
        let title = pipeline.project.name.clone();
        let (started, top) = (Instant::now(), Mutex::new((None, None)));
        Arc::new(Self { pipeline, store, metrics, title, started, top, ended: Notify::new() })
    }

    /// Shows progress until `end`.
    pub fn show(self: &Arc<Self>) -> JoinHandle<()> {
        let watch = self.clone();
        tokio::spawn(async move {
            let mut progress = Progress::on(output::terminal(), Output::of_stderr(), false);
            let mut meter = Meter::default();
            loop {
                tokio::select! {
                    () = watch.ended.notified() => break,
                    () = tokio::time::sleep(Duration::from_millis(LOOK_MS)) => {}
                }
                if progress.is_due(watch.started.elapsed()) {
                    watch.ask_top(Duration::from_secs(TOP_EVERY_S)).await;
                    progress.show(&watch.snapshot(&mut meter));
                }
            }
            watch.ask_top(Duration::ZERO).await;
            progress.finish(&watch.snapshot(&mut meter));
        })
    }

    /// Ends the view; the last state stays on the screen.
    pub async fn end(&self, shown: JoinHandle<()>) {
        self.ended.notify_one();
        // A view that panicked has nothing more to show.
        let _ = shown.await;
    }

    /// Rows that all streams have given. (A run also reads rows that are no stream's: seeds, and constants of the SQL.)
    pub fn rows(&self) -> u64 {
        let nodes = self.metrics.nodes();
        let counts = self.pipeline.streams.iter().filter_map(|s| nodes.get(&node_names::stream_source(s)));
        counts.map(|counts| counts.rows_in).sum()
    }

    fn snapshot(&self, meter: &mut Meter) -> Snapshot {
        let elapsed = self.started.elapsed();
        let nodes = self.metrics.nodes();
        let sources = self.pipeline.streams.iter().filter_map(|s| {
            let counts = nodes.get(&node_names::stream_source(s))?;
            Some(SourceProgress { name: s.name.clone(), rows: counts.rows_in, lag_rows: Some(counts.lag_rows) })
        });
        let sources: Vec<SourceProgress> = sources.collect();
        let kept =
            |t: &str| nodes.get(&format!("delta/{t}")).map(|c| TableProgress { name: t.into(), rows: c.rows_in });
        let steady = self.pipeline.models.values().filter(|m| m.retractions != Retractions::Frequent);
        let rows = sources.iter().map(|s| s.rows).sum();
        Snapshot {
            title: self.title.clone(),
            elapsed,
            rows,
            rates: meter.observe(elapsed, rows),
            epoch: self.metrics.run().epoch.load(Ordering::Relaxed),
            tables: steady.filter_map(|m| kept(&m.table)).chain(kept("rejects")).collect(),
            sources,
            top: self.top().0.clone(),
        }
    }

    fn top(&self) -> std::sync::MutexGuard<'_, (Option<Top>, Option<Instant>)> {
        self.top.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Asks the ranking again, unless that was done less than `every` ago or nothing is committed yet.
    async fn ask_top(&self, every: Duration) {
        let fresh = self.top().1.is_some_and(|at| at.elapsed() < every);
        if fresh || self.metrics.run().epoch.load(Ordering::Relaxed) == 0 {
            return;
        }
        self.top().1 = Some(Instant::now());
        // A ranking that cannot be had (a table that is not there yet) is not shown.
        if let Ok(Some(top)) = self.query_top().await {
            self.top().0 = Some(top);
        }
    }

    async fn query_top(&self) -> Result<Option<Top>> {
        let Some(var) = self.pipeline.project.vars.get(TOP_VAR) else { return Ok(None) };
        let text = |key: &str| var.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        let context = lake::lake_session(&self.pipeline, &self.store).await?;
        let batches = lake::query(&context, &text("sql")).await?;
        let mut entries = Vec::new();
        for batch in &batches {
            if batch.num_columns() < 2 {
                return Err(Error::config(format!("the var {TOP_VAR} must select a name and a count")));
            }
            let (names, counts) = (cast(batch.column(0), &DataType::Utf8)?, cast(batch.column(1), &DataType::Int64)?);
            let (names, counts) = (names.as_string::<i32>(), counts.as_primitive::<Int64Type>());
            let of = |i: usize| (names.value(i).to_owned(), counts.value(i).max(0) as u64);
            entries.extend((0..names.len()).filter(|i| names.is_valid(*i)).map(of));
        }
        Ok((!entries.is_empty()).then(|| Top { title: text("title"), entries }))
    }
}

/// What becomes of the HTTP server when its port is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminPort {
    /// The run does not begin: somebody relies on the address.
    Needed,
    /// The run goes on without a server: who waits for the tables does not want to miss them because another run has the
    /// port.
    Spare,
    /// Any free port will do.
    Any,
}

impl AdminPort {
    /// As `run` and `build` want it.
    pub fn of_run(until_idle: bool) -> Self {
        if until_idle { AdminPort::Spare } else { AdminPort::Needed }
    }
}

/// The daemon's HTTP server, if the project wants one; its health follows the daemon's.
///
/// # Errors
/// `Config` when the address cannot be had, and is needed.
pub fn admin(pipeline: &Pipeline, options: &RunOptions, port: AdminPort) -> Result<Health> {
    let Some(settings) = &pipeline.project.settings.admin else { return Ok(Health::default()) };
    let failures = options.refresh_failures.clone();
    let state = AdminState::with_refresh_failures(&pipeline.project.name, options.metrics.clone(), failures);
    state.set_sources(pipeline.streams.iter().map(node_names::stream_source).collect());
    let server = match (AdminServer::bind(&settings.listen, state.clone()), port) {
        (Ok(server), _) => server,
        (Err(fault), AdminPort::Any) if is_taken(&fault) => {
            let host = settings.listen.rsplit_once(':').map_or("127.0.0.1", |(host, _)| host);
            let server = AdminServer::bind(&format!("{host}:0"), state.clone())?;
            output::warning(&format!("{fault}; this one is on {}", server.local_addr()));
            server
        }
        (Err(fault), AdminPort::Spare) => {
            output::warning(&format!("{fault}; this run goes on without it"));
            return Ok(Health::default());
        }
        (Err(fault), AdminPort::Needed | AdminPort::Any) => return Err(fault),
    };
    tracing::info!("health, readiness and metrics on http://{}", server.local_addr());
    tokio::spawn(async move {
        if let Err(e) = server.serve(std::future::pending()).await {
            tracing::error!("the HTTP server has stopped: {e}");
        }
    });
    Ok(Health::new(move |change| match change {
        HealthChange::Starting => state.health().starting("recovering and opening sources"),
        HealthChange::Running => state.health().ready(),
        HealthChange::Waiting(error) => state.health().starting(format!("waiting to start again: {error}")),
    }))
}

fn is_taken(fault: &Error) -> bool {
    let cause = std::error::Error::source(fault).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::AddrInUse)
}
