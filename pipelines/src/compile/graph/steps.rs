//! A model's operators as nodes.

use std::sync::Arc;

use sluice_engine::graph::Exchange;
use sluice_engine::{Error, Operator, Result};
use sluice_operators::decode::json::rejects_schema;
use sluice_operators::join::equi::EquiJoin;
use sluice_operators::transform::dedupe::Dedupe;
use sluice_operators::transform::explode::Explode;
use sluice_operators::transform::map::{FAILED, FailedSpec, Map};
use sluice_operators::transform::union::Union;
use sluice_operators::window::aggregate::Aggregate;
use sluice_operators::window::over::Over;

use super::{Nodes, Output};
use crate::sql::op::Op;

/// Makes an operator, once for each worker.
pub(super) type OperatorFactory = Arc<dyn Fn() -> Result<Box<dyn Operator>> + Send + Sync>;

/// What a node is called, and what runs in it for `op` of `model`; none for what is no operator.
pub(super) fn factory(op: &Op, model: &str) -> Option<(&'static str, OperatorFactory)> {
    fn of<O: Operator + 'static>(make: impl Fn() -> Result<O> + Send + Sync + 'static) -> OperatorFactory {
        Arc::new(move || Ok(Box::new(make()?) as _))
    }
    Some(match op {
        Op::Scan { .. } | Op::Constant { .. } => return None,
        Op::Map { predicate, columns, schema, .. } => {
            let (predicate, columns, schema) = (predicate.clone(), columns.clone(), schema.clone());
            let failed = FailedSpec { model: model.to_owned(), schema: rejects_schema() };
            let map = move || Map::new(predicate.clone(), columns.clone(), schema.clone()).with_failed(failed.clone());
            ("map", of(move || Ok(map())))
        }
        Op::Union { schema, .. } => {
            let schema = schema.clone();
            ("union", of(move || Ok(Union::new(schema.clone()))))
        }
        Op::Explode { sources, list, schema, .. } => {
            let (sources, list, schema) = (sources.clone(), *list, schema.clone());
            ("explode", of(move || Ok(Explode::new(sources.clone(), list, schema.clone()))))
        }
        Op::Aggregate { spec, .. } => {
            let spec = spec.clone();
            ("aggregate", of(move || Aggregate::new(spec.clone())))
        }
        Op::Dedupe { spec, .. } => {
            let spec = spec.clone();
            ("dedupe", of(move || Dedupe::new(spec.clone())))
        }
        Op::Over { spec, .. } => {
            let spec = spec.clone();
            ("over", of(move || Over::new(spec.clone())))
        }
        Op::Join { spec, .. } => {
            let spec = spec.clone();
            ("join", of(move || EquiJoin::new(spec.clone())))
        }
    })
}

/// How the rows of each input reach the worker that has their key.
fn exchanges(op: &Op) -> Vec<Exchange> {
    match op {
        Op::Aggregate { spec, .. } => vec![Exchange::Hash((0..spec.keys.len()).collect())],
        Op::Dedupe { spec, .. } => vec![Exchange::Hash(spec.keys.clone())],
        Op::Over { spec, .. } => vec![Exchange::Hash(spec.keys.clone())],
        Op::Join { spec, .. } => {
            vec![Exchange::Hash(spec.left_keys.clone()), Exchange::Hash(spec.right_keys.clone())]
        }
        _ => op.inputs().iter().map(|_| Exchange::Forward).collect(),
    }
}

impl Nodes {
    /// Adds an operator of `model` (its table) and, first, what it reads. `name` is stable as long as the model's plan has
    /// the same shape.
    pub(super) fn op(&mut self, op: &Op, model: &str, name: &str) -> Result<Output> {
        let inputs = op.inputs();
        let mut outputs = Vec::new();
        for (i, input) in inputs.iter().enumerate() {
            let name = if inputs.len() == 1 { format!("{name}.") } else { format!("{name}.{i}") };
            outputs.push(self.op(input, model, &name)?);
        }
        if let Op::Scan { table, .. } = op {
            let found = self.tables.get(table).copied();
            return found.ok_or_else(|| Error::bug(format!("table {table} is read before it is there")));
        }
        if let Op::Constant { rows } = op {
            return self.constant(&format!("{name}:constant"), rows.clone());
        }
        let Some((kind, make)) = factory(op, model) else { return Err(Error::bug("an operator that is none")) };
        let inputs = outputs.iter().zip(exchanges(op)).map(|(output, exchange)| output.input(exchange)).collect();
        let node = self.operator(format!("{name}:{kind}"), op.fingerprint(), inputs, move || make())?;
        if matches!(op, Op::Map { .. }) {
            self.rejects.add(Output { node, port: FAILED });
        }
        Ok(Output { node, port: 0 })
    }
}
