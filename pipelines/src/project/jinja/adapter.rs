//! `adapter`: finds macros for Spark, and knows the columns of tables. Nothing else is there, as there is no database.

use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use super::super::describe::ColumnType;
use super::super::relation::{Relation, quoted};
use super::fault::raise;
use super::functions::needs_database;
use super::registry::Registry;
use super::session::{Session, package_of};

/// dbt's `adapter`.
#[derive(Debug)]
pub(super) struct Adapter(pub(super) Arc<Registry>);

impl Object for Adapter {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let first = args.first().and_then(Value::as_str).unwrap_or_default();
        match method {
            "dispatch" => {
                let named = args.iter().find(|arg| arg.is_kwargs());
                let named = |key: &str| named.and_then(|named| named.get_attr(key).ok());
                let name = named("macro_name").and_then(|name| name.as_str().map(str::to_owned));
                let name = name.unwrap_or_else(|| first.to_owned());
                let given = args.get(1).filter(|arg| !arg.is_kwargs()).cloned().or_else(|| named("macro_namespace"));
                let namespace = given.as_ref().and_then(Value::as_str);
                let here = package_of(state).unwrap_or_else(|| self.0.root.clone());
                self.0
                    .dispatch(&name, namespace, &here)
                    .ok_or_else(|| raise(format!("no macro spark__{name} or default__{name}"), "define one of them"))
            }
            "quote" => Ok(quoted(first).into()),
            "get_columns_in_relation" => columns_of(state, args.first()),
            _ => needs_database(state, &format!("adapter.{method}")),
        }
    }
}

/// The columns of a table; none while refs are collected.
fn columns_of(state: &mut State<'_, '_>, relation: Option<&Value>) -> Result<Value, Error> {
    let session = Session::of(state)?;
    if !session.execute {
        return Ok(Vec::<Value>::new().into());
    }
    let relation = relation.and_then(|relation| relation.downcast_object::<Relation>());
    let Some(relation) = relation else {
        return Err(raise(
            "get_columns_in_relation takes a table",
            "give it ref('model') or source('source', 'table')",
        ));
    };
    let columns = session.columns.of(&relation);
    let columns = columns.map_err(|why| raise(why, "write the columns out, or declare them in a property file"))?;
    Ok(columns.into_iter().map(|column| Value::from_object(Column(column))).collect())
}

/// A column as dbt's adapters give it.
#[derive(Debug)]
struct Column(ColumnType);

impl Column {
    fn is(&self, types: &[&str]) -> bool {
        types.iter().any(|start| self.0.data_type.starts_with(start))
    }
}

impl Object for Column {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "name" | "column" => Some(self.0.name.as_str().into()),
            "quoted" => Some(quoted(&self.0.name).into()),
            "data_type" | "dtype" => Some(self.0.data_type.as_str().into()),
            _ => None,
        }
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, _: &[Value]) -> Result<Value, Error> {
        let integers = ["tinyint", "smallint", "int", "bigint"];
        let floats = ["float", "double"];
        match method {
            "is_string" => Ok(self.is(&["string"]).into()),
            "is_integer" => Ok(self.is(&integers).into()),
            "is_float" => Ok(self.is(&floats).into()),
            "is_numeric" => Ok(self.is(&["decimal"]).into()),
            "is_number" => Ok((self.is(&integers) || self.is(&floats) || self.is(&["decimal"])).into()),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<SparkColumn {} ({})>", self.0.name, self.0.data_type)
    }
}
