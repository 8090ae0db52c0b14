//! Reading a configuration field by field, so that each error names the field by its full path.

use serde_json::{Map, Value};

use super::error::SimulatorError;

/// An object of the configuration and the way to it.
pub(super) struct Section<'a> {
    path: String,
    object: &'a Map<String, Value>,
}

impl<'a> Section<'a> {
    /// `path` is the way to the object: empty for the whole configuration.
    pub(super) fn new(path: impl Into<String>, value: &'a Value) -> Result<Self, SimulatorError> {
        let path = path.into();
        match value.as_object() {
            Some(object) => Ok(Self { path, object }),
            None => Err(SimulatorError::config(path, format!("must be an object, not {}", kind(value)))),
        }
    }

    /// The full path of one of its fields.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// An error about one of its fields.
    pub(super) fn error(&self, name: &str, problem: impl Into<String>) -> SimulatorError {
        SimulatorError::config(self.path(name), problem)
    }

    /// Refuses fields that are not in `known`: a misspelt one would be ignored silently.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), SimulatorError> {
        match self.object.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(self.error(name, format!("is not known; there are: {}", known.join(", ")))),
            None => Ok(()),
        }
    }

    fn required(&self, name: &str) -> Result<&'a Value, SimulatorError> {
        self.object.get(name).ok_or_else(|| self.error(name, "is missing"))
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, SimulatorError> {
        let value = self.required(name)?;
        value.as_str().ok_or_else(|| self.error(name, format!("must be a text, not {}", kind(value))))
    }

    pub(super) fn optional_text(&self, name: &str) -> Result<Option<&'a str>, SimulatorError> {
        if self.object.contains_key(name) { self.text(name).map(Some) } else { Ok(None) }
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, SimulatorError> {
        let value = self.required(name)?;
        value.as_bool().ok_or_else(|| self.error(name, format!("must be true or false, not {}", kind(value))))
    }

    /// A number from `least` to `most`, both included.
    pub(super) fn number(&self, name: &str, least: f64, most: f64) -> Result<f64, SimulatorError> {
        let value = self.required(name)?;
        let number =
            value.as_f64().ok_or_else(|| self.error(name, format!("must be a number, not {}", kind(value))))?;
        if (least..=most).contains(&number) {
            Ok(number)
        } else if most == f64::MAX {
            Err(self.error(name, format!("is {number}; it must be {least} or more")))
        } else {
            Err(self.error(name, format!("is {number}; it must be from {least} to {most}")))
        }
    }

    pub(super) fn optional_number(&self, name: &str, least: f64, most: f64) -> Result<Option<f64>, SimulatorError> {
        if self.object.contains_key(name) { self.number(name, least, most).map(Some) } else { Ok(None) }
    }

    /// The objects of a list that must not be empty.
    pub(super) fn list(&self, name: &str) -> Result<Vec<Section<'a>>, SimulatorError> {
        let value = self.required(name)?;
        let list = value.as_array().ok_or_else(|| self.error(name, format!("must be a list, not {}", kind(value))))?;
        if list.is_empty() {
            return Err(self.error(name, "is empty; it needs one entry at least"));
        }
        list.iter().enumerate().map(|(i, item)| Section::new(self.path(&format!("{name}[{i}]")), item)).collect()
    }

    pub(super) fn section(&self, name: &str) -> Result<Section<'a>, SimulatorError> {
        Section::new(self.path(name), self.required(name)?)
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
