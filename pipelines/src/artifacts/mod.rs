//! dbt's artifacts: what dbt's docs site and other programs read of a project and of a run.
//!
//! `manifest.rs` the nodes and how they hang together (schema v12), `catalog.rs` the tables' columns (v1), `run_results.rs`
//! what became of models and tests (v6).

mod catalog;
mod ids;
mod manifest;
mod nodes;
mod run_results;

pub use catalog::catalog;
pub use manifest::manifest;
pub use run_results::{NodeResult, NodeStatus, run_results};

use serde_json::{Value as Json, json};

/// The version of dbt whose artifacts these are.
const DBT_VERSION: &str = "1.11.0";

/// Who made an artifact, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The moment, in milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// What tells this call from others; any 32 hexadecimal digits.
    pub id: String,
}

impl Invocation {
    /// A call of the program now, by the process `process`.
    pub fn now(process: u32) -> Self {
        let at = chrono::Utc::now();
        let id = ids::hash(&format!("{process}/{}", at.timestamp_nanos_opt().unwrap_or_default()));
        Invocation { at_ms: at.timestamp_millis(), id }
    }

    /// The moment as dbt writes it.
    fn time(&self) -> String {
        let at = chrono::DateTime::from_timestamp_millis(self.at_ms).unwrap_or_default();
        at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
    }

    /// The head of an artifact of this kind and version.
    fn metadata(&self, schema: &str, version: u32) -> Json {
        let id = &self.id;
        let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)].map(|(from, to)| id.get(from..to).unwrap_or("0"));
        json!({
            "dbt_schema_version": format!("https://schemas.getdbt.com/dbt/{schema}/v{version}.json"),
            "dbt_version": DBT_VERSION,
            "generated_at": self.time(),
            "invocation_id": parts.join("-"),
            "invocation_started_at": self.time(),
            "env": {},
        })
    }
}
