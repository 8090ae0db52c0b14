//! Data tests: the generic ones of property files, and the singular ones of the test folder.

use minijinja::value::Value;
use serde_json::Value as Json;

use super::dbt_project::{FolderConfigs, Kind, ProjectFile, merge};
use super::error::Faults;
use super::jinja::session::{Overrides, Recorded};
use super::jinja::sole_expression;
use super::models::Compiler;
use super::nearest::did_you_mean;
use super::node::{DataTest, NodeRef, Origin, Severity};
use super::properties::{TestEntry, Tested as About};
use super::resolve::Reading;
use super::values::{Config, bool_of, json_to_jinja, text_of, texts_of};

/// Keys of a generic test that are configs, not arguments, when they stand beside the arguments.
const CONFIG_KEYS: [&str; 14] = [
    "severity",
    "where",
    "warn_if",
    "error_if",
    "fail_calc",
    "limit",
    "tags",
    "enabled",
    "store_failures",
    "store_failures_as",
    "schema",
    "database",
    "alias",
    "meta",
];

/// The schema of the tables of failing rows, when a test names none.
const AUDIT_SCHEMA: &str = "dbt_test__audit";

/// A generic test, taken apart.
#[derive(Debug, Default)]
struct Written {
    package: Option<String>,
    /// The package of its macro, when the test is written without one.
    macro_package: Option<String>,
    test: String,
    /// A name of its own.
    name: Option<String>,
    args: Config,
    config: Config,
}

/// Makes the data test of an entry; `None` when it is disabled or faulty (the fault is noted).
pub(super) fn generic(entry: &TestEntry, compiler: &Compiler<'_>, faults: &mut Faults) -> Option<DataTest> {
    let Origin { file, line } = &entry.origin;
    let Some(mut written) = take_apart(&entry.body) else {
        let what = format!("this is not a data test: {}", entry.body);
        faults.error(file, *line, what, "write - not_null, or - accepted_values: {values: [...]}");
        return None;
    };
    let (root, own) = (compiler.packages.root(), compiler.packages.named(&entry.package));
    let own = own.unwrap_or(root);
    let mut fqn = own.fqn(file);
    let FolderConfigs { usual: mut config, last } = FolderConfigs::of(root, own, Kind::DataTests, &folders(&mut fqn));
    merge(&mut config, std::mem::take(&mut written.config));
    if config.get("enabled").and_then(bool_of) == Some(false) {
        return None;
    }
    let node = tested_node(entry, compiler)?;
    // A package's own tests come before those of dbt.
    if written.package.is_none() && compiler.engine.has_test(Some(&own.name), &written.test) {
        written.macro_package = Some(own.name.clone());
    }
    let package = written.package.as_deref().or(written.macro_package.as_deref());
    if !compiler.engine.has_test(package, &written.test) {
        let full = written.package.iter().map(|p| format!("{p}.")).collect::<String>() + &written.test;
        let known: Vec<String> = compiler.engine.tests().collect();
        let way_out =
            did_you_mean(&full, known.iter().map(String::as_str), "define it as {% test %} below tests/generic");
        faults.error(file, *line, format!("unknown data test \"{full}\" on \"{node}\""), way_out);
        return None;
    }
    let column = entry.column.clone().or_else(|| written.args.get("column_name").and_then(text_of));
    if let Some(column) = &entry.column {
        written.args.insert("column_name".into(), column.as_str().into());
    }
    let called = call(&written, &config, &node, entry, compiler);
    let (sql, mut recorded) = called
        .map_err(|mut error| {
            error.line = if error.file == *file { *line } else { error.line };
            faults.push(error);
        })
        .ok()?;
    merge(&mut config, std::mem::take(&mut recorded.config));
    merge(&mut config, last);
    let mut depends_on = vec![node.clone()];
    let what = format!("test \"{}\"", written.test);
    let reading = Reading { file, text: "", line: *line, what: &what };
    let read = compiler.names.resolve(&own.name, &recorded, reading, faults);
    depends_on.extend(read.into_iter().filter(|read| *read != node));
    let name = written.name.clone().unwrap_or_else(|| test_name(&written, &node));
    let kind = written.package.map_or_else(|| written.test.clone(), |package| format!("{package}.{}", written.test));
    let sql = compiler.with_ephemerals(&sql, &depends_on, &Overrides::default());
    let tested = Tested { node: Some(node), column, args: written.args, depends_on };
    Some(finish((name, kind, own.name.clone()), tested, sql, config, entry.origin.clone()))
}

