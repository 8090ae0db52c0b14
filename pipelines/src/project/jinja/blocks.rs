//! Finds the tags of a Jinja text, and the blocks that dbt cuts out of files (`macro`, `test`, `snapshot`, `docs`).

use std::ops::Range;

/// A tag of Jinja.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) kind: TagKind,
    /// The tag with its braces, in bytes.
    pub(crate) range: Range<usize>,
    /// What is between the braces, without `-`, `+` and blanks, in bytes.
    pub(crate) inner: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TagKind {
    Comment,
    Expression,
    Statement,
}

/// A tag may have this length (in bytes): the Jinja parser follows an expression as deep as it goes.
pub(crate) const TAG_BYTES_MAX: usize = 32 << 10;

/// The line of the first tag that is too long, closed or not.
pub(crate) fn too_long_tag(source: &str) -> Option<usize> {
    let tags = tags(source);
    let long = tags.iter().find(|tag| tag.kind != TagKind::Comment && tag.inner.len() > TAG_BYTES_MAX);
    let rest = tags.last().map_or(0, |tag| tag.range.end);
    let open = || {
        let tail = &source[rest..];
        let start = [tail.find("{{"), tail.find("{%")].into_iter().flatten().min()?;
        (tail.len() - start > TAG_BYTES_MAX).then_some(rest + start)
    };
    long.map(|tag| tag.range.start).or_else(open).map(|start| line_at(source, start))
}

/// All tags of a text in order. Text in `{% raw %}` has none. A tag that is not closed ends the search: the
/// Jinja parser reports it better than this scan could.
pub(crate) fn tags(source: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(tag) = next_tag(source, at) {
        at = tag.range.end;
        if tag.kind == TagKind::Statement && first_word(&source[tag.inner.clone()]) == "raw" {
            at = end_of_raw(source, at);
        }
        found.push(tag);
    }
    found
}

fn next_tag(source: &str, from: usize) -> Option<Tag> {
    let bytes = source.as_bytes();
    let mut start = from;
    let kind = loop {
        start += source.get(start..)?.find('{')?;
        match bytes.get(start + 1) {
            Some(b'#') => break TagKind::Comment,
            Some(b'{') => break TagKind::Expression,
            Some(b'%') => break TagKind::Statement,
            _ => start += 1,
        }
    };
    let end = match kind {
        TagKind::Comment => start + 2 + source[start + 2..].find("#}")? + 2,
        TagKind::Expression => close_of(bytes, start + 2, b'}')?,
        TagKind::Statement => close_of(bytes, start + 2, b'%')?,
    };
    Some(Tag { kind, range: start..end, inner: trimmed(source, start + 2, end - 2) })
}

/// The end of a tag that closes with `closer` and `}`, outside of quotes and of braces.
fn close_of(bytes: &[u8], from: usize, closer: u8) -> Option<usize> {
    let (mut at, mut quote, mut depth) = (from, None, 0usize);
    while at < bytes.len() {
        let byte = bytes[at];
        match quote {
            Some(_) if byte == b'\\' => at += 1,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if byte == b'"' || byte == b'\'' => quote = Some(byte),
            None if byte == closer && bytes.get(at + 1) == Some(&b'}') && depth == 0 => return Some(at + 2),
            None if byte == b'{' => depth += 1,
            None if byte == b'}' => depth = depth.saturating_sub(1),
            None => {}
        }
        at += 1;
    }
    None
}

fn end_of_raw(source: &str, from: usize) -> usize {
    let mut at = from;
    while let Some(tag) = source.get(at..).and_then(|rest| rest.find("{%")).map(|found| at + found) {
        let word = source[tag + 2..].trim_start_matches(['-', '+']).trim_start();
        if first_word(word) == "endraw" {
            return tag;
        }
        at = tag + 2;
    }
    source.len()
}

fn trimmed(source: &str, start: usize, end: usize) -> Range<usize> {
    let text = &source[start..end.max(start)];
    let without = text.strip_prefix(['-', '+']).unwrap_or(text);
    let without = without.strip_suffix(['-', '+']).unwrap_or(without);
    let inner = without.trim();
    if inner.is_empty() {
        return start..start;
    }
    let from = start + (inner.as_ptr() as usize - text.as_ptr() as usize);
    from..from + inner.len()
}

