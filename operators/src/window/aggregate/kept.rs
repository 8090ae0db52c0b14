//! Aggregates that DataFusion computes: each group keeps its values, in order, and a group that changed is computed again.
//!
//! It is right for every function, at a price: memory for each different value, and time for each value of a group at
//! each barrier at which the group changed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Fields};
use arrow::row::{RowConverter, SortField};
use datafusion::common::ScalarValue;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use sluice_engine::state::SnapshotMode;
use sluice_engine::{Error, Result};

use super::accumulator::{GroupAccumulator, Rows};
use super::saved::{save_each, save_value, saved_bytes, saved_values};

/// What a value takes in a snapshot, about, in bytes.
const SAVED_VALUE_BYTES: usize = 32;

/// Where an argument of a function comes from.
#[derive(Debug, Clone)]
pub enum KeptArgument {
    /// From a field of the struct.
    Field(usize),
    /// It is the same for all rows.
    Constant(ScalarValue),
}

/// A function of DataFusion over values that are kept.
#[derive(Clone)]
pub struct KeptCall {
    /// The function; its arguments and its order are columns in the struct's fields.
    pub function: Arc<AggregateFunctionExpr>,
    /// How the first fields of the struct order the values, one entry for each.
    pub order: Vec<SortOptions>,
    /// The function's arguments.
    pub arguments: Vec<KeptArgument>,
    /// Each value counts once.
    pub distinct: bool,
}

impl fmt::Debug for KeptCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} order={:?} distinct={}", self.function.name(), self.arguments, self.order, self.distinct)
    }
}

/// What a group has of a value.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    count: i64,
    /// A snapshot must tell of it.
    is_unsaved: bool,
}

/// The values of all groups.
pub(super) struct Kept {
    call: KeptCall,
    output_type: DataType,
    converter: RowConverter,
    groups: Vec<BTreeMap<Box<[u8]>, Count>>,
    /// Values that changed since the last snapshot, and perhaps went.
    unsaved: Vec<(u32, Box<[u8]>)>,
    bytes: usize,
}

impl Kept {
    /// For a call whose argument is a struct: the order's columns, then the arguments.
    ///
    /// # Errors
    /// `Config` when a field has no order.
    pub(super) fn new(call: KeptCall, argument: &DataType, output_type: DataType) -> Result<Self> {
        let fields = fields_of(argument)?;
        let option = |i: usize| call.order.get(i).copied().unwrap_or_default();
        let sorted = fields.iter().enumerate();
        let sorted = sorted.map(|(i, f)| SortField::new_with_options(f.data_type().clone(), option(i)));
        let converter = RowConverter::new(sorted.collect())?;
        Ok(Self { call, output_type, converter, groups: vec![], unsaved: vec![], bytes: 0 })
    }

    fn add(&mut self, group: usize, value: &[u8], weight: i64) {
        let values = &mut self.groups[group];
        let is_new = !values.contains_key(value);
        let count = values.entry(value.into()).or_default();
        count.count += weight;
        if !count.is_unsaved {
            count.is_unsaved = true;
            self.unsaved.push((group as u32, value.into()));
        }
        let is_gone = count.count == 0;
        if is_gone {
            values.remove(value);
        }
        match (is_new, is_gone) {
            (true, false) => self.bytes += value.len() + 48,
            (false, true) => self.bytes = self.bytes.saturating_sub(value.len() + 48),
            _ => {}
        }
    }

