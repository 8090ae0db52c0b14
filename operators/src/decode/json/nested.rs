//! Columns with columns inside: lists, structs and maps.
//!
//! They are appended to and cut back by the same rules as the others. A child keeps which of its values are there by
//! itself, one `bool` each: nested values are rare.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields};

use super::column::{Column, Scratch, plain_text};
use super::decoder::{DEPTH_MAX, NESTED_VALUES_MAX};
use super::fault::{FaultKind, Parse, fault, unexpected, wrong_type};
use super::scan::{byte, literal, skip_space, skip_value};

/// A column inside another one.
struct Child {
    column: Column,
    valid: Vec<bool>,
    /// Places that one value takes, null or not: more than one in structs.
    places: usize,
}

impl Child {
    fn new(data_type: &DataType) -> Option<Self> {
        Some(Self { column: Column::new(data_type)?, valid: Vec::new(), places: places(data_type) })
    }

    fn len(&self) -> usize {
        self.valid.len()
    }

    /// Appends the value at `at`, which may be null and have white space before it.
    fn append(&mut self, buf: &[u8], at: usize, depth: usize, scratch: &mut Scratch) -> Parse<usize> {
        let at = skip_space(buf, at);
        scratch.nested_values += self.places;
        if scratch.nested_values > NESTED_VALUES_MAX {
            return fault(FaultKind::TooManyValues, at);
        }
        if byte(buf, at) == b'n' {
            let end = literal(buf, at, b"null")?;
            self.append_null();
            return Ok(end);
        }
        match self.column.append(buf, at, depth, scratch) {
            Ok(end) => {
                self.valid.push(true);
                Ok(end)
            }
            Err(fault) => {
                // The innermost comes first: it is what the fault is about.
                scratch.expected_inside.get_or_insert_with(|| self.column.expected());
                Err(fault)
            }
        }
    }

    fn append_null(&mut self) {
        self.column.append_null();
        self.valid.push(false);
    }

    fn truncate(&mut self, rows: usize) {
        self.column.truncate(rows);
        self.valid.truncate(rows);
    }

    fn take(&mut self) -> ArrayRef {
        let valid = std::mem::take(&mut self.valid);
        let nulls = valid.contains(&false).then(|| NullBuffer::new(BooleanBuffer::from(valid)));
        self.column.take(nulls).expect("only top-level columns are skipped")
    }
}

/// A few bytes of JSON (`{}`, `null`) can ask for as many places as a struct has fields.
fn places(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => 1 + fields.iter().map(|field| places(field.data_type())).sum::<usize>(),
        _ => 1,
    }
}

/// Opens an object or array at `at`; gives the position of what comes first inside.
fn open(buf: &[u8], at: usize, depth: usize, bracket: u8) -> Parse<usize> {
    if byte(buf, at) != bracket {
        return wrong_type(buf, at);
    }
    if depth >= DEPTH_MAX {
        return fault(FaultKind::TooDeep, at);
    }
    Ok(skip_space(buf, at + 1))
}

/// Reads the members of the object at `at`: for each, `value` gets its key, unescaped, and the position of its value, and
/// gives the position after it.
fn members(buf: &[u8], at: usize, depth: usize, mut value: impl FnMut(&[u8], usize) -> Parse<usize>) -> Parse<usize> {
    let mut at = open(buf, at, depth, b'{')?;
    if byte(buf, at) == b'}' {
        return Ok(at + 1);
    }
    let mut text = Vec::new();
    loop {
        if byte(buf, at) != b'"' {
            return unexpected(buf, FaultKind::Key, at);
        }
        let (key, end) = plain_text(buf, at, &mut text)?;
        let colon = skip_space(buf, end);
        if byte(buf, colon) != b':' {
            return unexpected(buf, FaultKind::Colon, colon);
        }
        at = skip_space(buf, value(key, colon + 1)?);
        match byte(buf, at) {
            b',' => at = skip_space(buf, at + 1),
            b'}' => return Ok(at + 1),
            _ => return unexpected(buf, FaultKind::CommaOrBrace, at),
        }
    }
}

/// A JSON array of values of one type.
pub(super) struct List {
    item: FieldRef,
    items: Child,
    offsets: Vec<i32>,
}

impl List {
    pub(super) fn new(item: &FieldRef) -> Option<Self> {
        Some(Self { item: item.clone(), items: Child::new(item.data_type())?, offsets: vec![0] })
    }

    pub(super) fn append(&mut self, buf: &[u8], at: usize, depth: usize, scratch: &mut Scratch) -> Parse<usize> {
        let mut at = open(buf, at, depth, b'[')?;
        if byte(buf, at) == b']' {
            self.append_null();
            return Ok(at + 1);
        }
        loop {
            at = skip_space(buf, self.items.append(buf, at, depth + 1, scratch)?);
            match byte(buf, at) {
                b',' => at += 1,
                b']' => break,
                _ => return unexpected(buf, FaultKind::CommaOrBracket, at),
            }
        }
        self.append_null();
        Ok(at + 1)
    }

