//! Tables as the rendered SQL names them, and the table behind each `ref` and `source`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

/// The start of the name of the CTE that stands for an ephemeral model, as dbt has it.
const CTE_PREFIX: &str = "__dbt__cte__";

/// A table, or the CTE of an ephemeral model. Shows as SQL: `` `schema`.`table` ``, or the CTE's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) identifier: String,
    /// The name of the ephemeral model that this is.
    pub(super) ephemeral: Option<String>,
}

impl Relation {
    pub(super) fn table(schema: &str, identifier: &str) -> Self {
        Relation { schema: schema.to_owned(), identifier: identifier.to_owned(), ephemeral: None }
    }

    /// The same relation as a table, even when it is ephemeral.
    pub(super) fn as_table(&self) -> Self {
        Relation { ephemeral: None, ..self.clone() }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ephemeral {
            Some(model) => f.write_str(&cte_name(model)),
            None => write!(f, "{}.{}", quoted(&self.schema), quoted(&self.identifier)),
        }
    }
}

/// The name of the CTE that stands for an ephemeral model.
pub(super) fn cte_name(model: &str) -> String {
    format!("{CTE_PREFIX}{model}")
}

/// An identifier in backquotes.
pub(super) fn quoted(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}

impl Object for Relation {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "schema" => Some(self.schema.as_str().into()),
            "identifier" | "name" | "table" => Some(self.identifier.as_str().into()),
            "database" => Some(Value::from(())),
            "type" => Some(if self.ephemeral.is_some() { "cte" } else { "table" }.into()),
            "is_table" => Some(self.ephemeral.is_none().into()),
            "is_view" => Some(false.into()),
            "is_cte" => Some(self.ephemeral.is_some().into()),
            _ => None,
        }
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "render" => Ok(self.to_string().into()),
            "include" => {
                let asked = |part: &str| {
                    let value = args.first().and_then(|kwargs| kwargs.get_attr(part).ok());
                    value.is_none_or(|value| value.is_undefined() || value.is_true())
                };
                let parts = [("schema", &self.schema), ("identifier", &self.identifier)];
                let parts: Vec<String> =
                    parts.into_iter().filter(|(part, _)| asked(part)).map(|(_, name)| quoted(name)).collect();
                Ok(parts.join(".").into())
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// All relations that a template can name.
#[derive(Debug, Default, Clone)]
pub(super) struct Catalog {
    /// Models, seeds and snapshots by their names.
    pub(super) nodes: HashMap<String, Relation>,
    /// Source tables by source and table name.
    pub(super) sources: HashMap<(String, String), Relation>,
}