    /// The function over a group's values.
    fn value_of(&self, group: u32) -> Result<ScalarValue> {
        let failed = |e| Error::data(format!("the aggregate {} failed", self.call.function.name())).because(e);
        let parser = self.converter.parser();
        let copies = |count: i64| if self.call.distinct { i64::from(count > 0) } else { count };
        let values = self.groups[group as usize].iter();
        let values = values.flat_map(|(value, c)| (0..copies(c.count)).map(|_| parser.parse(value)));
        let fields = self.converter.convert_rows(values)?;
        let rows = fields.first().map_or(0, |f| f.len());
        // An accumulator takes the arguments first, then the order.
        let mut columns = Vec::with_capacity(fields.len());
        for argument in &self.call.arguments {
            columns.push(match argument {
                KeptArgument::Field(i) => fields[*i].clone(),
                KeptArgument::Constant(value) => value.to_array_of_size(rows).map_err(failed)?,
            });
        }
        columns.extend_from_slice(&fields[..self.call.order.len()]);
        let mut accumulator = self.call.function.create_accumulator().map_err(failed)?;
        if rows > 0 {
            accumulator.update_batch(&columns).map_err(failed)?;
        }
        accumulator.evaluate().map_err(failed)
    }
}

fn fields_of(argument: &DataType) -> Result<&Fields> {
    match argument {
        DataType::Struct(fields) => Ok(fields),
        other => Err(Error::bug(format!("an aggregate that keeps its values was planned over {other}"))),
    }
}

impl GroupAccumulator for Kept {
    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, BTreeMap::new);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<()> {
        let values = rows.values.and_then(|v| v.as_struct_opt());
        let values = values.ok_or_else(|| Error::bug("an aggregate without its struct of arguments"))?;
        let encoded = self.converter.convert_columns(values.columns())?;
        rows.each(|row, group, weight| self.add(group, encoded.row(row).data(), weight));
        Ok(())
    }

    fn output(&self, groups: &[u32]) -> Result<ArrayRef> {
        let values = groups.iter().map(|g| self.value_of(*g)).collect::<Result<Vec<_>>>()?;
        if values.is_empty() {
            return Ok(arrow::array::new_empty_array(&self.output_type));
        }
        let column = ScalarValue::iter_to_array(values);
        let column = column.map_err(|e| Error::bug("an aggregate gave values of several types").because(e))?;
        Ok(arrow::compute::cast(&column, &self.output_type)?)
    }

    /// For each group the values that changed (all, for a full snapshot) and how often each is there; zero says that the
    /// value went.
    fn save(&mut self, groups: &[u32], mode: SnapshotMode) -> Result<ArrayRef> {
        let mut unsaved = std::mem::take(&mut self.unsaved);
        if mode == SnapshotMode::Full {
            let all = |(g, values): (usize, &BTreeMap<Box<[u8]>, Count>)| {
                values.keys().map(|v| (g as u32, v.clone())).collect::<Vec<_>>()
            };
            unsaved = self.groups.iter().enumerate().flat_map(all).collect();
        }
        unsaved.sort_unstable();
        unsaved.dedup();
        save_each(groups, unsaved.len() * SAVED_VALUE_BYTES, |group, bytes| {
            let first = unsaved.partition_point(|(g, _)| *g < group);
            for (_, value) in unsaved[first..].iter().take_while(|(g, _)| *g == group) {
                let count = self.groups[group as usize].get_mut(value);
                let count = count.map_or(0, |c| {
                    c.is_unsaved = false;
                    c.count
                });
                save_value(count, bytes, |bytes| bytes.extend_from_slice(value));
            }
        })
    }

    fn load(&mut self, groups: &[u32], saved: &ArrayRef, in_chain: bool) -> Result<()> {
        for (group, bytes) in groups.iter().zip(saved_bytes(saved)?.iter().flatten()) {
            for (value, count) in saved_values(bytes) {
                let value = value?;
                let values = &mut self.groups[*group as usize];
                if count == 0 {
                    values.remove(value);
                    continue;
                }
                self.bytes += value.len() + 48;
                values.insert(value.into(), Count { count, is_unsaved: !in_chain });
                if !in_chain {
                    self.unsaved.push((*group, value.into()));
                }
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.bytes + self.groups.capacity() * size_of::<BTreeMap<Box<[u8]>, Count>>()
    }
}
