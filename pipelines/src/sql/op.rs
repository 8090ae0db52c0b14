//! A model as the engine will run it: a tree of our operators.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use sluice_operators::join::equi::EquiJoinSpec;
use sluice_operators::transform::dedupe::DedupeSpec;
use sluice_operators::window::aggregate::AggregateSpec;
use sluice_operators::window::over::OverSpec;

use super::times::Times;

/// An operator and what it reads.
#[derive(Debug, Clone)]
pub enum Op {
    /// All rows of a table (a stream or another model), `layer.name`.
    Scan {
        /// The table.
        table: String,
        /// Its columns.
        schema: SchemaRef,
        /// True when it never takes a row back.
        append_only: bool,
        /// How its columns follow event time.
        times: Times,
    },
    /// Rows that the SQL itself holds.
    Constant {
        /// The rows.
        rows: RecordBatch,
    },
    /// Filter and projection.
    Map {
        /// What it reads.
        input: Box<Op>,
        /// Rows for which it is true pass.
        predicate: Option<Arc<dyn PhysicalExpr>>,
        /// The output's columns over the input's.
        columns: Vec<Arc<dyn PhysicalExpr>>,
        /// The output.
        schema: SchemaRef,
    },
    /// UNION ALL.
    Union {
        /// What it reads.
        inputs: Vec<Op>,
        /// The output.
        schema: SchemaRef,
    },
    /// A row for each element of a list.
    Explode {
        /// What it reads.
        input: Box<Op>,
        /// For each output column the input column that it comes from.
        sources: Vec<usize>,
        /// The input column that holds the lists.
        list: usize,
        /// The output.
        schema: SchemaRef,
    },
    /// GROUP BY and DISTINCT. The first columns of the input are the keys.
    Aggregate {
        /// What it reads.
        input: Box<Op>,
        /// What it computes.
        spec: AggregateSpec,
    },
    /// The first row of each key.
    Dedupe {
        /// What it reads.
        input: Box<Op>,
        /// Which.
        spec: DedupeSpec,
    },
    /// Window functions.
    Over {
        /// What it reads.
        input: Box<Op>,
        /// Which.
        spec: OverSpec,
    },
    /// Equi-join.
    Join {
        /// Left side.
        left: Box<Op>,
        /// Right side.
        right: Box<Op>,
        /// By what.
        spec: EquiJoinSpec,
    },
}

/// How a model is kept up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// Filters, projections and unions of rows that only come.
    Append,
    /// GROUP BY with a key that follows event time: a window, a day.
    Window,
    /// GROUP BY or DISTINCT without such a key.
    Aggregate,
    /// A join.
    Join,
    /// Something whose result splits by a key, such as de-duplication.
    Keyed,
    /// A full query on a timer.
    Refresh,
}

impl Strategy {
    /// The word that `sluice plan` shows.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::Append => "append",
            Strategy::Window => "window",
            Strategy::Aggregate => "aggregate",
            Strategy::Join => "join",
            Strategy::Keyed => "keyed",
            Strategy::Refresh => "refresh",
        }
    }
}

/// How often a table's rows are taken back, which decides how the table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retractions {
    /// Never.
    None,
    /// Seldom: a copy of an event that came before the event.
    Rare,
    /// All the time: each change of a group takes its old row back.
    Frequent,
}

impl Op {
    /// The output's columns.
    pub fn schema(&self) -> SchemaRef {
        match self {
            Op::Scan { schema, .. }
            | Op::Map { schema, .. }
            | Op::Union { schema, .. }
            | Op::Explode { schema, .. } => schema.clone(),
            Op::Constant { rows } => rows.schema(),
            Op::Aggregate { spec, .. } => spec.schema.clone(),
            Op::Dedupe { spec, .. } => spec.schema.clone(),
            Op::Over { spec, .. } => spec.schema.clone(),
            Op::Join { spec, .. } => spec.schema.clone(),
        }
    }

    /// What it reads directly.
    pub fn inputs(&self) -> Vec<&Op> {
        match self {
            Op::Scan { .. } | Op::Constant { .. } => vec![],
            Op::Map { input, .. }
            | Op::Explode { input, .. }
            | Op::Aggregate { input, .. }
            | Op::Dedupe { input, .. }
            | Op::Over { input, .. } => vec![input],
            Op::Union { inputs, .. } => inputs.iter().collect(),
            Op::Join { left, right, .. } => vec![left, right],
        }
    }

    /// True when the result never takes a row back.
    pub fn append_only(&self) -> bool {
        match self {
            Op::Scan { append_only, .. } => *append_only,
            Op::Constant { .. } => true,
            Op::Map { input, .. } | Op::Explode { input, .. } => input.append_only(),
            Op::Union { inputs, .. } => inputs.iter().all(Op::append_only),
            // A group without aggregates is shown once and never changes while rows only come.
            Op::Aggregate { input, spec, .. } => spec.calls.is_empty() && input.append_only(),
            Op::Dedupe { .. } | Op::Over { .. } => false,
            Op::Join { left, right, spec } => {
                spec.kind == sluice_operators::join::equi::JoinKind::Inner && left.append_only() && right.append_only()
            }
        }
    }

    /// True when a row for which an expression failed may be taken back: of a map whose input takes rows back.
    pub fn rejects_taken_back(&self) -> bool {
        let own = matches!(self, Op::Map { input, .. } if !input.append_only());
        own || self.inputs().into_iter().any(Op::rejects_taken_back)
    }

    /// How often rows are taken back.
    pub fn retractions(&self, of_table: &dyn Fn(&str) -> Retractions) -> Retractions {
        if self.append_only() {
            return Retractions::None;
        }
        let own = match self {
            Op::Scan { table, .. } => return of_table(table),
            Op::Aggregate { .. } => return Retractions::Frequent,
            Op::Over { spec, .. } if spec.changes_rows_before() => return Retractions::Frequent,
            Op::Dedupe { .. } | Op::Over { .. } => Retractions::Rare,
            _ => Retractions::None,
        };
        let frequent = |o: &&Op| o.retractions(of_table) == Retractions::Frequent;
        if self.inputs().iter().any(frequent) {
            return Retractions::Frequent;
        }
        if own == Retractions::None { Retractions::Rare } else { own }
    }

    /// The strategy: that of the most demanding operator.
    pub fn strategy(&self) -> Strategy {
        let own = match self {
            Op::Scan { .. } | Op::Constant { .. } | Op::Map { .. } | Op::Union { .. } | Op::Explode { .. } => {
                Strategy::Append
            }
            Op::Aggregate { spec, .. } if spec.time.is_some() => Strategy::Window,
            Op::Aggregate { .. } => Strategy::Aggregate,
            Op::Dedupe { .. } | Op::Over { .. } => Strategy::Keyed,
            Op::Join { .. } => Strategy::Join,
        };
        self.inputs().into_iter().map(Op::strategy).fold(own, Strategy::max)
    }

    /// The tables that it reads.
    pub fn tables(&self) -> Vec<&str> {
        match self {
            Op::Scan { table, .. } => vec![table],
            _ => self.inputs().into_iter().flat_map(Op::tables).collect(),
        }
    }
}
