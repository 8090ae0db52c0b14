//! dbt's functions: `ref`, `source`, `config`, `var`, `env_var`, `return` and the rest.

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, ObjectRepr, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};

use super::super::nearest::did_you_mean;
use super::super::relation::Relation;
use super::super::values::{Config, jinja_to_json, json_to_jinja, yaml_to_json};
use super::EnvVars;
use super::fault::raise;
use super::session::{Session, package_of};

/// Functions of dbt that ask a database.
const DATABASE_FUNCTIONS: [&str; 5] = ["run_query", "statement", "load_result", "store_result", "get_columns_in_query"];

/// Adds the functions to an environment.
pub(super) fn install(env: &mut Environment<'static>, vars: Vars, env_vars: EnvVars) {
    env.add_function("ref", reference);
    env.add_function("source", source);
    env.add_function("is_incremental", |state: &mut State<'_, '_>| -> Result<Value, Error> {
        let session = Session::of(state)?;
        Ok(session.overrides.macros.get("is_incremental").map_or(Value::from(false), json_to_jinja))
    });
    env.add_function("return", |state: &mut State<'_, '_>, value: Option<Value>| -> Result<Value, Error> {
        Session::of(state)?.set_returned(value.unwrap_or_default());
        Err(raise("return() stands outside of a macro", "use it inside of {% macro %} only"))
    });
    env.add_function("env_var", move |state: &mut State<'_, '_>, name: String, default: Option<Value>| {
        env_var(state, &env_vars, &name, default)
    });
    env.add_function("log", |_: Value, _: Kwargs| "");
    env.add_function("print", |_: Value, _: Kwargs| "");
    env.add_function("tojson", |value: Value| jinja_to_json(&value).to_string());
    env.add_function("fromjson", |text: String| -> Result<Value, Error> {
        let json = serde_json::from_str(&text).map_err(|e| raise(format!("fromjson: {e}"), "give it valid JSON"))?;
        Ok(json_to_jinja(&json))
    });
    env.add_function("zip", |state: &mut State<'_, '_>, lists: Rest<Value>| state.apply_filter("zip", &lists));
    env.add_function("set", |state: &mut State<'_, '_>, list: Value| state.apply_filter("unique", &[list]));
    for name in DATABASE_FUNCTIONS {
        env.add_function(name, move |state: &mut State<'_, '_>, _: Rest<Value>| needs_database(state, name));
    }
    for name in ["as_bool", "as_number", "as_native", "as_text"] {
        env.add_filter(name, |value: Value| value);
    }
    env.add_function("fromyaml", |text: String| -> Result<Value, Error> {
        let yaml = serde_norway::from_str(&text).map_err(|e| raise(format!("fromyaml: {e}"), "give it valid YAML"))?;
        Ok(json_to_jinja(&yaml_to_json(yaml)))
    });
    let originals = [("ref", Value::from_function(reference)), ("source", Value::from_function(source))];
    env.add_global(
        "builtins",
        Value::from_pairs(originals.into_iter().chain([("config", Value::from_object(ConfigCall))])),
    );
    env.add_global("var", Value::from_object(vars));
    env.add_global("config", Value::from_object(ConfigCall));
    env.add_global("exceptions", Value::from_object(Exceptions));
}

/// While refs are collected nothing is there to ask, and dbt gives none; later it is an error.
pub(super) fn needs_database(state: &mut State<'_, '_>, name: &str) -> Result<Value, Error> {
    if !Session::of(state)?.execute {
        return Ok(Value::from(()));
    }
    let way_out = "sluice renders every model before any table exists; write the values out, or pass them as vars";
    Err(raise(format!("{name} needs a database"), way_out))
}

fn reference(state: &mut State<'_, '_>, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    if kwargs.args().next().is_some() {
        return Err(raise("versions of models are not supported", "ref the model by its plain name"));
    }
    let texts: Vec<&str> = args.iter().filter_map(Value::as_str).collect();
    let (package, name) = match texts[..] {
        [name] if args.len() == 1 => (None, name),
        [package, name] if args.len() == 2 => (Some(package.to_owned()), name),
        _ => return Err(raise("ref takes the name of a model", "write ref('model') or ref('package', 'model')")),
    };
    let session = Session::of(state)?;
    session.recorded().refs.push((package, name.to_owned()));
    let mut relation = session.catalog.nodes.get(name).cloned().unwrap_or_else(|| Relation::table("", name));
    if session.overrides.tables.contains(name) {
        relation = relation.as_table();
    }
    Ok(Value::from_object(relation))
}

