//! Renders the project's Jinja with dbt's functions and macros.

mod adapter;
pub(super) mod blocks;
mod fault;
mod functions;
mod macros;
mod mutable;
mod python;
mod registry;
pub(super) mod session;

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value as Json;

use super::error::{Faults, ProjectError};
use super::values::{Config, jinja_to_json};
use adapter::Adapter;
use functions::Vars;
use macros::{IfThere, Namespace, Package};
use registry::{BUILT_IN_PACKAGES, Registry};
use session::{Recorded, Session};

/// Looks up an environment variable.
pub(super) type EnvVars = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The schema of nodes that have no `schema` config; templates see it as `target.schema`.
pub(super) const DEFAULT_SCHEMA: &str = "default";

/// The packages that sluice brings: name, file name for errors, text.
const BUILT_IN: [(&str, &str, &str); 4] = [
    ("dbt", "dbt (built in)", include_str!("library/dbt.sql")),
    ("dbt", "dbt tests (built in)", include_str!("library/dbt_tests.sql")),
    ("dbt_utils", "dbt_utils (built in)", include_str!("library/dbt_utils.sql")),
    ("dbt_utils", "dbt_utils tests (built in)", include_str!("library/dbt_utils_tests.sql")),
];

const NEEDS_TABLES: &str = "it asks a database for the rows of a table, and models are rendered before any table has \
                            rows; write them out, or pass them as vars";

/// What `dbt_utils` has and sluice cannot have.
const UNSUPPORTED: [(&str, &str); 8] = [
    ("get_column_values", NEEDS_TABLES),
    ("get_single_value", NEEDS_TABLES),
    ("get_query_results_as_dict", NEEDS_TABLES),
    ("get_relations_by_pattern", NEEDS_TABLES),
    ("get_relations_by_prefix", NEEDS_TABLES),
    ("get_tables_by_pattern_sql", NEEDS_TABLES),
    ("get_tables_by_prefix_sql", NEEDS_TABLES),
    ("surrogate_key", "use dbt_utils.generate_surrogate_key"),
];

/// Functions that templates can call, for "did you mean".
const FUNCTIONS: [&str; 15] = [
    "ref",
    "source",
    "config",
    "var",
    "env_var",
    "is_incremental",
    "return",
    "log",
    "print",
    "tojson",
    "fromjson",
    "zip",
    "set",
    "range",
    "namespace",
];

/// A Jinja environment with the macros of the project and of its packages.
pub(super) struct Engine {
    env: Environment<'static>,
    functions: Vec<String>,
    registry: Arc<Registry>,
}

/// What a package gives to templates.
#[derive(Debug, Default)]
pub(super) struct PackageTemplates {
    pub(super) name: String,
    /// The vars that its nodes see.
    pub(super) vars: Config,
    /// Its macro files: path, text.
    pub(super) macros: Vec<(String, String)>,
}

/// A rendered template.
pub(super) struct Rendered {
    pub(super) text: String,
    pub(super) recorded: Recorded,
}

impl Engine {
    /// Builds the environment from the project's package (the first) and the others, and the `dispatch` of
    /// `dbt_project.yml`: where the macros of a package are looked for.
    pub(super) fn new(
        packages: Vec<PackageTemplates>,
        search_orders: HashMap<String, Vec<String>>,
        env_vars: EnvVars,
        faults: &mut Faults,
    ) -> Self {
        let mut env = Environment::new();
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        env.set_debug(true);
        env.set_unknown_method_callback(python::method);
        let root = packages.first().map(|package| package.name.clone()).unwrap_or_default();
        let registry = Arc::new(Registry { root: root.clone(), search_orders, ..Registry::default() });
        let mut vars = Vars { root: root.clone(), ..Vars::default() };
        let mut all: Vec<Package> =
            BUILT_IN_PACKAGES.iter().map(|name| Package { name: (*name).to_owned(), ..Package::default() }).collect();
        for (package, file, text) in BUILT_IN {
            if let Some(package) = all.iter_mut().find(|known| known.name == package) {
                package.add_file((&mut env, &registry), (file, text), IfThere::Fault, faults);
            }
        }
        for PackageTemplates { name, vars: of_package, macros } in packages.into_iter().rev() {
            vars.of_packages.insert(name.clone(), of_package);
            // What sluice brings stays; a package that is installed adds what it has besides.
            let there = all.iter().position(|known| known.name == name);
            let if_there = if there.is_some() { IfThere::Keep } else { IfThere::Fault };
            let at = there.unwrap_or_else(|| {
                all.push(Package { name, ..Package::default() });
                all.len() - 1
            });
            for (file, text) in macros {
                all[at].add_file((&mut env, &registry), (&file, &text), if_there, faults);
            }
        }
        let functions = install_macros(&mut env, all, &registry);
        mutable::install(&mut env);
        functions::install(&mut env, vars, env_vars);
        install_constants(&mut env, &root);
        Engine { env, functions, registry }
    }

