//! What one rendering of one template knows and records.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use serde_json::Value as Json;

use super::super::dbt_project::merge;
use super::super::describe::Columns;
use super::super::relation::{Catalog, Relation};
use super::super::values::{Config, json_to_jinja};
use super::registry::Registry;

/// Macros may call macros to this depth (in calls); deeper is taken for an endless recursion.
const MACRO_DEPTH_MAX: usize = 48;

/// The name under which templates carry their session.
const SESSION: &str = "__session";
/// The name under which templates carry their package.
const PACKAGE: &str = "__package";

/// What one rendering knows; templates reach it by the functions of dbt.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// False while refs and configs are collected, true when the SQL is made; templates see it as `execute`.
    pub(crate) execute: bool,
    /// The tables behind `ref` and `source`.
    pub(crate) catalog: Arc<Catalog>,
    /// The columns of tables, for templates that ask for them.
    pub(crate) columns: Columns,
    /// The table of the model that is rendered.
    pub(crate) this: Option<Relation>,
    /// The package of what is rendered; the project's own when empty.
    pub(crate) package: String,
    /// dbt's `model` variable.
    pub(crate) model: Config,
    /// The model's config from `dbt_project.yml` and property files.
    pub(crate) config: Config,
    /// What a unit test replaces.
    pub(crate) overrides: Overrides,
    /// What the templates called; read with [`Session::recorded`].
    pub(crate) record: Mutex<Recorded>,
}

/// What a unit test replaces while its model is rendered.
#[derive(Debug, Default, Clone)]
pub(crate) struct Overrides {
    pub(crate) vars: Config,
    pub(crate) env_vars: HashMap<String, String>,
    /// Results of macros and of `is_incremental`.
    pub(crate) macros: Config,
    /// Ephemeral models that stand as tables, because the test gives their rows.
    pub(crate) tables: HashSet<String>,
}

/// What templates called while they were rendered.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// `ref` calls: package when given, and name.
    pub(crate) refs: Vec<(Option<String>, String)>,
    /// `source` calls: source and table.
    pub(crate) sources: Vec<(String, String)>,
    /// `config(...)` of the model itself.
    pub(crate) config: Config,
    pub(crate) warnings: Vec<String>,
    returned: Option<Value>,
    depth: usize,
}

impl Session {
    /// The session of a running template.
    pub(crate) fn of(state: &State<'_, '_>) -> Result<Arc<Session>, Error> {
        let session = state.lookup(SESSION).and_then(|value| value.downcast_object::<Session>());
        session.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "rendered outside of a session"))
    }

    /// The variables that a template or macro of a package sees: among them are the macros of that package.
    pub(crate) fn context_in(self: &Arc<Self>, package: &str, registry: Option<Arc<Registry>>) -> Value {
        let registry = registry.filter(|registry| registry.root != package);
        Value::from_object(Context { session: self.clone(), package: package.to_owned(), registry })
    }

    /// Access to what was recorded.
    pub(crate) fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out what was recorded.
    pub(crate) fn take_recorded(&self) -> Recorded {
        std::mem::take(&mut *self.recorded())
    }

    /// A config as it is now: what the files say, and what the template has said so far.
    pub(crate) fn config_value(&self, name: &str) -> Option<Json> {
        let one =
            |config: &Config| config.get(name).map(|value| (name.to_owned(), value.clone())).into_iter().collect();
        let mut merged: Config = one(&self.config);
        merge(&mut merged, one(&self.recorded().config));
        merged.remove(name)
    }

    /// Notes that a macro is entered; it is left when the result is dropped.
    pub(crate) fn enter(self: &Arc<Self>, name: &str) -> Result<Entered, Error> {
        let mut recorded = self.recorded();
        if recorded.depth >= MACRO_DEPTH_MAX {
            let text = format!("macros call each other more than {MACRO_DEPTH_MAX} deep, last \"{name}\"");
            return Err(Error::new(ErrorKind::InvalidOperation, text));
        }
        recorded.depth += 1;
        Ok(Entered(self.clone()))
    }

    /// Keeps the value of `return(...)` for the macro that is running.
    pub(crate) fn set_returned(&self, value: Value) {
        self.recorded().returned = Some(value);
    }

    /// The value of `return(...)`, if that is what ended the macro.
    pub(crate) fn take_returned(&self) -> Option<Value> {
        self.recorded().returned.take()
    }
}

impl Object for Session {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// What the templates of one package see; the macros of the project itself are global.
#[derive(Debug)]
struct Context {
    session: Arc<Session>,
    package: String,
    registry: Option<Arc<Registry>>,
}

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let session = &self.session;
        match key.as_str()? {
            SESSION => Some(Value::from_dyn_object(session.clone())),
            PACKAGE => Some(self.package.as_str().into()),
            "execute" => Some(session.execute.into()),
            "model" => Some(Value::from_pairs(session.model.iter().map(|(k, v)| (k.as_str(), json_to_jinja(v))))),
            "this" => session.this.clone().map(Value::from_object),
            name => self.registry.as_ref()?.of(&self.package, name),
        }
    }
}

/// The package of the template that is running.
pub(crate) fn package_of(state: &State<'_, '_>) -> Option<String> {
    state.lookup(PACKAGE)?.as_str().map(str::to_owned)
}

/// A macro that is running.
pub(crate) struct Entered(Arc<Session>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.recorded().depth -= 1;
    }
}
