//! GROUPING SETS, ROLLUP and CUBE: each row once for each set, with NULLs for the keys that are not in it.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, CaseExpr, Literal};

use super::aggregate::grouped;
use super::{Lowered, Lowering, Op, Unsupported, arrow_schema, column, physical, unsupported};

/// Grouping sets in one GROUP BY.
const SETS_MAX: usize = 4096;

impl Lowering<'_> {
    pub(super) fn grouping_sets(&self, input: Op, aggregate: &Aggregate, sets: &GroupingSet) -> Lowered {
        let keys: Vec<Expr> = sets.distinct_expr().into_iter().cloned().collect();
        let sets = sets_of(sets, &keys)?;
        let below = input.schema();
        let width = below.fields().len();
        let from = aggregate.input.schema();
        // The sets as a list beside each row, then a row for each set.
        let numbers: Vec<u64> = sets.iter().map(|set| id_of(set, keys.len())).collect();
        if (1..numbers.len()).any(|i| numbers[..i].contains(&numbers[i])) {
            return unsupported("a grouping set that is there twice");
        }
        let id_type = Aggregate::grouping_id_type(keys.len(), 0);
        let value = |n: u64| ScalarValue::UInt64(Some(n)).cast_to(&id_type).map_err(|e| Unsupported(e.to_string()));
        let ids = numbers.iter().map(|n| value(*n)).collect::<Lowered<Vec<_>>>()?;
        let (listed, list_type) = list_of(&ids)?;
        let mut columns: Vec<Arc<dyn PhysicalExpr>> = (0..width).map(|i| column(&below, i)).collect();
        columns.push(Arc::new(Literal::new(listed)));
        let own = || below.fields().iter().map(|f| f.as_ref().clone().with_nullable(true));
        let with_list = own().chain([Field::new("sets", list_type, true)]).collect::<Vec<_>>();
        let with_set = own().chain([Field::new("set", id_type, true)]).collect::<Vec<_>>();
        let schema = Arc::new(Schema::new(with_list));
        let listed = Op::Map { input: Box::new(input), predicate: None, columns, schema };
        let schema = Arc::new(Schema::new(with_set));
        let exploded = Op::Explode {
            input: Box::new(listed),
            sources: (0..=width).collect(),
            list: width,
            schema: schema.clone(),
        };
        let set = column(&schema, width);
        let mut group = Vec::new();
        for (k, key) in keys.iter().enumerate() {
            let with = sets.iter().zip(&ids).filter(|(set, _)| set.contains(&k)).map(|(_, id)| id);
            group.push(only_in(physical(key, from)?, &set, with)?);
        }
        group.push(set);
        let grouped = grouped(exploded, group, aggregate, None)?;
        let below = grouped.schema();
        let columns = (0..below.fields().len()).map(|i| column(&below, i)).collect();
        let schema = arrow_schema(&aggregate.schema);
        Ok(Op::Map { input: Box::new(grouped), predicate: None, columns, schema })
    }
}

/// The sets as indices into the keys.
fn sets_of(sets: &GroupingSet, keys: &[Expr]) -> Lowered<Vec<Vec<usize>>> {
    let place = |e: &Expr| keys.iter().position(|k| k == e);
    let indices = |set: &[Expr]| set.iter().filter_map(place).collect::<Vec<_>>();
    Ok(match sets {
        GroupingSet::GroupingSets(sets) => sets.iter().map(|set| indices(set)).collect(),
        GroupingSet::Rollup(exprs) => (0..=exprs.len()).rev().map(|n| indices(&exprs[..n])).collect(),
        GroupingSet::Cube(exprs) if exprs.len() < SETS_MAX.ilog2() as usize => {
            let all = indices(exprs);
            let chosen = |bits: usize| (0..all.len()).filter(|i| bits >> i & 1 == 1).map(|i| all[i]).collect();
            (0..1usize << all.len()).rev().map(chosen).collect()
        }
        GroupingSet::Cube(_) => return unsupported(format!("a CUBE with more than {SETS_MAX} sets")),
    })
}

/// DataFusion's number of a set: a bit for each key, the first one highest, set where the key is not in the set.
fn id_of(set: &[usize], keys: usize) -> u64 {
    (0..keys).fold(0, |id, key| id << 1 | u64::from(!set.contains(&key)))
}

fn list_of(ids: &[ScalarValue]) -> Lowered<(ScalarValue, DataType)> {
    let values: ArrayRef = ScalarValue::iter_to_array(ids.to_vec()).map_err(|e| Unsupported(e.to_string()))?;
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let list = ListArray::new(field.clone(), OffsetBuffer::from_lengths([values.len()]), values, None);
    Ok((ScalarValue::List(Arc::new(list)), DataType::List(field)))
}

/// The key in rows of these sets, NULL in others.
fn only_in<'a>(
    key: Arc<dyn PhysicalExpr>,
    set: &Arc<dyn PhysicalExpr>,
    with: impl Iterator<Item = &'a ScalarValue>,
) -> Lowered<Arc<dyn PhysicalExpr>> {
    let is = |id: &ScalarValue| {
        let id = Arc::new(Literal::new(id.clone()));
        Arc::new(BinaryExpr::new(set.clone(), Operator::Eq, id)) as Arc<dyn PhysicalExpr>
    };
    let either = |a, b| Arc::new(BinaryExpr::new(a, Operator::Or, b)) as Arc<dyn PhysicalExpr>;
    let never = || Arc::new(Literal::new(ScalarValue::Boolean(Some(false)))) as Arc<dyn PhysicalExpr>;
    let condition = with.map(is).reduce(either).unwrap_or_else(never);
    let case = CaseExpr::try_new(None, vec![(condition, key)], None).map_err(|e| Unsupported(e.to_string()))?;
    Ok(Arc::new(case))
}
