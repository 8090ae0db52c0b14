//! `run_results.json`: what became of models, seeds and tests.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Invocation, ids};
use crate::project::{DataTest, Model, Seed, UnitTest};

/// What became of a node, in the words of dbt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeStatus {
    /// Its table is up to date.
    Success,
    /// The test found nothing, or no more than it may.
    Pass,
    /// The test found something that its owner should know.
    Warn,
    /// The test found something that must not be.
    Fail,
    /// It could not be made or run.
    Error,
}

impl NodeStatus {
    fn name(self) -> &'static str {
        match self {
            NodeStatus::Success => "success",
            NodeStatus::Pass => "pass",
            NodeStatus::Warn => "warn",
            NodeStatus::Fail => "fail",
            NodeStatus::Error => "error",
        }
    }
}

/// A node and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeResult {
    id: String,
    code: Option<String>,
    relation: Option<String>,
    status: NodeStatus,
    message: Option<String>,
    failures: Option<i64>,
    took: Duration,
}

impl NodeResult {
    fn new(id: String, status: NodeStatus) -> Self {
        let (message, failures, took) = (None, None, Duration::ZERO);
        NodeResult { id, code: None, relation: None, status, message, failures, took }
    }

    /// Of a model or snapshot.
    pub fn of_model(model: &Model, status: NodeStatus) -> Self {
        let relation = model.has_table().then(|| format!("{}.{}", model.schema, model.alias));
        NodeResult { code: Some(model.sql.clone()), relation, ..Self::new(ids::of_model(model), status) }
    }

    /// Of a seed.
    pub fn of_seed(seed: &Seed, status: NodeStatus) -> Self {
        let relation = Some(format!("{}.{}", seed.schema, seed.alias));
        NodeResult { relation, ..Self::new(ids::of_seed(seed), status) }
    }

    /// Of a data test.
    pub fn of_test(test: &DataTest, status: NodeStatus) -> Self {
        let relation = test.stored.as_ref().map(|(schema, table)| format!("{schema}.{table}"));
        NodeResult { code: Some(test.sql.clone()), relation, ..Self::new(ids::of_test(test), status) }
    }

    /// Of a unit test.
    pub fn of_unit_test(test: &UnitTest, status: NodeStatus) -> Self {
        NodeResult { code: Some(test.sql.clone()), ..Self::new(ids::of_unit_test(test), status) }
    }

    /// With what there is to say, how many rows failed, and how long it took.
    pub fn told(mut self, message: Option<String>, failures: Option<i64>, took: Duration) -> Self {
        (self.message, self.failures, self.took) = (message, failures, took);
        self
    }
}

/// The results of a command (`build`, `test`).
pub fn run_results(results: &[NodeResult], command: &str, took: Duration, by: &Invocation) -> Json {
    let result = |result: &NodeResult| {
        json!({
            "status": result.status.name(), "timing": [], "thread_id": "main",
            "execution_time": result.took.as_secs_f64(), "adapter_response": {}, "message": result.message,
            "failures": result.failures, "unique_id": result.id, "compiled": result.code.is_some(),
            "compiled_code": result.code, "relation_name": result.relation, "batch_results": null,
        })
    };
    json!({
        "metadata": by.metadata("run-results", 6),
        "results": results.iter().map(result).collect::<Vec<_>>(),
        "elapsed_time": took.as_secs_f64(), "args": { "which": command, "invocation_command": format!("sluice {command}") },
    })
}
