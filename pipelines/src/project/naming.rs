//! The schema and the table of a node: as its configs say, or as the project's own macros make them of that.

use super::error::Faults;
use super::jinja::session::Session;
use super::jinja::{DEFAULT_SCHEMA, Engine};
use super::values::{Config, json_to_jinja, text_of};

/// The schema and the table's name. `node` is the variable of that name; the node's configs have its `schema` and `alias`.
///
/// Without a macro `generate_schema_name` the config is the schema, not what dbt would make of it and the target's.
pub(super) fn names(
    engine: &Engine,
    (path, name): (&str, &str),
    (node, config): (Config, &Config),
    faults: &mut Faults,
) -> (String, String) {
    let node = json_to_jinja(&serde_json::Value::Object(node));
    let mut made = |function: &str, argument: &str, written: Option<String>, usual: &str| {
        if !engine.has_own(function) {
            return written.unwrap_or_else(|| usual.to_owned());
        }
        let written = written.map_or_else(|| ().into(), minijinja::Value::from);
        let args = vec![(argument.to_owned(), written), ("node".to_owned(), node.clone())];
        let session = Session { execute: true, config: config.clone(), ..Session::default() };
        match engine.call(path, (None, function), args, session) {
            Ok(rendered) if rendered.text.trim().is_empty() => {
                faults.error(path, None, format!("macro {function} gives no name for \"{name}\""), "return one");
                usual.to_owned()
            }
            // What a macro without a branch for no schema makes of it.
            Ok(rendered) if rendered.text.trim() == "None" => usual.to_owned(),
            Ok(rendered) => rendered.text.trim().to_owned(),
            Err(error) => {
                faults.push(error);
                usual.to_owned()
            }
        }
    };
    let text = |key: &str| config.get(key).and_then(text_of);
    let schema = made("generate_schema_name", "custom_schema_name", text("schema"), DEFAULT_SCHEMA);
    let alias = made("generate_alias_name", "custom_alias_name", text("alias"), name);
    (schema, alias)
}
