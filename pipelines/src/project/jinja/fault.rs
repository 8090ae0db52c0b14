//! Errors of templates: raised with their way out, and turned into errors of the project.

use std::fmt;

use minijinja::{Error, ErrorKind};

use super::super::error::ProjectError;
use super::super::nearest::did_you_mean;
use super::blocks::first_word;

/// The way out of an error, carried as the error's source.
#[derive(Debug)]
struct WayOut(String);

impl fmt::Display for WayOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WayOut {}

/// What minijinja calls the template of a lone expression.
const EXPRESSION: &str = "<expression>";
/// Variables of dbt that are not there.
const NOT_SUPPORTED: [&str; 9] = [
    "modules",
    "api",
    "graph",
    "run_started_at",
    "invocation_id",
    "selected_resources",
    "thread_id",
    "varargs",
    "kwargs",
];
/// What minijinja says of a call, inside of a macro, of something that is not there.
const NOT_CALLABLE: &str = "value of type undefined is not callable";

/// An error that a function of dbt raises in a template.
pub(super) fn raise(what: impl Into<String>, way_out: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.into()).with_source(WayOut(way_out.into()))
}

/// Turns the error of rendering `file` into one of the project; `functions` are the names that can be called.
pub(super) fn explain(error: &Error, file: &str, functions: &[String]) -> ProjectError {
    let place = error.name().unwrap_or(file).split('#').next().unwrap_or(file);
    let place = if place == EXPRESSION { file } else { place };
    let detail = error.detail().unwrap_or_default();
    let way_out = std::error::Error::source(error).and_then(|source| source.downcast_ref::<WayOut>());
    let (mut what, way_out) = match (error.kind(), way_out) {
        (_, Some(WayOut(way_out))) => (detail.to_owned(), way_out.clone()),
        (ErrorKind::SyntaxError, _) => {
            (format!("jinja syntax error: {detail}"), "check that every tag and block here is closed".to_owned())
        }
        (ErrorKind::UnknownFunction, _) => {
            unknown_macro(detail.split_whitespace().next().unwrap_or_default().trim_matches('`'), functions)
        }
        (ErrorKind::InvalidOperation, _) if detail.contains(NOT_CALLABLE) => {
            unknown_macro(first_word(expression_of(error)), functions)
        }
        (ErrorKind::UndefinedError, _) => {
            let name = detail.split('`').nth(1).unwrap_or_else(|| expression_of(error));
            let way_out = match NOT_SUPPORTED.contains(&first_word(name)) {
                true => "dbt has it, sluice does not",
                false => "set it, or read it with | default(...)",
            };
            (format!("\"{name}\" is not defined"), way_out.to_owned())
        }
        (kind, _) if detail.is_empty() => (format!("jinja error: {kind}"), String::new()),
        (kind, _) => (format!("jinja error: {kind}: {detail}"), String::new()),
    };
    if place != file {
        what = format!("{what} (called from {file})");
    }
    ProjectError { file: place.to_owned(), line: error.line(), what, way_out }
}

fn unknown_macro(name: &str, functions: &[String]) -> (String, String) {
    let names = functions.iter().map(String::as_str);
    (format!("unknown macro \"{name}\""), did_you_mean(name, names, "define it in a file below macro-paths"))
}

/// The text of the expression in which the error arose, as far as it is known.
fn expression_of(error: &Error) -> &str {
    let place = error.template_source().zip(error.range());
    place.and_then(|(source, range)| source.get(range)).unwrap_or_default()
}
