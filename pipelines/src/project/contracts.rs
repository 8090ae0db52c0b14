//! Contracts: the constraints of a model with `contract: {enforced: true}`, checked as data tests.

use serde_json::{Value as Json, json};

use super::models::Compiler;
use super::properties::{NodeEntry, Properties, TestEntry, Tested};
use super::values::{bool_of, text_of, texts_of};

/// Whether a node's configs say that its contract is enforced.
pub(super) fn is_enforced(config: &super::values::Config) -> bool {
    let contract = config.get("contract");
    contract.is_some_and(|contract| contract.get("enforced").unwrap_or(contract) == &Json::Bool(true))
        || contract.and_then(|contract| contract.get("enforced")).and_then(bool_of) == Some(true)
}

/// The tests that constraints are: `not_null` of a column (unless it is tested anyway), and `check`. Those of keys are
/// statements about other tables or whole tables, which Spark does not enforce either.
pub(super) fn tests(compiler: &Compiler<'_>, properties: &Properties) -> Vec<TestEntry> {
    let enforced = compiler.drafts.values().filter(|draft| is_enforced(&draft.config));
    let entries = enforced.filter_map(|draft| Some((draft.name.as_str(), properties.entry_of(draft)?)));
    let mut tests = Vec::new();
    for (name, entry) in entries {
        let tested = |column: &str| {
            let same = |test: &&TestEntry| {
                test.tested == Tested::Node(name.to_owned()) && test.column.as_deref() == Some(column)
            };
            properties.tests.iter().filter(same).any(|test| test.body.to_string().contains("\"not_null\""))
        };
        for column in &entry.columns {
            for constraint in &column.constraints {
                let body = body_of(constraint);
                if body != Some(json!("not_null")) || !tested(&column.name) {
                    let of_column = body == Some(json!("not_null"));
                    let test = |body| test(name, entry, of_column.then_some(column.name.as_str()), body);
                    tests.extend(body.map(test));
                }
            }
        }
        for constraint in &entry.constraints {
            match body_of(constraint) {
                Some(Json::String(not_null)) => {
                    let columns = constraint.get("columns").map(texts_of).unwrap_or_default();
                    let untested = columns.iter().filter(|column| !tested(column));
                    tests.extend(untested.map(|column| test(name, entry, Some(column), not_null.clone().into())));
                }
                Some(body) => tests.push(test(name, entry, None, body)),
                None => {}
            }
        }
    }
    tests
}

/// The generic test that a constraint is.
fn body_of(constraint: &Json) -> Option<Json> {
    match constraint.get("type").and_then(text_of)?.as_str() {
        "not_null" => Some(json!("not_null")),
        "check" => {
            let expression = constraint.get("expression").and_then(text_of)?;
            Some(json!({"dbt_utils.expression_is_true": {"expression": expression}}))
        }
        _ => None,
    }
}

fn test(model: &str, entry: &NodeEntry, column: Option<&str>, body: Json) -> TestEntry {
    TestEntry {
        package: entry.package.clone(),
        tested: Tested::Node(model.to_owned()),
        column: column.map(str::to_owned),
        body,
        origin: entry.origin.clone(),
    }
}
