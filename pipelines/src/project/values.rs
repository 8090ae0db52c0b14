//! Values of YAML, JSON and Jinja, one turned into another. JSON's is the type in which configs are kept.

use minijinja::value::{Value as Jinja, ValueKind};
use serde_json::{Map, Number, Value as Json};
use serde_norway::Value as Yaml;

/// Config keys and their values, in the order in which they were written.
pub type Config = Map<String, Json>;

/// YAML to JSON: keys become text, tags are dropped, NaN and infinities become null.
pub(super) fn yaml_to_json(yaml: Yaml) -> Json {
    match yaml {
        Yaml::Null => Json::Null,
        Yaml::Bool(b) => Json::Bool(b),
        Yaml::Number(n) => yaml_number(&n),
        Yaml::String(s) => Json::String(s),
        Yaml::Sequence(items) => Json::Array(items.into_iter().map(yaml_to_json).collect()),
        Yaml::Mapping(map) => {
            Json::Object(map.into_iter().map(|(k, v)| (key_text(&yaml_to_json(k)), yaml_to_json(v))).collect())
        }
        Yaml::Tagged(tagged) => yaml_to_json(tagged.value),
    }
}

fn yaml_number(n: &serde_norway::Number) -> Json {
    let whole = n.as_i64().map(Number::from).or_else(|| n.as_u64().map(Number::from));
    whole.or_else(|| n.as_f64().and_then(Number::from_f64)).map_or(Json::Null, Json::Number)
}

fn key_text(key: &Json) -> String {
    text_of(key).unwrap_or_else(|| key.to_string())
}

/// The text of a scalar; `None` for null, lists and maps.
pub(super) fn text_of(json: &Json) -> Option<String> {
    match json {
        Json::String(s) => Some(s.clone()),
        Json::Bool(_) | Json::Number(_) => Some(json.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// A text or a list of texts, as lists; anything else gives none.
pub(super) fn texts_of(json: &Json) -> Vec<String> {
    match json {
        Json::Array(items) => items.iter().filter_map(text_of).collect(),
        other => text_of(other).into_iter().collect(),
    }
}

/// A boolean, also as text in the forms of YAML 1.1 (`yes`, `on`), which dbt reads.
pub(super) fn bool_of(json: &Json) -> Option<bool> {
    match text_of(json)?.to_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Vars as `--vars` has them: a map in YAML (JSON is YAML).
///
/// # Errors
/// In words, when it is no such map.
pub fn parse_vars(text: &str) -> Result<Config, String> {
    let way_out = "write --vars '{name: value}'";
    let yaml = serde_norway::from_str(text).map_err(|e| format!("not valid YAML: {e}; {way_out}"))?;
    match yaml_to_json(yaml) {
        Json::Object(vars) => Ok(vars),
        Json::Null => Ok(Config::new()),
        other => Err(format!("{other} is no map of vars; {way_out}")),
    }
}

/// JSON to Jinja.
pub(super) fn json_to_jinja(json: &Json) -> Jinja {
    match json {
        Json::Null => Jinja::from(()),
        Json::Bool(b) => Jinja::from(*b),
        Json::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(i), _) => Jinja::from(i),
            (None, Some(u)) => Jinja::from(u),
            (None, None) => Jinja::from(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(s) => Jinja::from(s.as_str()),
        Json::Array(items) => items.iter().map(json_to_jinja).collect(),
        Json::Object(map) => Jinja::from_pairs(map.iter().map(|(k, v)| (k.as_str(), json_to_jinja(v)))),
    }
}

/// Jinja to JSON: undefined becomes null, an object without a JSON form its text.
pub(super) fn jinja_to_json(value: &Jinja) -> Json {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => {
            let text = value.to_string();
            let whole =
                text.parse::<i64>().ok().map(Number::from).or_else(|| text.parse::<u64>().ok().map(Number::from));
            let number = whole.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64));
            number.map_or(Json::String(text), Json::Number)
        }
        ValueKind::Seq | ValueKind::Iterable => match value.try_iter() {
            Ok(items) => Json::Array(items.map(|item| jinja_to_json(&item)).collect()),
            Err(_) => Json::Null,
        },
        ValueKind::Map => match value.try_iter() {
            Ok(keys) => Json::Object(
                keys.map(|key| (key.to_string(), value.get_item(&key).map_or(Json::Null, |v| jinja_to_json(&v))))
                    .collect(),
            ),
            Err(_) => Json::Null,
        },
        _ => Json::String(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes from YAML through JSON to Jinja and back is what it was, in its order.
    #[test]
    fn round_trip() {
        let yaml: Yaml = serde_norway::from_str("b: [1, 2.5, -3, true, null, x]\na: {k: v, 7: seven}").unwrap();
        let json = yaml_to_json(yaml);
        assert_eq!(json.to_string(), r#"{"b":[1,2.5,-3,true,null,"x"],"a":{"k":"v","7":"seven"}}"#);
        assert_eq!(jinja_to_json(&json_to_jinja(&json)), json);
    }

    /// Lists may be written as one text, and booleans as YAML 1.1 does.
    #[test]
    fn lenient_readers() {
        assert_eq!(texts_of(&"a".into()), ["a"]);
        assert_eq!(texts_of(&serde_json::json!(["a", 1])), ["a", "1"]);
        assert_eq!(bool_of(&"Yes".into()), Some(true));
        assert_eq!(bool_of(&Json::Bool(false)), Some(false));
        assert_eq!(bool_of(&"maybe".into()), None);
        assert_eq!(parse_vars("a: 1").unwrap(), parse_vars("{\"a\": 1}").unwrap());
        assert_eq!(parse_vars("a").unwrap_err(), "\"a\" is no map of vars; write --vars '{name: value}'");
    }
}