/// The leading identifier of a text.
pub(crate) fn first_word(text: &str) -> &str {
    &text[..text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len())]
}

/// A block `{% kind name ... %} ... {% endkind %}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) kind: String,
    pub(crate) name: String,
    /// The line (from 1) of its opening tag.
    pub(crate) line: usize,
    pub(crate) open: Tag,
    pub(crate) close: Tag,
}

/// A block whose end is missing: its kind, its name and its line.
pub(crate) type Unclosed = (String, String, usize);

/// The blocks of the given kinds; they do not nest.
pub(crate) fn blocks(source: &str, kinds: &[&str]) -> Result<Vec<Block>, Unclosed> {
    let mut found = Vec::new();
    let mut open: Option<(String, String, Tag)> = None;
    for tag in tags(source).into_iter().filter(|tag| tag.kind == TagKind::Statement) {
        let inner = &source[tag.inner.clone()];
        let word = first_word(inner);
        match open.take() {
            None if kinds.contains(&word) => {
                let name = first_word(inner[word.len()..].trim_start()).to_owned();
                open = Some((word.to_owned(), name, tag));
            }
            Some((kind, name, start)) if word.strip_prefix("end") == Some(kind.as_str()) => {
                let line = line_at(source, start.range.start);
                found.push(Block { kind, name, line, open: start, close: tag });
            }
            other => open = other,
        }
    }
    match open {
        Some((kind, name, start)) => Err((kind, name, line_at(source, start.range.start))),
        None => Ok(found),
    }
}

/// The line (from 1) of a byte of a text.
pub(crate) fn line_at(source: &str, byte: usize) -> usize {
    source[..byte].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inners(source: &str) -> Vec<&str> {
        tags(source).into_iter().map(|tag| &source[tag.inner]).collect()
    }

    /// Quotes and braces inside of a tag do not end it, comments and raw text hold none.
    #[test]
    fn finds_tags() {
        let source = "{{ f('}}', {'a': {'b': 1}}) }} { x } {%- set a = \"%}\" -%} {# {{ no }} #}{% raw %}{{ no }}{% endraw %}{{-b-}}";
        assert_eq!(inners(source), ["f('}}', {'a': {'b': 1}})", "set a = \"%}\"", "{{ no }}", "raw", "endraw", "b"]);
        assert_eq!(inners("{{ never closed"), Vec::<&str>::new());
        assert_eq!(inners("{{}} {%%} {{--}}"), ["", "", ""]);
    }

    /// Blocks have their kind, name and line, and the text between their tags.
    #[test]
    fn finds_blocks() {
        let source = "{# {% macro no() %} #}\n{% macro a(x) %}1{% if x %}2{% endif %}{% endmacro %}\n{%- test b(model) -%}3{%- endtest -%}";
        let found = blocks(source, &["macro", "test"]).unwrap();
        let seen: Vec<_> = found.iter().map(|b| (b.kind.as_str(), b.name.as_str(), b.line)).collect();
        assert_eq!(seen, [("macro", "a", 2), ("test", "b", 3)]);
        assert_eq!(&source[found[0].open.range.end..found[0].close.range.start], "1{% if x %}2{% endif %}");
    }

    /// Tags that are too long are found, whether they are closed or not; text and comments may be as long as they are.
    #[test]
    fn finds_long_tags() {
        let long = "x".repeat(TAG_BYTES_MAX + 1);
        assert_eq!(too_long_tag(&format!("\n{{{{ {long} }}}}")), Some(2));
        assert_eq!(too_long_tag(&format!("{{{{ a }}}}\n\n{{% {long}")), Some(3));
        assert_eq!(too_long_tag(&format!("{{# {long} #}} {long} {{{{ a }}}} {long}")), None);
    }

    /// A block without its end is named with its line.
    #[test]
    fn unclosed_block() {
        let error = blocks("\n{% macro a() %}x", &["macro"]).unwrap_err();
        assert_eq!(error, ("macro".to_owned(), "a".to_owned(), 2));
    }
}
