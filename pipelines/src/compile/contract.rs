//! Contracts: the columns that a model must have, against those that its SQL gives.

use datafusion::arrow::datatypes::Schema;

use super::describe::spark_name;
use crate::project::{Column, Model, ProjectError};
use crate::sql::types;

/// What of a model's columns is not as its enforced contract says: one fault, at the first column that differs.
pub(super) fn breach(model: &Model, schema: &Schema) -> Option<ProjectError> {
    if !model.contract_enforced() {
        return None;
    }
    let mut wrong: Vec<(Option<&Column>, String)> = Vec::new();
    for column in &model.columns {
        let found = schema.fields().iter().find(|f| f.name().eq_ignore_ascii_case(&column.name));
        let is = found.map(|field| spark_name(field.data_type()));
        wrong.extend(difference(column, is.as_deref()).map(|text| (Some(column), text)));
    }
    for field in schema.fields() {
        if !model.columns.iter().any(|column| column.name.eq_ignore_ascii_case(field.name())) {
            wrong.push((None, format!("column \"{}\" is not declared", field.name())));
        }
    }
    let (first, _) = wrong.first()?;
    let origin = first.map(|column| column.origin.clone()).or_else(|| model.described.clone()).unwrap_or_default();
    let texts: Vec<&str> = wrong.iter().map(|(_, text)| text.as_str()).collect();
    Some(ProjectError {
        file: if origin.file.is_empty() { model.path.clone() } else { origin.file },
        line: origin.line,
        what: format!("model \"{}\" breaks its contract: {}", model.name, texts.join("; ")),
        way_out: "correct the columns here, or cast in the model".to_owned(),
    })
}

/// How a column differs from what is declared. `is` is its type, when the SQL gives it.
fn difference(column: &Column, is: Option<&str>) -> Option<String> {
    let name = &column.name;
    let Some(declared) = &column.data_type else { return Some(format!("column \"{name}\" has no data_type")) };
    let Some(wanted) = types::parse(declared).map(|data_type| spark_name(&data_type)) else {
        return Some(format!("column \"{name}\" has the data_type \"{declared}\", which Spark SQL does not have"));
    };
    match is {
        None => Some(format!("column \"{name}\" is declared, and the SQL does not give it")),
        Some(is) if is != wanted => Some(format!("column \"{name}\" is {is}, not {declared}")),
        Some(_) => None,
    }
}
