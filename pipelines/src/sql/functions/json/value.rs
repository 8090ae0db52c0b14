//! A JSON value as it was written, and the way to a part of it.

use super::super::parse;

/// How deep lists and objects may be in each other.
const DEPTH_MAX: usize = 200;

/// A value; numbers as they were written, fields in their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a whole text; none when it is no JSON.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut rest = Rest { text };
        let value = rest.value(0)?;
        rest.skip_blanks();
        rest.text.is_empty().then_some(value)
    }

    /// The value as Spark gives it out: a text without quotes, others as JSON; none for null.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Text(text) => Some(text.clone()),
            other => Some(other.json()),
        }
    }

    /// The value as JSON without blanks.
    pub(super) fn json(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => match number.parse::<f64>() {
                Ok(value) if number.contains(['.', 'e', 'E']) => parse::double_text(value),
                _ => number.clone(),
            },
            Self::Text(text) => quoted(text),
            Self::List(items) => format!("[{}]", items.iter().map(Self::json).collect::<Vec<_>>().join(",")),
            Self::Object(fields) => {
                let fields: Vec<_> = fields.iter().map(|(name, v)| format!("{}:{}", quoted(name), v.json())).collect();
                format!("{{{}}}", fields.join(","))
            }
        }
    }
}

/// A text with quotes.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

struct Rest<'a> {
    text: &'a str,
}

impl Rest<'_> {
    fn skip_blanks(&mut self) {
        self.text = self.text.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, c: char) -> Option<()> {
        self.skip_blanks();
        self.text = self.text.strip_prefix(c)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.skip_blanks();
        match self.text.chars().next()? {
            '{' => self.object(depth),
            '[' => self.list(depth),
            '"' => self.string().map(Json::Text),
            '-' | '0'..='9' => self.number(),
            _ => {
                let words = [("true", Json::Bool(true)), ("false", Json::Bool(false)), ("null", Json::Null)];
                let (word, value) = words.into_iter().find(|(word, _)| self.text.starts_with(word))?;
                self.text = &self.text[word.len()..];
                Some(value)
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        self.take('{')?;
        let mut fields = Vec::new();
        if self.take('}').is_some() {
            return Some(Json::Object(fields));
        }
        loop {
            self.skip_blanks();
            let name = self.string()?;
            self.take(':')?;
            fields.push((name, self.value(depth + 1)?));
            if self.take(',').is_none() {
                self.take('}')?;
                return Some(Json::Object(fields));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Json> {
        self.take('[')?;
        let mut items = Vec::new();
        if self.take(']').is_some() {
            return Some(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take(',').is_none() {
                self.take(']')?;
                return Some(Json::List(items));
            }
        }
    }

    fn number(&mut self) -> Option<Json> {
        let is_part = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        let end = self.text.find(|c| !is_part(c)).unwrap_or(self.text.len());
        let (number, rest) = self.text.split_at(end);
        // What is a number to JSON is one to serde_json, which keeps no digits beyond a double's.
        serde_json::from_str::<serde_json::Value>(number).ok()?;
        self.text = rest;
        Some(Json::Number(number.to_owned()))
    }

    fn string(&mut self) -> Option<String> {
        let rest = self.text.strip_prefix('"')?;
        let mut is_escaped = false;
        let end = rest.char_indices().find_map(|(at, c)| {
            let ends = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            ends.then_some(at)
        })?;
        let raw = &rest[..end];
        self.text = &rest[end + 1..];
        if raw.contains('\\') { serde_json::from_str(&format!("\"{raw}\"")).ok() } else { Some(raw.to_owned()) }
    }
}

/// A step into a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Item(usize),
    All,
}

/// The steps of a path such as `$.a[0].b`; none when it is no path.
pub(super) fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let name = &after[..end];
            if name.is_empty() {
                return None;
            }
            steps.push(if name == "*" { Step::All } else { Step::Field(name.to_owned()) });
            rest = &after[end..];
            continue;
        }
        let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
        let quoted = inside.strip_prefix('\'').and_then(|i| i.strip_suffix('\''));
        steps.push(match (quoted, inside) {
            (Some("*"), _) | (None, "*") => Step::All,
            (Some(name), _) => Step::Field(name.to_owned()),
            (None, index) => Step::Item(index.parse().ok()?),
        });
        rest = after;
    }
    Some(steps)
}

/// What is at the end of a path. Of several, a list; of one, the one.
pub(super) fn found(value: &Json, steps: &[Step]) -> Option<Json> {
    let Some((step, rest)) = steps.split_first() else { return Some(value.clone()) };
    match (step, value) {
        (Step::Field(name), Json::Object(fields)) => found(&fields.iter().find(|(n, _)| n == name)?.1, rest),
        (Step::Item(at), Json::List(items)) => found(items.get(*at)?, rest),
        (Step::All, Json::List(items)) => {
            let mut all: Vec<Json> = items.iter().filter_map(|item| found(item, rest)).collect();
            match all.len() {
                0 => None,
                1 => all.pop(),
                _ => Some(Json::List(all)),
            }
        }
        // A field of a list is that of its elements.
        (Step::Field(_), Json::List(items)) => {
            let mut all: Vec<Json> = items.iter().filter_map(|item| found(item, steps)).collect();
            if all.len() == 1 { all.pop() } else { (!all.is_empty()).then_some(Json::List(all)) }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts that are JSON, as they are written again, and such that are none.
    #[test]
    fn texts() {
        let good = [(r#" { "a" : [ 1 , -2.50, "x\n" ] } "#, r#"{"a":[1,-2.5,"x\n"]}"#), ("true", "true"), ("[]", "[]")];
        for (text, json) in good {
            assert_eq!(Json::read(text).map(|j| j.json()).as_deref(), Some(json));
        }
        for text in ["", "{", "[1,]", "{\"a\":}", "1 2", "tru", "01", "\"a"] {
            assert_eq!(Json::read(text), None, "{text}");
        }
        assert_eq!(Json::read(&"[".repeat(100_000)), None);
    }
}