    /// What the templates of a session see.
    fn context(&self, session: &Arc<Session>) -> Value {
        let package = if session.package.is_empty() { &self.registry.root } else { &session.package };
        session.context_in(package, Some(self.registry.clone()))
    }

    /// Renders the text of a file.
    ///
    /// # Errors
    /// The first fault of the template, with the file (a macro's file, when it is there) and the line.
    pub(super) fn render(&self, file: &str, source: &str, session: Session) -> Result<Rendered, ProjectError> {
        check_tags(file, source)?;
        let session = Arc::new(session);
        let source = mutable::wrap_values(source);
        let template = self.env.template_from_named_str(file, &source);
        let text = template.and_then(|template| template.render(self.context(&session)));
        let text = text.map_err(|error| fault::explain(&error, file, &self.functions))?;
        Ok(Rendered { text, recorded: session.take_recorded() })
    }

    /// Evaluates one expression, as `ref('x')`.
    ///
    /// # Errors
    /// As [`Engine::render`].
    pub(super) fn evaluate(
        &self,
        file: &str,
        expression: &str,
        session: Session,
    ) -> Result<(Value, Recorded), ProjectError> {
        check_tags(file, &format!("{{{{ {expression} }}}}"))?;
        let session = Arc::new(session);
        let compiled = self.env.compile_expression(expression);
        let value = compiled.and_then(|expression| expression.eval(self.context(&session)));
        let value = value.map_err(|error| {
            let mut fault = fault::explain(&error, file, &self.functions);
            if fault.file == file {
                fault.line = None; // a line of the expression, not of the file
            }
            fault
        })?;
        Ok((value, session.take_recorded()))
    }

    /// Calls a macro with named arguments; gives its text.
    ///
    /// # Errors
    /// As [`Engine::render`].
    pub(super) fn call(
        &self,
        file: &str,
        (package, function): (Option<&str>, &str),
        args: Vec<(String, Value)>,
        session: Session,
    ) -> Result<Rendered, ProjectError> {
        let session = Arc::new(session);
        let args = [Value::from(args.into_iter().collect::<Kwargs>())];
        let state =
            self.env.template_from_named_str(file, "").and_then(|empty| empty.render_captured(self.context(&session)));
        let called = state.and_then(|mut state| {
            state.with_state_mut(|state| match package.map(|package| state.lookup(package).unwrap_or_default()) {
                Some(package) => package.call_method(state, function, &args),
                None => state.lookup(function).unwrap_or_default().call(state, &args),
            })
        });
        let text = called.map_err(|error| fault::explain(&error, file, &self.functions))?.to_string();
        Ok(Rendered { text, recorded: session.take_recorded() })
    }

    /// Renders the texts with Jinja inside of a YAML value, as dbt does; values of the keys in `except` stay.
    ///
    /// # Errors
    /// The first fault, with the file.
    pub(super) fn render_json(
        &self,
        (package, file): (&str, &str),
        json: Json,
        except: &[&str],
    ) -> Result<Json, ProjectError> {
        let place = (package, file);
        Ok(match json {
            Json::String(text) if text.contains("{{") || text.contains("{%") => self.render_scalar(place, &text)?,
            Json::Array(items) => Json::Array(
                items.into_iter().map(|item| self.render_json(place, item, except)).collect::<Result<_, _>>()?,
            ),
            Json::Object(map) => {
                let mut done = Config::new();
                for (key, value) in map {
                    let stays = except.contains(&key.as_str());
                    let value = if stays { value } else { self.render_json(place, value, except)? };
                    done.insert(key, value);
                }
                Json::Object(done)
            }
            other => other,
        })
    }