    /// Ends the list under construction: an empty one, which is also the place of a null, if nothing was appended.
    pub(super) fn append_null(&mut self) {
        self.offsets.push(self.items.len() as i32);
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.items.truncate(self.offsets.last().map_or(0, |end| *end as usize));
    }

    pub(super) fn take(&mut self, nulls: Option<NullBuffer>) -> ArrayRef {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        Arc::new(ListArray::new(self.item.clone(), offset_buffer(offsets), self.items.take(), nulls))
    }
}

fn offset_buffer(offsets: Vec<i32>) -> OffsetBuffer<i32> {
    OffsetBuffer::new(ScalarBuffer::from(offsets))
}

/// A JSON object with declared fields.
pub(super) struct Struct {
    fields: Fields,
    children: Vec<Child>,
    rows: usize,
}

impl Struct {
    /// None also for a struct without fields, which no table format can store.
    pub(super) fn new(fields: &Fields) -> Option<Self> {
        let children = fields.iter().map(|field| Child::new(field.data_type())).collect::<Option<Vec<_>>>()?;
        (!children.is_empty()).then(|| Self { fields: fields.clone(), children, rows: 0 })
    }

    pub(super) fn append(&mut self, buf: &[u8], at: usize, depth: usize, scratch: &mut Scratch) -> Parse<usize> {
        let rows = self.rows;
        let end = members(buf, at, depth, |key, value| {
            match self.fields.iter().position(|field| field.name().as_bytes() == key) {
                Some(index) => {
                    let child = &mut self.children[index];
                    // The last of several fields of one name wins.
                    child.truncate(rows);
                    child.append(buf, value, depth + 1, scratch)
                }
                None => {
                    scratch.has_undeclared = true;
                    skip_value(buf, value, depth + 1)
                }
            }
        })?;
        self.append_null();
        Ok(end)
    }

    /// Ends the struct under construction: fields that were not appended are null.
    pub(super) fn append_null(&mut self) {
        self.children.iter_mut().filter(|child| child.len() == self.rows).for_each(Child::append_null);
        self.rows += 1;
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.children.iter_mut().for_each(|child| child.truncate(rows));
        self.rows = rows;
    }

    pub(super) fn take(&mut self, nulls: Option<NullBuffer>) -> ArrayRef {
        self.rows = 0;
        let children = self.children.iter_mut().map(Child::take).collect();
        Arc::new(StructArray::new(self.fields.clone(), children, nulls))
    }
}

/// A JSON object whose keys are data.
pub(super) struct Map {
    entries: FieldRef,
    fields: Fields,
    keys: Child,
    values: Child,
    offsets: Vec<i32>,
}

impl Map {
    /// Keys must be strings, as they are in JSON.
    pub(super) fn new(entries: &FieldRef) -> Option<Self> {
        let DataType::Struct(fields) = entries.data_type() else { return None };
        let [key, value] = fields.iter().as_slice() else { return None };
        if key.data_type() != &DataType::Utf8 {
            return None;
        }
        Some(Self {
            entries: entries.clone(),
            fields: fields.clone(),
            keys: Child::new(key.data_type())?,
            values: Child::new(value.data_type())?,
            offsets: vec![0],
        })
    }

    pub(super) fn append(&mut self, buf: &[u8], at: usize, depth: usize, scratch: &mut Scratch) -> Parse<usize> {
        let mut seen = HashSet::new();
        let end = members(buf, at, depth, |key, value| {
            // A map holds a key once, and which of two values is meant cannot be known.
            if !seen.insert(key.to_vec()) {
                return fault(FaultKind::DuplicateMapKey, value);
            }
            if let Column::Text(keys) = &mut self.keys.column {
                keys.bytes.extend_from_slice(key);
                keys.end_value();
                self.keys.valid.push(true);
            }
            self.values.append(buf, value, depth + 1, scratch)
        })?;
        self.append_null();
        Ok(end)
    }

    /// Ends the map under construction: an empty one, which is also the place of a null, if nothing was appended.
    pub(super) fn append_null(&mut self) {
        self.offsets.push(self.values.len() as i32);
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        let entries = self.offsets.last().map_or(0, |end| *end as usize);
        self.keys.truncate(entries);
        self.values.truncate(entries);
    }

    pub(super) fn take(&mut self, nulls: Option<NullBuffer>) -> ArrayRef {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        let entries = StructArray::new(self.fields.clone(), vec![self.keys.take(), self.values.take()], None);
        Arc::new(MapArray::new(self.entries.clone(), offset_buffer(offsets), entries, nulls, false))
    }
}
