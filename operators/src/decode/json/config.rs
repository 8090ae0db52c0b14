//! What a decoder is made from, and what is checked of it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field as ArrowField, FieldRef, Schema, SchemaRef};
use thiserror::Error;

/// Name of the column that keeps the fields nobody declared.
pub const RESCUED: &str = "_rescued";

/// Most fields that a decoder takes.
pub const FIELDS_MAX: usize = 10_000;

/// A declared top-level field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its key in the JSON object.
    pub name: String,
    /// Its type: `Boolean`, `Int8` to `Int64`, `Float32`, `Float64`, `Utf8`, `Binary` (base64 in JSON), `Date32`,
    /// `Timestamp(Microsecond, "UTC")`, `Decimal128`, and `List`, `Struct` and `Map` (with `Utf8` keys) of these.
    pub data_type: DataType,
}

/// Why a decoder cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeConfigError {
    /// Two fields have one name.
    #[error("field `{0}` is declared twice; remove one of the declarations")]
    DeclaredTwice(String),
    /// A field has the name of the column that is added.
    #[error("field `{0}` cannot be declared: the decoder keeps undeclared fields under this name; rename it")]
    Reserved(String),
    /// The type cannot be read from JSON.
    #[error("field `{name}`: type {data_type} cannot be read from JSON; declare a simpler one, for instance string")]
    UnsupportedType {
        /// The field.
        name: String,
        /// Its type.
        data_type: DataType,
    },
    /// `projected` has not one entry for each field.
    #[error("{projected} projection marks for {fields} fields; give one for each field")]
    ProjectionLength {
        /// How many marks there are.
        projected: usize,
        /// How many fields there are.
        fields: usize,
    },
    /// There are more than `FIELDS_MAX` fields.
    #[error("{0} fields are declared, more than FIELDS_MAX = {FIELDS_MAX}; declare a map for fields that are data")]
    TooManyFields(usize),
}

/// Checks what can be wrong with the declared fields besides their types.
pub(super) fn check(fields: &[Field], projected: Option<&[bool]>) -> Result<(), DecodeConfigError> {
    if fields.len() > FIELDS_MAX {
        return Err(DecodeConfigError::TooManyFields(fields.len()));
    }
    if let Some(projected) = projected.filter(|projected| projected.len() != fields.len()) {
        return Err(DecodeConfigError::ProjectionLength { projected: projected.len(), fields: fields.len() });
    }
    let mut seen = HashSet::new();
    for field in fields {
        if field.name == RESCUED {
            return Err(DecodeConfigError::Reserved(field.name.clone()));
        }
        if !seen.insert(field.name.as_str()) {
            return Err(DecodeConfigError::DeclaredTwice(field.name.clone()));
        }
        if !decimals_are_possible(&field.data_type) {
            let (name, data_type) = (field.name.clone(), field.data_type.clone());
            return Err(DecodeConfigError::UnsupportedType { name, data_type });
        }
    }
    Ok(())
}

fn decimals_are_possible(data_type: &DataType) -> bool {
    match data_type {
        DataType::Decimal128(precision, scale) => {
            (1..=DECIMAL128_MAX_PRECISION).contains(precision) && (0..=*precision as i16).contains(&i16::from(*scale))
        }
        DataType::List(field) | DataType::Map(field, _) => decimals_are_possible(field.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| decimals_are_possible(field.data_type())),
        _ => true,
    }
}

/// The type with everything in it nullable (except the keys of maps): JSON can leave out anything.
pub(super) fn nullable(data_type: &DataType) -> DataType {
    let child = |field: &FieldRef| {
        Arc::new(ArrowField::clone(field).with_data_type(nullable(field.data_type())).with_nullable(true))
    };
    match data_type {
        DataType::List(item) => DataType::List(child(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(child).collect()),
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else { return data_type.clone() };
            let nullable_but_first = |(at, field): (usize, &FieldRef)| match at {
                0 => Arc::new(ArrowField::clone(field).with_nullable(false)),
                _ => child(field),
            };
            let fields = DataType::Struct(fields.iter().enumerate().map(nullable_but_first).collect());
            DataType::Map(Arc::new(ArrowField::clone(entries).with_data_type(fields).with_nullable(false)), false)
        }
        other => other.clone(),
    }
}

/// The columns that the decoder makes: the wanted fields, and `_rescued`.
pub(super) fn schema(fields: &[Field], is_wanted: impl Fn(usize) -> bool) -> SchemaRef {
    let wanted = fields.iter().enumerate().filter(|(index, _)| is_wanted(*index));
    let declared = wanted.map(|(_, field)| ArrowField::new(&field.name, nullable(&field.data_type), true));
    let rescued = ArrowField::new(RESCUED, DataType::Utf8, true);
    Arc::new(Schema::new(declared.chain([rescued]).collect::<Vec<_>>()))
}