/// Makes the singular test of a file of a package.
pub(super) fn singular(
    own: &ProjectFile,
    (path, sql): (&str, &str),
    compiler: &Compiler<'_>,
    faults: &mut Faults,
) -> Option<DataTest> {
    let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".sql").to_owned();
    let folders = FolderConfigs::of(compiler.packages.root(), own, Kind::DataTests, &own.fqn(path));
    let FolderConfigs { usual: mut config, last } = folders;
    let rendered = compiler.engine.render(path, sql, compiler.test_session(&own.name, config.clone()));
    let mut rendered = rendered.map_err(|error| faults.push(error)).ok()?;
    merge(&mut config, std::mem::take(&mut rendered.recorded.config));
    merge(&mut config, last);
    if config.get("enabled").and_then(bool_of) == Some(false) {
        return None;
    }
    let what = format!("test \"{name}\"");
    let reading = Reading { file: path, text: sql, line: None, what: &what };
    let depends_on = compiler.names.resolve(&own.name, &rendered.recorded, reading, faults);
    let sql = compiler.with_ephemerals(rendered.text.trim(), &depends_on, &Overrides::default());
    let origin = Origin { file: path.to_owned(), line: None };
    let tested = Tested { depends_on, ..Tested::default() };
    Some(finish((name, "singular".to_owned(), own.name.clone()), tested, sql, config, origin))
}

/// The folders of a file: all but its own name.
fn folders(fqn: &mut Vec<String>) -> Vec<String> {
    fqn.pop();
    std::mem::take(fqn)
}

/// What a test is about.
#[derive(Default)]
struct Tested {
    node: Option<NodeRef>,
    column: Option<String>,
    args: Config,
    depends_on: Vec<NodeRef>,
}

fn finish(
    (name, kind, package): (String, String, String),
    Tested { node, column, args, depends_on }: Tested,
    sql: String,
    config: Config,
    origin: Origin,
) -> DataTest {
    let text = |key: &str, default: &str| config.get(key).and_then(text_of).unwrap_or_else(|| default.to_owned());
    let warn = text("severity", "error").eq_ignore_ascii_case("warn");
    let (error_if, warn_if) = (text("error_if", "!= 0"), text("warn_if", "!= 0"));
    DataTest {
        severity: if warn { Severity::Warn } else { Severity::Error },
        fail_calc: text("fail_calc", "count(*)"),
        tags: config.get("tags").map(texts_of).unwrap_or_default(),
        limit: config.get("limit").and_then(Json::as_u64),
        stored: stored(&name, &config),
        config,
        name,
        package,
        kind,
        node,
        column,
        args,
        sql,
        error_if,
        warn_if,
        depends_on,
        origin,
    }
}

/// Where failing rows are kept, if they are.
fn stored(name: &str, config: &Config) -> Option<(String, String)> {
    let text = |key: &str| config.get(key).and_then(text_of);
    let wanted = match text("store_failures_as").as_deref() {
        Some(how) => how != "ephemeral",
        None => config.get("store_failures").and_then(bool_of) == Some(true),
    };
    let schema = text("schema").unwrap_or_else(|| AUDIT_SCHEMA.to_owned());
    wanted.then(|| (schema, text("alias").unwrap_or_else(|| name.to_owned())))
}

/// The tested node, when it is in the graph; tests of disabled and unknown models are left out, as by dbt.
fn tested_node(entry: &TestEntry, compiler: &Compiler<'_>) -> Option<NodeRef> {
    let node = match &entry.tested {
        About::Node(name) if compiler.names.models.contains(name) => NodeRef::Model(name.clone()),
        About::Node(name) => NodeRef::Seed(name.clone()),
        About::Source(source, table) => NodeRef::Source { source: source.clone(), table: table.clone() },
    };
    compiler.relation_of(&node).is_some().then_some(node)
}

