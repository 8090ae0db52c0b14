//! Prometheus' text format, version 0.0.4: what is in the catalog, and nothing else.

use std::fmt::Write;

use sluice_engine::metrics::{CATALOG, MetricKind};

use super::status::{NodeStatus, Status};

/// The content type that goes with [`exposition`].
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every metric of the catalog with its help, its kind and the series that there are now.
pub(super) fn exposition(status: &Status) -> String {
    let mut text = String::new();
    for spec in CATALOG {
        let kind = match spec.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
        };
        let _ = writeln!(text, "# HELP {} {}", spec.name, escaped_help(spec.help));
        let _ = writeln!(text, "# TYPE {} {kind}", spec.name);
        for (series, value) in series(spec.name, status) {
            let _ = match spec.label {
                Some(label) => writeln!(text, "{}{{{label}=\"{}\"}} {value}", spec.name, escaped_label(series)),
                None => writeln!(text, "{} {value}", spec.name),
            };
        }
    }
    text
}

/// The series of a metric: the value of its label (empty when it has none) and its number.
///
/// A new entry of the catalog needs an arm here; the test below says so.
fn series<'a>(metric: &str, status: &'a Status) -> Vec<(&'a str, u64)> {
    match metric {
        "sluice_node_in_rows_total" => by_node(status, |n| n.rows_in),
        "sluice_node_out_rows_total" => by_node(status, |n| n.rows_out),
        "sluice_node_state_bytes" => by_node(status, |n| n.state_bytes),
        "sluice_source_lag_rows" => status.sources.iter().map(|s| (s.name.as_str(), s.lag_rows)).collect(),
        "sluice_epoch_number" => vec![("", status.epoch)],
        "sluice_generation_number" => vec![("", status.generation)],
        "sluice_epochs_total" => vec![("", status.epochs_committed)],
        "sluice_commit_milliseconds" => vec![("", status.commit_milliseconds)],
        "sluice_refresh_failures_total" => status.refreshed.iter().map(|m| (m.model.as_str(), m.failures)).collect(),
        "sluice_snapshot_bytes_total" => vec![("", status.snapshot_bytes)],
        "sluice_state_thaws_total" => vec![("", status.thaws)],
        _ => Vec::new(),
    }
}

fn by_node(status: &Status, value: impl Fn(&NodeStatus) -> u64) -> Vec<(&str, u64)> {
    status.nodes.iter().map(|n| (n.name.as_str(), value(n))).collect()
}

fn escaped_label(value: &str) -> String {
    escaped_help(value).replace('"', "\\\"")
}

fn escaped_help(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use expect_test::expect;

    use super::*;
    use crate::admin::{HealthReport, Phase, RefreshStatus, SourceStatus};

    fn status() -> Status {
        Status {
            version: "1.2.3".into(),
            pipeline: "shop".into(),
            health: HealthReport { phase: Phase::Ready, reason: String::new() },
            uptime_seconds: 60,
            generation: 2,
            epoch: 7,
            epochs_committed: 3,
            commit_milliseconds: 41,
            snapshot_bytes: 9000,
            thaws: 5,
            refreshed: vec![RefreshStatus { model: "best".into(), failures: 2, error: None }],
            sources: vec![SourceStatus { name: "source.orders".into(), rows: 10, lag_rows: 4 }],
            nodes: vec![
                NodeStatus { name: "model \"a\\b\"\nc".into(), rows_in: 10, rows_out: 8, state_bytes: 512 },
                NodeStatus { name: "source.orders".into(), rows_in: 10, rows_out: 10, state_bytes: 0 },
            ],
        }
    }

    /// The whole text, with a node whose name needs every escape.
    #[test]
    fn the_text_is_what_prometheus_reads() {
        expect![[r##"
            # HELP sluice_node_in_rows_total rows that came into a node
            # TYPE sluice_node_in_rows_total counter
            sluice_node_in_rows_total{node="model \"a\\b\"\nc"} 10
            sluice_node_in_rows_total{node="source.orders"} 10
            # HELP sluice_node_out_rows_total rows that a node made
            # TYPE sluice_node_out_rows_total counter
            sluice_node_out_rows_total{node="model \"a\\b\"\nc"} 8
            sluice_node_out_rows_total{node="source.orders"} 10
            # HELP sluice_node_state_bytes bytes of state or buffers of a node, on all workers
            # TYPE sluice_node_state_bytes gauge
            sluice_node_state_bytes{node="model \"a\\b\"\nc"} 512
            sluice_node_state_bytes{node="source.orders"} 0
            # HELP sluice_source_lag_rows rows that wait in a source
            # TYPE sluice_source_lag_rows gauge
            sluice_source_lag_rows{node="source.orders"} 4
            # HELP sluice_epoch_number the newest committed epoch
            # TYPE sluice_epoch_number gauge
            sluice_epoch_number 7
            # HELP sluice_generation_number which start of the pipeline this is
            # TYPE sluice_generation_number gauge
            sluice_generation_number 2
            # HELP sluice_epochs_total epochs committed
            # TYPE sluice_epochs_total counter
            sluice_epochs_total 3
            # HELP sluice_commit_milliseconds how long the newest commit took
            # TYPE sluice_commit_milliseconds gauge
            sluice_commit_milliseconds 41
            # HELP sluice_refresh_failures_total refreshes of a model that failed, or were left out because what it reads had failed; its table is old then
            # TYPE sluice_refresh_failures_total counter
            sluice_refresh_failures_total{model="best"} 2
            # HELP sluice_snapshot_bytes_total bytes of state written
            # TYPE sluice_snapshot_bytes_total counter
            sluice_snapshot_bytes_total 9000
            # HELP sluice_state_thaws_total times that rows came so late that state had to be read back
            # TYPE sluice_state_thaws_total counter
            sluice_state_thaws_total 5
        "##]]
        .assert_eq(&exposition(&status()));
    }

    /// The document has every metric of the catalog, with its kind and label, and no others.
    #[test]
    fn the_document_and_the_catalog_say_the_same() {
        let rows = include_str!("../../../docs/metrics.md").lines().filter(|l| l.starts_with("| `sluice_"));
        let of_catalog = CATALOG.iter().map(|m| {
            let kind = if m.kind == MetricKind::Counter { "counter" } else { "gauge" };
            let label = m.label.map_or(" ".into(), |l| format!(" `{l}` "));
            format!("| `{}` | {kind} |{label}| {} |", m.name, m.help)
        });
        assert_eq!(rows.map(str::to_owned).collect::<Vec<_>>(), of_catalog.collect::<Vec<_>>());
    }

    /// Every sample is of a metric in the catalog, and every metric of the catalog has a sample, a help and a type.
    #[test]
    fn the_text_and_the_catalog_say_the_same() {
        let text = exposition(&status());
        let names = |start: &str| -> BTreeSet<String> {
            text.lines()
                .filter_map(|l| l.strip_prefix(start))
                .map(|l| l.split([' ', '{']).next().unwrap().to_owned())
                .collect()
        };
        let catalog: BTreeSet<String> = CATALOG.iter().map(|m| m.name.to_owned()).collect();
        assert_eq!(names("# HELP "), catalog);
        assert_eq!(names("# TYPE "), catalog);
        let samples = text.lines().filter(|l| !l.starts_with('#'));
        let samples: BTreeSet<String> = samples.map(|l| l.split([' ', '{']).next().unwrap().to_owned()).collect();
        assert_eq!(samples, catalog);
    }
}