    /// A text that is one expression keeps the expression's type; any other becomes text.
    fn render_scalar(&self, (package, file): (&str, &str), text: &str) -> Result<Json, ProjectError> {
        let session = Session { package: package.to_owned(), ..Session::default() };
        if let Some(expression) = sole_expression(text) {
            return self.evaluate(file, expression, session).map(|(value, _)| jinja_to_json(&value));
        }
        let mut fault_without_line = |mut fault: ProjectError| {
            fault.line = None;
            fault
        };
        let rendered = self.render(file, text, session).map_err(&mut fault_without_line)?;
        Ok(Json::String(rendered.text))
    }

    /// Whether the project has a macro of its own with this name.
    pub(super) fn has_own(&self, name: &str) -> bool {
        self.registry.of(&self.registry.root, name).is_some()
    }

    /// Whether there is a generic test of this name, with its package when that is given.
    pub(super) fn has_test(&self, package: Option<&str>, name: &str) -> bool {
        self.functions.contains(&test_function(package, name))
    }

    /// All generic tests, as they are named in property files.
    pub(super) fn tests(&self) -> impl Iterator<Item = String> {
        self.functions.iter().filter_map(|name| match name.split_once('.') {
            Some((package, name)) => name.strip_prefix("test_").map(|name| format!("{package}.{name}")),
            None => name.strip_prefix("test_").map(str::to_owned),
        })
    }
}

/// An error when a tag of the text is longer than the parser should be given.
fn check_tags(file: &str, source: &str) -> Result<(), ProjectError> {
    blocks::too_long_tag(source).map_or(Ok(()), |line| {
        let what = format!("a Jinja tag is longer than {} KiB", blocks::TAG_BYTES_MAX >> 10);
        let way_out = "close it where it ends, or move the values into a seed".to_owned();
        Err(ProjectError { file: file.to_owned(), line: Some(line), what, way_out })
    })
}

/// The macro behind a generic test.
pub(super) fn test_function(package: Option<&str>, name: &str) -> String {
    package.map_or_else(|| format!("test_{name}"), |package| format!("{package}.test_{name}"))
}

/// The expression of a text that is `{{ expression }}` and nothing else.
pub(super) fn sole_expression(text: &str) -> Option<&str> {
    let tags = blocks::tags(text);
    let [tag] = &tags[..] else { return None };
    let whole = text[..tag.range.start].trim().is_empty() && text[tag.range.end..].trim().is_empty();
    (whole && tag.kind == blocks::TagKind::Expression).then(|| &text[tag.inner.clone()])
}

/// Makes the macros of dbt and of the project global by their names (the project's win), and packages by theirs.
fn install_macros(env: &mut Environment<'static>, packages: Vec<Package>, registry: &Arc<Registry>) -> Vec<String> {
    let mut functions: Vec<String> = FUNCTIONS.iter().map(|name| (*name).to_owned()).collect();
    let macros = packages.iter().map(|package| (package.name.clone(), package.macros.clone())).collect();
    // Nobody else sets it.
    let _ = registry.packages.set(macros);
    for is_root in [false, true] {
        for package in packages.iter().filter(|package| (package.name == registry.root) == is_root) {
            for (name, value) in &package.macros {
                functions.push(format!("{}.{name}", package.name));
                if is_root || package.name == "dbt" {
                    env.add_global(name.clone(), value.clone());
                    functions.push(name.clone());
                }
            }
        }
    }
    for package in packages {
        let unsupported: &'static [_] = if package.name == "dbt_utils" { &UNSUPPORTED } else { &[] };
        let namespace = Namespace { unsupported, registry: registry.clone(), package };
        env.add_global(namespace.package.name.clone(), Value::from_object(namespace));
    }
    env.add_global("adapter", Value::from_object(Adapter(registry.clone())));
    functions
}

fn install_constants(env: &mut Environment<'static>, project: &str) {
    let target = [("name", "sluice"), ("schema", DEFAULT_SCHEMA), ("type", "spark"), ("profile_name", project)];
    let target = target.into_iter().map(|(key, value)| (key, Value::from(value)));
    env.add_global("target", Value::from_pairs(target.chain([("threads", Value::from(1))])));
    env.add_global("flags", Value::from_pairs([("FULL_REFRESH", false)]));
    env.add_global("project_name", project.to_owned());
    env.add_global("dbt_version", "1.10.0");
    // Python's spellings, which Jinja2 takes too.
    env.add_global("True", true);
    env.add_global("False", false);
    env.add_global("None", ());
}

#[cfg(test)]
mod tests;
