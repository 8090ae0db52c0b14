//! A model's operators as nodes.

use sluice_engine::graph::Exchange;
use sluice_engine::{Error, Result};
use sluice_operators::decode::json::rejects_schema;
use sluice_operators::join::equi::EquiJoin;
use sluice_operators::transform::dedupe::Dedupe;
use sluice_operators::transform::explode::Explode;
use sluice_operators::transform::map::{FAILED, FailedSpec, Map};
use sluice_operators::transform::union::Union;
use sluice_operators::window::aggregate::Aggregate;

use super::{Nodes, Output};
use crate::sql::op::Op;

impl Nodes {
    /// Adds an operator of `model` (its table) and, first, what it reads. `name` is stable as long as the model's plan has
    /// the same shape.
    pub(super) fn op(&mut self, op: &Op, model: &str, name: &str) -> Result<Output> {
        let fingerprint = op.fingerprint();
        let inputs = op.inputs();
        let mut outputs = Vec::new();
        for (i, input) in inputs.iter().enumerate() {
            let name = if inputs.len() == 1 { format!("{name}.") } else { format!("{name}.{i}") };
            outputs.push(self.op(input, model, &name)?);
        }
        let forward = || outputs.iter().map(|o| o.input(Exchange::Forward)).collect::<Vec<_>>();
        let node = match op {
            Op::Scan { table, .. } => {
                let found = self.tables.get(table).copied();
                return found.ok_or_else(|| Error::bug(format!("table {table} is read before it is there")));
            }
            Op::Constant { rows } => return self.constant(&format!("{name}:constant"), rows.clone()),
            Op::Map { predicate, columns, schema, .. } => {
                let (predicate, columns, schema) = (predicate.clone(), columns.clone(), schema.clone());
                let failed = FailedSpec { model: model.to_owned(), schema: rejects_schema() };
                let build = move || {
                    let map = Map::new(predicate.clone(), columns.clone(), schema.clone());
                    Ok(Box::new(map.with_failed(failed.clone())) as _)
                };
                let node = self.operator(format!("{name}:map"), fingerprint, forward(), build)?;
                self.rejects.add(Output { node, port: FAILED });
                node
            }
            Op::Union { schema, .. } => {
                let schema = schema.clone();
                let build = move || Ok(Box::new(Union::new(schema.clone())) as _);
                self.operator(format!("{name}:union"), fingerprint, forward(), build)?
            }
            Op::Explode { sources, list, schema, .. } => {
                let (sources, list, schema) = (sources.clone(), *list, schema.clone());
                let build = move || Ok(Box::new(Explode::new(sources.clone(), list, schema.clone())) as _);
                self.operator(format!("{name}:explode"), fingerprint, forward(), build)?
            }
            Op::Aggregate { spec, .. } => {
                let by_key = Exchange::Hash((0..spec.keys.len()).collect());
                let spec = spec.clone();
                let build = move || Ok(Box::new(Aggregate::new(spec.clone())?) as _);
                self.operator(format!("{name}:aggregate"), fingerprint, vec![outputs[0].input(by_key)], build)?
            }
            Op::Dedupe { spec, .. } => {
                let by_key = Exchange::Hash(spec.keys.clone());
                let spec = spec.clone();
                let build = move || Ok(Box::new(Dedupe::new(spec.clone())?) as _);
                self.operator(format!("{name}:dedupe"), fingerprint, vec![outputs[0].input(by_key)], build)?
            }
            Op::Join { spec, .. } => {
                let left = outputs[0].input(Exchange::Hash(spec.left_keys.clone()));
                let right = outputs[1].input(Exchange::Hash(spec.right_keys.clone()));
                let spec = spec.clone();
                let build = move || Ok(Box::new(EquiJoin::new(spec.clone())?) as _);
                self.operator(format!("{name}:join"), fingerprint, vec![left, right], build)?
            }
        };
        Ok(Output { node, port: 0 })
    }
}