/// Calls the test's macro: its SQL, and what it and its arguments read.
fn call(
    written: &Written,
    config: &Config,
    node: &NodeRef,
    entry: &TestEntry,
    compiler: &Compiler<'_>,
) -> Result<(String, Recorded), super::error::ProjectError> {
    let file = &entry.origin.file;
    let (mut refs, mut sources) = (Vec::new(), Vec::new());
    let relation = compiler.relation_of(node).cloned().unwrap_or_else(|| super::relation::Relation::table("", ""));
    let model = match config.get("where").and_then(text_of) {
        Some(condition) => {
            let condition =
                compiler.engine.render(file, &condition, compiler.test_session(&entry.package, config.clone()))?.text;
            Value::from(format!("(select * from {relation} where {condition}) dbt_subquery"))
        }
        None => Value::from_object(relation),
    };
    let mut args = vec![("model".to_owned(), model)];
    for (key, value) in &written.args {
        let value = match value.as_str().and_then(expression) {
            Some(expression) => {
                let (value, recorded) = compiler.engine.evaluate(
                    file,
                    expression,
                    compiler.test_session(&entry.package, config.clone()),
                )?;
                refs.extend(recorded.refs);
                sources.extend(recorded.sources);
                value
            }
            None => json_to_jinja(value),
        };
        args.push((key.clone(), value));
    }
    let package = written.package.as_deref().or(written.macro_package.as_deref());
    let function = format!("test_{}", written.test);
    let mut done = compiler.engine.call(
        file,
        (package, &function),
        args,
        compiler.test_session(&entry.package, config.clone()),
    )?;
    done.recorded.refs.extend(refs);
    done.recorded.sources.extend(sources);
    Ok((done.text.trim().to_owned(), done.recorded))
}

/// The expression that an argument stands for: a `ref` or `source`, or what is in `{{ }}`.
fn expression(text: &str) -> Option<&str> {
    let call = text.trim();
    let is_call = ["ref", "source"]
        .iter()
        .any(|name| call.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('(')));
    if is_call { Some(call) } else { sole_expression(text) }
}

/// Takes a generic test apart: `not_null`, `{accepted_values: {values: [..]}}`, or `{test_name: .., ...}`.
fn take_apart(body: &Json) -> Option<Written> {
    let (full, given) = match body {
        Json::String(name) => (name.clone(), Config::new()),
        Json::Object(map) if map.contains_key("test_name") => {
            let mut map = map.clone();
            (map.remove("test_name").and_then(|name| text_of(&name))?, map)
        }
        Json::Object(map) if map.len() == 1 => {
            let (name, args) = map.iter().next()?;
            (name.clone(), args.as_object().cloned().unwrap_or_default())
        }
        _ => return None,
    };
    let (package, test) = match full.split_once('.') {
        Some((package, test)) if package != "dbt" => (Some(package.to_owned()), test.to_owned()),
        Some((_, test)) => (None, test.to_owned()),
        None => (None, full),
    };
    let mut written = Written { package, test, ..Written::default() };
    for (key, value) in given {
        match (key.as_str(), value) {
            ("config", Json::Object(config)) => merge(&mut written.config, config),
            ("arguments", Json::Object(args)) => written.args.extend(args),
            ("name", value) => written.name = text_of(&value),
            ("description", _) => {}
            (key, value) if CONFIG_KEYS.contains(&key) => {
                written.config.insert(key.to_owned(), value);
            }
            (_, value) => {
                written.args.insert(key, value);
            }
        }
    }
    Some(written)
}

/// The name that dbt makes: the test, the node, and the arguments in the order of their names.
fn test_name(written: &Written, node: &NodeRef) -> String {
    let prefix = match (&written.package, node) {
        (Some(package), _) => format!("{package}_"),
        (None, NodeRef::Source { .. }) => "source_".to_owned(),
        (None, _) => String::new(),
    };
    let source = if written.package.is_some() && matches!(node, NodeRef::Source { .. }) { "source_" } else { "" };
    let node = node.to_string().replace('.', "_");
    let mut keys: Vec<&String> = written.args.keys().collect();
    keys.sort();
    let args: Vec<String> =
        keys.into_iter().flat_map(|key| flat(&written.args[key])).map(|arg| cleaned(&arg)).collect();
    format!("{source}{prefix}{}_{node}_{}", written.test, args.join("__"))
}

/// The scalars of an argument.
fn flat(value: &Json) -> Vec<String> {
    match value {
        Json::Array(items) => items.iter().flat_map(flat).collect(),
        Json::Object(map) => map.values().flat_map(flat).collect(),
        Json::Bool(true) => vec!["True".to_owned()], // dbt makes the name from Python's text
        Json::Bool(false) => vec!["False".to_owned()],
        Json::Null => vec!["None".to_owned()],
        other => text_of(other).into_iter().collect(),
    }
}

/// Runs of characters that are no letters, digits or `_` become one `_`.
fn cleaned(text: &str) -> String {
    let mut out = String::new();
    let mut in_gap = false;
    for c in text.chars() {
        let good = c.is_ascii_alphanumeric() || c == '_';
        if good {
            out.push(c);
        } else if !in_gap {
            out.push('_');
        }
        in_gap = !good;
    }
    out
}