fn source(state: &mut State<'_, '_>, source: String, table: String) -> Result<Value, Error> {
    let session = Session::of(state)?;
    let key = (source, table);
    let relation = session.catalog.sources.get(&key).cloned().unwrap_or_else(|| Relation::table(&key.0, &key.1));
    session.recorded().sources.push(key);
    Ok(Value::from_object(relation))
}

fn env_var(state: &mut State<'_, '_>, env_vars: &EnvVars, name: &str, default: Option<Value>) -> Result<Value, Error> {
    let session = Session::of(state)?;
    if let Some(value) = session.overrides.env_vars.get(name) {
        return Ok(value.as_str().into());
    }
    let found = env_vars(name).map(Value::from).or(default);
    found.ok_or_else(|| {
        let way_out = format!("set it, or give a default: env_var('{name}', '...')");
        raise(format!("environment variable \"{name}\" is not set"), way_out)
    })
}

/// `var('x', default)`: each package has its own, among them those of the whole project.
#[derive(Debug, Default)]
pub(super) struct Vars {
    /// The project's own package.
    pub(super) root: String,
    pub(super) of_packages: HashMap<String, Config>,
}

impl Vars {
    /// The vars of what is rendered.
    fn of(&self, session: &Session) -> Option<&Config> {
        self.of_packages.get(&session.package).or_else(|| self.of_packages.get(&self.root))
    }

    fn find(&self, session: &Session, here: Option<&str>, name: &str) -> Option<Value> {
        let replaced = session.overrides.vars.get(name);
        // A package's macro that the project calls still knows what its own package says.
        let of_macro = || self.of_packages.get(here?)?.get(name);
        replaced.or_else(|| self.of(session)?.get(name)).or_else(of_macro).map(json_to_jinja)
    }
}

impl Object for Vars {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let name = args.first().and_then(Value::as_str);
        let name = name.ok_or_else(|| raise("var takes the name of a variable", "write var('name', default)"))?;
        let default = args.get(1).map(|default| match default.is_kwargs() {
            true => default.get_attr("default").unwrap_or_default(),
            false => default.clone(),
        });
        let session = Session::of(state)?;
        self.find(&session, package_of(state).as_deref(), name).or(default).ok_or_else(|| {
            let otherwise = format!("set it under vars: in dbt_project.yml, or give a default: var('{name}', ...)");
            let known = self.of(&session).into_iter().flat_map(|vars| vars.keys().map(String::as_str));
            let way_out = did_you_mean(name, known, otherwise);
            raise(format!("var \"{name}\" is not defined"), way_out)
        })
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match (method, args.first().and_then(Value::as_str)) {
            ("has_var", Some(name)) => {
                Ok(self.find(&*Session::of(state)?, package_of(state).as_deref(), name).is_some().into())
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// `config(...)`: records what it is given and renders to nothing; `config.get(...)` reads.
#[derive(Debug)]
struct ConfigCall;

impl Object for ConfigCall {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let session = Session::of(state)?;
        for given in args {
            if given.kind() != ValueKind::Map {
                return Err(raise("config takes named values", "write config(materialized='table', ...)"));
            }
            for key in given.try_iter()? {
                let value = jinja_to_json(&given.get_item(&key)?);
                session.recorded().config.insert(key.to_string().replace('-', "_"), value);
            }
        }
        Ok("".into())
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let session = Session::of(state)?;
        let name = args.first().and_then(Value::as_str).unwrap_or_default();
        let find = |name: &str| session.config_value(name).map(|value| json_to_jinja(&value));
        let default = args.get(1).map(|default| match default.is_kwargs() {
            true => default.get_attr("default").unwrap_or_default(),
            false => default.clone(),
        });
        let none = || default.unwrap_or_else(|| Value::from(()));
        match method {
            "get" => Ok(find(name).unwrap_or_else(none)),
            "meta_get" => {
                let inner = find("meta").and_then(|meta| meta.get_attr(name).ok());
                Ok(inner.filter(|value| !value.is_undefined()).unwrap_or_else(none))
            }
            "require" if session.execute => {
                find(name).ok_or_else(|| raise(format!("config \"{name}\" is required"), "set it in config(...)"))
            }
            "require" => Ok(find(name).unwrap_or_default()),
            "persist_relation_docs" | "persist_column_docs" => Ok(false.into()),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// `exceptions.raise_compiler_error(...)` and `exceptions.warn(...)`.
#[derive(Debug)]
struct Exceptions;

impl Object for Exceptions {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let text = args.first().map(Value::to_string).unwrap_or_default();
        match method {
            "warn" => {
                Session::of(state)?.recorded().warnings.push(text);
                Ok("".into())
            }
            "raise_compiler_error" | "raise_not_implemented" | "raise_parsing_error" => Err(raise(text, "")),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
