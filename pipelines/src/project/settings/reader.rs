//! Reads maps of `sluice.yml` key by key, and notes every key that nobody knows and every value that cannot be.

use std::time::Duration;

use serde_json::Value as Json;

use super::super::error::Faults;
use super::super::lines::line_of_path;
use super::super::nearest::did_you_mean;
use super::super::units::{parse_duration, parse_size};
use super::super::values::{Config, bool_of, text_of};
use super::FILE;

/// One map of the file, with the keys that lead to it.
pub(super) struct Section<'a> {
    text: &'a str,
    path: Vec<String>,
    map: Config,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(text: &'a str, map: Config) -> Self {
        Section { text, path: Vec::new(), map, known: Vec::new() }
    }

    /// The dotted name of a key.
    fn name(&self, key: &str) -> String {
        self.path.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join(".")
    }

    fn line(&self, key: &str) -> Option<usize> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).chain([key]).collect();
        line_of_path(self.text, &path)
    }

    /// Notes a fault of a key.
    pub(super) fn fault(&self, key: &str, what: &str, way_out: &str, faults: &mut Faults) {
        faults.error(FILE, self.line(key), format!("{} {what}", self.name(key)), way_out);
    }

    /// Takes a value; null is as good as none.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Json> {
        self.known.push(key);
        self.map.shift_remove(key).filter(|value| !value.is_null())
    }

    /// Takes a map.
    pub(super) fn section(&mut self, key: &'static str, faults: &mut Faults) -> Option<Section<'a>> {
        match self.take(key)? {
            Json::Object(map) => Some(self.below(key, map)),
            _ => {
                self.fault(key, "is not a map", "write it as key: { ... }", faults);
                None
            }
        }
    }

    /// A map below this one.
    pub(super) fn below(&self, key: &str, map: Config) -> Section<'a> {
        let path = self.path.iter().cloned().chain([key.to_owned()]).collect();
        Section { text: self.text, path, map, known: Vec::new() }
    }

    /// Takes all entries, whatever their names.
    pub(super) fn entries(&mut self) -> Config {
        std::mem::take(&mut self.map)
    }

    /// Takes a text.
    pub(super) fn text(&mut self, key: &'static str, faults: &mut Faults) -> Option<String> {
        self.parsed(key, faults, |value| text_of(value).ok_or_else(|| "is not a text".to_owned()))
    }

    /// Takes a text that must be there.
    pub(super) fn required(&mut self, key: &'static str, example: &str, faults: &mut Faults) -> String {
        let there = self.map.contains_key(key);
        let found = self.text(key, faults);
        if found.is_none() && !there {
            let line = self
                .path
                .last()
                .and_then(|_| line_of_path(self.text, &self.path.iter().map(String::as_str).collect::<Vec<_>>()));
            faults.error(FILE, line, format!("{} is missing", self.name(key)), format!("add {key}: {example}"));
        }
        found.unwrap_or_default()
    }

    /// Takes a boolean.
    pub(super) fn flag(&mut self, key: &'static str, faults: &mut Faults) -> Option<bool> {
        self.parsed(key, faults, |value| bool_of(value).ok_or_else(|| "is not true or false".to_owned()))
    }

    /// Takes a whole number that is not negative.
    pub(super) fn count(&mut self, key: &'static str, faults: &mut Faults) -> Option<u64> {
        self.parsed(key, faults, |value| {
            let number = text_of(value).and_then(|text| text.replace('_', "").parse().ok());
            number.ok_or_else(|| format!("is {value}, and must be a whole number from 0 up"))
        })
    }

    /// Takes a number.
    pub(super) fn number(&mut self, key: &'static str, faults: &mut Faults) -> Option<f64> {
        self.parsed(key, faults, |value| {
            let number = text_of(value).and_then(|text| text.parse::<f64>().ok()).filter(|number| number.is_finite());
            number.ok_or_else(|| format!("is {value}, and must be a number"))
        })
    }

    /// Takes a share from 0 to 1.
    pub(super) fn share(&mut self, key: &'static str, faults: &mut Faults) -> Option<f64> {
        let share = self.number(key, faults)?;
        if !(0.0..=1.0).contains(&share) {
            self.fault(key, &format!("is {share}"), "a share is from 0 to 1", faults);
            return None;
        }
        Some(share)
    }

    /// Takes a duration with its unit.
    pub(super) fn duration(&mut self, key: &'static str, faults: &mut Faults) -> Option<Duration> {
        self.parsed(key, faults, |value| {
            parse_duration(&text_of(value).unwrap_or_default()).map_err(|e| format!("is wrong: {e}"))
        })
    }

    /// Takes a size with its unit, in bytes.
    pub(super) fn size(&mut self, key: &'static str, faults: &mut Faults) -> Option<u64> {
        self.parsed(key, faults, |value| {
            parse_size(&text_of(value).unwrap_or_default()).map_err(|e| format!("is wrong: {e}"))
        })
    }

    fn parsed<T>(
        &mut self,
        key: &'static str,
        faults: &mut Faults,
        parse: impl Fn(&Json) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.take(key)?;
        parse(&value).map_err(|what| self.fault(key, &what, "", faults)).ok()
    }

    /// Ends the reading: what was not taken is unknown.
    pub(super) fn end(self, faults: &mut Faults) {
        for key in self.map.keys() {
            let known = self.known.iter().copied();
            let way_out = did_you_mean(key, known, format!("the keys here are {}", self.known.join(", ")));
            self.fault(key, "is not a known key", &way_out, faults);
        }
    }
}
