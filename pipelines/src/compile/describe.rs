//! The columns of a project's tables while it is loaded, for templates that ask for them.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;
use futures::executor::block_on;

use super::streams::{SeedTable, Stream};
use crate::project::{ColumnType, Config, Describe, Described, LoadOptions, Project, ProjectErrors, Seed, SourceTable};
use crate::sql::model::{lower_case, plain};
use crate::sql::session::spark_session;
use crate::sql::{plan_query, types};

/// Loads the project in a folder as [`Project::load_with`] does, with somebody who knows the columns of its tables. `vars` win
/// over those of `dbt_project.yml`.
///
/// # Errors
/// All faults of the project.
pub fn load_project(
    dir: &Path,
    env: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    vars: Config,
) -> Result<Project, ProjectErrors> {
    Project::load_with(dir, env, LoadOptions { vars, describer: Some(Planner::boxed) })
}

/// Plans queries over tables without rows.
struct Planner(SessionContext);

impl Planner {
    fn boxed(schemas: &[String]) -> Box<dyn Describe> {
        let layers: Vec<String> = schemas.iter().map(|s| s.to_lowercase()).collect();
        Box::new(Planner(spark_session(layers.iter().map(String::as_str))))
    }

    fn add(&self, schema: &str, table: &str, columns: &SchemaRef) -> Described {
        let reference = TableReference::partial(schema.to_lowercase(), table.to_lowercase());
        let empty = Arc::new(EmptyTable::new(lower_case(columns)));
        self.0.register_table(reference, empty).map_err(|e| plain(&e))?;
        Ok(described(columns))
    }

    fn schema_of(&self, sql: &str) -> Result<SchemaRef, String> {
        // Tables without rows answer at once: nothing is waited for.
        block_on(plan_query(&self.0, sql)).map(|planned| planned.schema).map_err(|e| e.message)
    }
}

impl Describe for Planner {
    fn source(&mut self, table: &SourceTable) -> Described {
        let said =
            |faults: Vec<crate::project::ProjectError>| faults.first().map_or_else(String::new, |f| f.what.clone());
        let schema = match block_on(Stream::of(table)).map_err(said)? {
            Some(stream) => stream.schema,
            None => declared(table)?,
        };
        self.add(&table.schema, &table.identifier, &schema)
    }

    fn seed(&mut self, seed: &Seed) -> Described {
        let table = SeedTable::of(seed).map_err(|fault| fault.what)?;
        self.add(&seed.schema, &seed.alias, &table.rows.schema())
    }

    fn query(&mut self, schema: &str, table: &str, sql: &str) -> Described {
        let columns = self.schema_of(sql)?;
        self.add(schema, table, &columns)
    }

    fn columns(&mut self, sql: &str) -> Described {
        self.schema_of(sql).map(|schema| described(&schema))
    }
}

/// The columns that a property file declares for a table that is no stream.
fn declared(table: &SourceTable) -> Result<SchemaRef, String> {
    let name = format!("{}.{}", table.source, table.name);
    if table.columns.is_empty() {
        return Err(format!("source \"{name}\" declares no columns"));
    }
    let field = |column: &crate::project::SourceColumn| {
        let data_type = types::parse(&column.data_type)
            .ok_or_else(|| format!("column \"{}\" of source \"{name}\" has no data_type of Spark SQL", column.name))?;
        Ok(Field::new(&column.name, data_type, true))
    };
    Ok(Arc::new(Schema::new(table.columns.iter().map(field).collect::<Result<Vec<_>, String>>()?)))
}

fn described(schema: &Schema) -> Vec<ColumnType> {
    let column =
        |field: &Arc<Field>| ColumnType { name: field.name().clone(), data_type: spark_name(field.data_type()) };
    schema.fields().iter().map(column).collect()
}

/// Spark SQL's name of the type of a table's column.
pub fn spark_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "int".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float32 => "float".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Utf8 => "string".to_owned(),
        DataType::Binary => "binary".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::List(element) => format!("array<{}>", spark_name(element.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                format!("map<{},{}>", spark_name(fields[0].data_type()), spark_name(fields[1].data_type()))
            }
            other => other.to_string(),
        },
        DataType::Struct(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|f| format!("{}:{}", f.name(), spark_name(f.data_type()))).collect();
            format!("struct<{}>", fields.join(","))
        }
        other => match types::stored(other) {
            stored if stored == *other => other.to_string(),
            stored => spark_name(&stored),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of a type means that type.
    #[test]
    fn names_mean_their_types() {
        for name in ["bigint", "decimal(12,2)", "array<struct<a:int,b:timestamp>>", "string", "date", "binary", "float"]
        {
            let parsed = types::parse(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(spark_name(&parsed), name);
        }
    }
}
