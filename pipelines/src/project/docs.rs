//! dbt's docs blocks: `{% docs name %}` in `.md` files, and `{{ doc('name') }}` in descriptions.

use std::collections::HashMap;

use super::error::Faults;
use super::jinja::blocks::{TagKind, blocks, first_word, tags};

/// The docs blocks of a project.
#[derive(Debug, Default)]
pub(super) struct Docs(HashMap<String, String>);

impl Docs {
    /// Adds the blocks of a file.
    pub(super) fn add(&mut self, file: &str, text: &str, faults: &mut Faults) {
        match blocks(text, &["docs"]) {
            Ok(found) => {
                let body = |open: usize, close: usize| text[open..close].trim().to_owned();
                self.0.extend(found.into_iter().map(|b| (b.name, body(b.open.range.end, b.close.range.start))));
            }
            Err((_, name, line)) => {
                faults.warn(file, Some(line), format!("docs block \"{name}\" is not closed with {{% enddocs %}}"));
            }
        }
    }

    /// A description with its `doc(...)` replaced.
    ///
    /// # Errors
    /// The name of a block that is not there.
    pub(super) fn resolve(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut done = 0;
        for tag in tags(text).into_iter().filter(|tag| tag.kind == TagKind::Expression) {
            let inner = &text[tag.inner.clone()];
            if first_word(inner) != "doc" {
                continue;
            }
            let name = inner.split(['"', '\'']).rev().nth(1).unwrap_or_default();
            out.push_str(&text[done..tag.range.start]);
            out.push_str(self.0.get(name).ok_or_else(|| name.to_owned())?);
            done = tag.range.end;
        }
        out.push_str(&text[done..]);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block takes the place of its call; a missing one is named.
    #[test]
    fn resolves_blocks() {
        let mut docs = Docs::default();
        docs.add("models/docs.md", "{% docs id %}\nThe key.\n{% enddocs %}", &mut Faults::default());
        assert_eq!(docs.resolve("x {{ doc('id') }} y {{ doc(\"shop\", \"id\") }}").unwrap(), "x The key. y The key.");
        assert_eq!(docs.resolve("{{ doc('no') }}"), Err("no".to_owned()));
        assert_eq!(docs.resolve("no tags").unwrap(), "no tags");
    }
}
