//! A table's columns: which Arrow types can be stored, and how a Delta schema comes of them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use arrow::row::{RowConverter, SortField};
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::{StructField, StructType};
use sluice_engine::{Error, Result};

use super::config::WriteMode;

/// Arrow field metadata that becomes the column's comment in the table.
const COMMENT: &str = "comment";

/// The columns of a table, in the types that are stored.
#[derive(Debug)]
pub(super) struct TableSchema {
    /// All columns, in the model's order.
    pub(super) table: SchemaRef,
    /// The same for the log.
    pub(super) delta: StructType,
    /// Which columns files are divided by.
    pub(super) partition: Vec<usize>,
    /// The other columns: those that are in the files.
    pub(super) data: Vec<usize>,
    /// The columns in the files.
    pub(super) file: SchemaRef,
    /// Which columns tell rows apart.
    pub(super) key: Vec<usize>,
}

impl TableSchema {
    pub(super) fn new(schema: &Schema, partition_by: &[String], key: &[String], mode: WriteMode) -> Result<Self> {
        check_names(schema)?;
        let fields = schema.fields().iter().map(stored_field).collect::<Result<Vec<_>>>()?;
        let table: SchemaRef = Arc::new(Schema::new(fields));
        let delta: StructType = table
            .as_ref()
            .try_into_kernel()
            .map_err(|e| Error::config("the columns do not make a delta schema").because(e))?;
        let partition = positions(&table, partition_by, "partition_by")?;
        for &i in &partition {
            check_partition_type(table.field(i))?;
        }
        let key = positions(&table, key, "key")?;
        let data: Vec<usize> = (0..table.fields().len()).filter(|i| !partition.contains(i)).collect();
        if data.is_empty() {
            return Err(Error::config("every column is a partition column; leave one for the files to hold"));
        }
        let file = Arc::new(table.project(&data)?);
        if mode != WriteMode::Append {
            check_comparable(&table)?;
        }
        Ok(Self { table, delta, partition, data, file, key })
    }

    /// Rows in the stored types. Cheap when they are in them already.
    pub(super) fn conform(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        if rows.num_columns() != self.table.fields().len() {
            return Err(Error::bug(format!(
                "{} columns came for a table of {}",
                rows.num_columns(),
                self.table.fields().len()
            )));
        }
        let columns =
            rows.columns().iter().zip(self.table.fields()).map(|(c, f)| stored(c, f)).collect::<Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new(self.table.clone(), columns)?)
    }
}

fn stored(column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    if column.data_type() == field.data_type() {
        return Ok(column.clone());
    }
    // An overflow is an error here and not a null: the table must hold what came.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, field.data_type(), &options).map_err(|e| {
        Error::data(format!("column \"{}\" cannot be stored as {}", field.name(), field.data_type())).because(e)
    })
}

fn stored_field(field: &FieldRef) -> Result<Field> {
    let data_type = stored_type(field.data_type()).map_err(|why| {
        Error::config(format!(
            "column \"{}\" of type {} cannot be stored: {why}; cast it in the model",
            field.name(),
            field.data_type()
        ))
    })?;
    let stored = Field::new(field.name(), data_type, true);
    Ok(match field.metadata().get(COMMENT) {
        Some(comment) => stored.with_metadata([(COMMENT.to_string(), comment.clone())].into()),
        None => stored,
    })
}

/// The type that a column has in the table. Names of list elements and map entries are Delta's.
fn stored_type(data_type: &DataType) -> Result<DataType, &'static str> {
    use DataType::{
        Binary, BinaryView, Boolean, Date32, Decimal32, Decimal64, Decimal128, Dictionary, Float32, Float64, Int8,
        Int16, Int32, Int64, LargeBinary, LargeList, LargeUtf8, List, Map, Struct, Timestamp, Utf8, Utf8View,
    };
    Ok(match data_type {
        Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Boolean | Date32 | Utf8 | Binary => data_type.clone(),
        Utf8View | LargeUtf8 => Utf8,
        BinaryView | LargeBinary => Binary,
        Dictionary(_, values) => stored_type(values)?,
        Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) if *s >= 0 => Decimal128(*p, *s),
        Timestamp(TimeUnit::Nanosecond, _) => return Err("nanoseconds would be lost"),
        Timestamp(_, None) => return Err("it has no time zone, and tables hold moments (UTC)"),
        Timestamp(_, Some(zone)) if is_utc(zone) => Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Timestamp(_, Some(_)) => return Err("only the time zone UTC is stored"),
        List(item) | LargeList(item) => List(Arc::new(Field::new("element", stored_type(item.data_type())?, true))),
        Struct(fields) => Struct(stored_fields(fields)?),
        Map(entries, _) => {
            let Struct(pair) = entries.data_type() else { return Err("its entries are not pairs") };
            let [key, value] = pair.as_ref() else { return Err("its entries are not pairs") };
            let key = Field::new("key", stored_type(key.data_type())?, false);
            let value = Field::new("value", stored_type(value.data_type())?, true);
            Map(Arc::new(Field::new("key_value", Struct(vec![key, value].into()), false)), false)
        }
        _ => return Err("delta has no such type"),
    })
}

