//! Reading a YAML file of the project into JSON values, with the line of a syntax error.

use serde_json::Value as Json;

use super::error::ProjectError;
use super::values::yaml_to_json;

/// Parses a YAML file; an empty one gives null. Anchors and `<<` merges are resolved.
///
/// # Errors
/// The syntax error, with its line.
pub(super) fn parse(file: &str, text: &str) -> Result<Json, ProjectError> {
    let mut value: serde_norway::Value = if text.trim().is_empty() {
        serde_norway::Value::Null
    } else {
        serde_norway::from_str(text).map_err(|e| fault(file, &e))?
    };
    value.apply_merge().map_err(|e| fault(file, &e))?;
    Ok(yaml_to_json(value))
}

fn fault(file: &str, error: &serde_norway::Error) -> ProjectError {
    let mut text = error.to_string();
    if let Some(at) = text.find(" at line ") {
        text.truncate(at);
    }
    ProjectError {
        file: file.to_owned(),
        line: error.location().map(|place| place.line()),
        what: format!("not valid YAML: {text}"),
        way_out: "check indentation, colons and quotes here and in the line above".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A syntax error names its line.
    #[test]
    fn syntax_error_has_its_line() {
        let error =
            parse("models/schema.yml", "models:\n  - name: a\n    columns: [x\n  - name: b\n").unwrap_err().to_string();
        assert!(error.starts_with("models/schema.yml:4: not valid YAML: "), "{error}");
        assert!(error.ends_with("check indentation, colons and quotes here and in the line above"), "{error}");
    }

    /// A key that is written twice is an error, not a silent choice.
    #[test]
    fn duplicate_key() {
        let error = parse("a.yml", "a: 1\nb: 2\na: 3\n").unwrap_err().to_string();
        assert!(error.contains("duplicate entry") && error.contains("\"a\""), "{error}");
    }

    /// Merges are resolved, and an empty file is null.
    #[test]
    fn merges_and_emptiness() {
        let json = parse("a.yml", "base: &b {x: 1}\nmore: {<<: *b, y: 2}\n").unwrap();
        assert_eq!(json["more"], serde_json::json!({"y": 2, "x": 1}));
        assert_eq!(parse("a.yml", " \n").unwrap(), Json::Null);
    }
}
