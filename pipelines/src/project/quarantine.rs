//! Quarantine: rows that fail a test with `meta: {quarantine: true}` do not go into the model's table but into one beside it,
//! `<model>__quarantine`, with the names of the tests that they fail.
//!
//! It can be done for tests that look at one row: the model's SQL gets their condition, and the table beside it the opposite.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::error::Faults;
use super::node::{DataTest, Materialized, Model, NodeRef};
use super::values::{Config, bool_of, text_of};

/// What is added to the name of a model and of its table.
const SUFFIX: &str = "__quarantine";
/// The column that says which tests a row fails.
const FAILED: &str = "failed_tests";
/// The tests that look at one row.
const ROW_TESTS: [&str; 5] = [
    "not_null",
    "accepted_values",
    "dbt_utils.expression_is_true",
    "dbt_utils.accepted_range",
    "dbt_utils.not_empty_string",
];

/// Sets apart what the tests say; faults are noted.
pub(super) fn set_apart(models: &mut IndexMap<String, Model>, tests: &[DataTest], faults: &mut Faults) {
    let mut conditions: IndexMap<String, Vec<(&str, String)>> = IndexMap::new();
    for test in tests.iter().filter(|test| is_wanted(test)) {
        let place = (test.origin.file.as_str(), test.origin.line);
        let model = match &test.node {
            Some(NodeRef::Model(name)) => models.get(name).filter(|model| model.has_table()),
            _ => None,
        };
        match (model, condition(test)) {
            (Some(model), Some(condition)) => {
                conditions.entry(model.name.clone()).or_default().push((&test.name, condition));
            }
            (None, _) => {
                let what = format!("data test \"{}\" has a quarantine, and tests no model with a table", test.name);
                faults.error(place.0, place.1, what, "test a model, or remove meta.quarantine");
            }
            (_, None) => {
                let what = format!("data test \"{}\" has a quarantine, and does not look at single rows", test.name);
                let way_out = format!("remove meta.quarantine, or test with one of {}", ROW_TESTS.join(", "));
                faults.error(place.0, place.1, what, way_out);
            }
        }
    }
    for (name, conditions) in conditions {
        let Some(model) = models.get_mut(&name) else { continue };
        let apart = beside(model, &conditions);
        let good: Vec<String> = conditions.iter().map(|(_, fails)| format!("not {}", known(fails))).collect();
        model.sql = format!("select * from (\n{}\n) as tested_rows\nwhere {}", model.sql, good.join(" and "));
        if models.contains_key(&apart.name) {
            let what = format!("model \"{}\" has the name of the quarantine of model \"{name}\"", apart.name);
            faults.error(&models[&apart.name].path.clone(), None, what, "rename it");
            continue;
        }
        models.insert(apart.name.clone(), apart);
    }
}

fn is_wanted(test: &DataTest) -> bool {
    test.config.get("meta").and_then(|meta| meta.get("quarantine")).and_then(bool_of) == Some(true)
}

/// A condition that is false where it is NULL.
fn known(condition: &str) -> String {
    format!("coalesce({condition}, false)")
}

/// The model of the rows that fail.
fn beside(model: &Model, conditions: &[(&str, String)]) -> Model {
    let bad: Vec<String> = conditions.iter().map(|(_, fails)| known(fails)).collect();
    let names: Vec<String> =
        conditions.iter().map(|(name, fails)| format!("case when {fails} then '{name}' end")).collect();
    let mut fqn = model.fqn.clone();
    fqn.pop();
    let name = format!("{}{SUFFIX}", model.name);
    fqn.push(name.clone());
    Model {
        sql: format!(
            "select *, concat_ws(', ', {}) as {FAILED} from (\n{}\n) as tested_rows\nwhere {}",
            names.join(", "),
            model.sql,
            bad.join(" or ")
        ),
        alias: format!("{}{SUFFIX}", model.alias),
        description: format!("Rows that model {} does not have, as they fail its tests.", model.name),
        name,
        fqn,
        materialized: Materialized::Table,
        tags: Vec::new(),
        config: Config::new(),
        columns: Vec::new(),
        constraints: Vec::new(),
        described: None,
        ..model.clone()
    }
}

/// The condition under which a row fails a test; none when the test does not look at single rows.
fn condition(test: &DataTest) -> Option<String> {
    let arg = |key: &str| test.args.get(key).and_then(text_of);
    let column = || test.column.clone();
    let fails = match test.kind.as_str() {
        "not_null" => format!("{} is null", column()?),
        "accepted_values" => {
            let quote = test.args.get("quote").and_then(bool_of) != Some(false);
            let values = test.args.get("values").and_then(Json::as_array)?.iter().filter_map(text_of);
            let values = values.map(|value| if quote { format!("'{value}'") } else { value });
            format!("{} not in ({})", column()?, values.collect::<Vec<_>>().join(", "))
        }
        "dbt_utils.expression_is_true" => {
            let of_column = column().map(|column| format!("{column} ")).unwrap_or_default();
            format!("not ({of_column}{})", arg("expression")?)
        }
        "dbt_utils.accepted_range" => {
            let equal = if test.args.get("inclusive").and_then(bool_of) == Some(false) { "" } else { "=" };
            let bound = |sign: &str, key: &str| Some(format!("not {} {sign}{equal} {}", column()?, arg(key)?));
            let bounds: Vec<String> =
                [bound(">", "min_value"), bound("<", "max_value")].into_iter().flatten().collect();
            if bounds.is_empty() { "false".to_owned() } else { bounds.join(" or ") }
        }
        "dbt_utils.not_empty_string" => format!("trim({}) = ''", column()?),
        _ => return None,
    };
    Some(match test.config.get("where").and_then(text_of) {
        Some(asked) => format!("(({asked}) and ({fails}))"),
        None => format!("({fails})"),
    })
}