fn stored_fields(fields: &Fields) -> Result<Fields, &'static str> {
    fields.iter().map(|f| Ok(Field::new(f.name(), stored_type(f.data_type())?, true))).collect()
}

fn is_utc(zone: &str) -> bool {
    zone.eq_ignore_ascii_case("utc") || zone == "+00:00" || zone == "Z"
}

fn check_names(schema: &Schema) -> Result<()> {
    if schema.fields().is_empty() {
        return Err(Error::config("a table needs at least one column"));
    }
    let mut seen = HashSet::new();
    for field in schema.fields() {
        let name = field.name();
        if name.is_empty() || name.contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=']) {
            return Err(Error::config(format!(
                "column \"{name}\" has a name that delta does not allow; rename it without spaces and , ; {{ }} ( ) ="
            )));
        }
        if !seen.insert(name.to_lowercase()) {
            return Err(Error::config(format!("column \"{name}\" is there twice (case does not count); rename one")));
        }
    }
    Ok(())
}

fn positions(schema: &Schema, names: &[String], what: &str) -> Result<Vec<usize>> {
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let i = schema.index_of(name).map_err(|_| {
            let columns: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            Error::config(format!(
                "{what} names column \"{name}\", which is not there; there are {}",
                columns.join(", ")
            ))
        })?;
        if found.contains(&i) {
            return Err(Error::config(format!("{what} names column \"{name}\" twice")));
        }
        found.push(i);
    }
    Ok(found)
}

fn check_partition_type(field: &Field) -> Result<()> {
    let ok = matches!(
        field.data_type(),
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Utf8
            | DataType::Boolean
            | DataType::Date32
            | DataType::Timestamp(..)
            | DataType::Decimal128(..)
    );
    if ok {
        return Ok(());
    }
    Err(Error::config(format!(
        "column \"{}\" of type {} cannot divide files; partition by a date, a string or a whole number",
        field.name(),
        field.data_type()
    )))
}

fn check_comparable(schema: &Schema) -> Result<()> {
    for field in schema.fields() {
        if !RowConverter::supports_fields(&[SortField::new(field.data_type().clone())]) {
            return Err(Error::config(format!(
                "column \"{}\" of type {} cannot be compared, so rows of this table cannot be taken back; leave it out",
                field.name(),
                field.data_type()
            )));
        }
    }
    Ok(())
}

/// How the columns of a table that is there differ from those of the model.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SchemaChange {
    /// They do not.
    None,
    /// The model has more columns at its end.
    Added(Vec<String>),
    /// They do not fit: one line for each difference.
    Misfit(Vec<String>),
}

/// Compares the model's columns with those of the table that is there.
pub(super) fn compare(model: &StructType, there: &StructType) -> SchemaChange {
    let model: Vec<&StructField> = model.fields().collect();
    let there: Vec<&StructField> = there.fields().collect();
    let mut misfits = Vec::new();
    for column in &there {
        match model.iter().find(|m| m.name() == column.name()) {
            None => misfits.push(format!(
                "column \"{}\" {} is in the table and not in the model",
                column.name(),
                column.data_type()
            )),
            Some(m) if m.data_type() != column.data_type() => misfits.push(format!(
                "column \"{}\" is {} in the table and {} in the model",
                column.name(),
                column.data_type(),
                m.data_type()
            )),
            Some(_) => {}
        }
    }
    let added: Vec<String> =
        model.iter().filter(|m| !there.iter().any(|t| t.name() == m.name())).map(|m| m.name().to_string()).collect();
    let in_order = there.iter().zip(&model).all(|(t, m)| t.name() == m.name());
    if misfits.is_empty() && !in_order {
        let order: Vec<&str> = there.iter().map(|t| t.name().as_str()).collect();
        misfits.push(format!("the table's columns come in another order ({})", order.join(", ")));
    }
    if !misfits.is_empty() {
        SchemaChange::Misfit(misfits)
    } else if added.is_empty() {
        SchemaChange::None
    } else {
        SchemaChange::Added(added)
    }
}
