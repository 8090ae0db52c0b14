//! Every metric that the daemon shows, by name. A dashboard may use these and no others.

/// How a metric's number behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows, and starts from 0 with the process.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A metric's name, kind, labels and meaning.
#[derive(Debug, Clone, Copy)]
pub struct MetricSpec {
    /// The name, `sluice_<noun>_<unit>[_total]`.
    pub name: &'static str,
    /// How the number behaves.
    pub kind: MetricKind,
    /// The label that tells the series apart, if there is one.
    pub label: Option<&'static str>,
    /// What it counts.
    pub help: &'static str,
}

const fn metric(name: &'static str, kind: MetricKind, label: Option<&'static str>, help: &'static str) -> MetricSpec {
    MetricSpec { name, kind, label, help }
}

/// The catalog.
pub const CATALOG: &[MetricSpec] = &[
    metric("sluice_node_in_rows_total", MetricKind::Counter, Some("node"), "rows that came into a node"),
    metric("sluice_node_out_rows_total", MetricKind::Counter, Some("node"), "rows that a node made"),
    metric(
        "sluice_node_state_bytes",
        MetricKind::Gauge,
        Some("node"),
        "bytes of state or buffers of a node, on all workers",
    ),
    metric("sluice_source_lag_rows", MetricKind::Gauge, Some("node"), "rows that wait in a source"),
    metric("sluice_epoch_number", MetricKind::Gauge, None, "the newest committed epoch"),
    metric("sluice_generation_number", MetricKind::Gauge, None, "which start of the pipeline this is"),
    metric("sluice_epochs_total", MetricKind::Counter, None, "epochs committed"),
    metric("sluice_commit_milliseconds", MetricKind::Gauge, None, "how long the newest commit took"),
    metric(
        "sluice_refresh_failures_total",
        MetricKind::Counter,
        Some("model"),
        "refreshes of a model that failed, or were left out because what it reads had failed; its table is old then",
    ),
    metric("sluice_snapshot_bytes_total", MetricKind::Counter, None, "bytes of state written"),
    metric(
        "sluice_state_thaws_total",
        MetricKind::Counter,
        None,
        "times that rows came so late that state had to be read back",
    ),
];
