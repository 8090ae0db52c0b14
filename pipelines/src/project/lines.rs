//! Line numbers by text search: the YAML reader gives values without their places.

/// The line (from 1) of the first place at or after line `from` where `needle` stands as a whole word.
pub(super) fn line_of(text: &str, from: usize, needle: &str) -> Option<usize> {
    let skip = from.saturating_sub(1);
    text.lines().enumerate().skip(skip).find(|(_, line)| has_word(line, needle)).map(|(at, _)| at + 1)
}

/// The line of a call, as `ref('x')`: one that has both words, else the first that has the argument in quotes.
pub(super) fn line_of_call(text: &str, function: &str, argument: &str) -> Option<usize> {
    let mut lines = text.lines().enumerate();
    let both = lines.find(|(_, line)| has_word(line, function) && has_word(line, argument)).map(|(at, _)| at + 1);
    let quoted = |quote: char| line_of(text, 1, &format!("{quote}{argument}{quote}"));
    both.or_else(|| quoted('\'')).or_else(|| quoted('"'))
}

/// The line of an entry `name: <name>` (quoted or not, block or flow style) at or after line `from`.
pub(super) fn line_of_name(text: &str, from: usize, name: &str) -> Option<usize> {
    let skip = from.saturating_sub(1);
    text.lines().enumerate().skip(skip).find(|(_, line)| says_name(line, name)).map(|(at, _)| at + 1)
}

/// The line of the key at the end of a path of keys; as far down the path as keys are found.
pub(super) fn line_of_path(text: &str, path: &[&str]) -> Option<usize> {
    let (mut from, mut found) = (1, None);
    for key in path {
        let skip = from - 1;
        let hit = text.lines().enumerate().skip(skip).find(|(_, line)| says_key(line, key));
        let Some((at, _)) = hit else { break };
        from = at + 1;
        found = Some(from);
    }
    found
}

/// Whether a line holds `name: <name>`.
fn says_name(line: &str, name: &str) -> bool {
    let mut rest = line;
    while let Some(at) = rest.find("name:") {
        let whole_key = !rest[..at].ends_with(is_word);
        rest = rest[at + "name:".len()..].trim_start();
        let value = rest.trim_start_matches(['"', '\'']);
        if whole_key && value.strip_prefix(name).is_some_and(|after| !after.starts_with(is_word)) {
            return true;
        }
    }
    false
}

/// Whether a line holds the key `key:`.
fn says_key(line: &str, key: &str) -> bool {
    let code = line.split(" #").next().unwrap_or(line);
    words(code, key).any(|(_, after)| after.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
}

fn has_word(line: &str, needle: &str) -> bool {
    words(line, needle).next().is_some()
}

/// The places of `needle` as a whole word: the text before and after each.
fn words<'a>(line: &'a str, needle: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    line.match_indices(needle)
        .map(move |(at, _)| (&line[..at], &line[at + needle.len()..]))
        .filter(|(before, after)| !before.ends_with(is_word) && !after.starts_with(is_word))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "sources:\n  - name: shop\n    tables:\n      - { name: \"orders\", x: 1 }\n      - name: orders_old\nrun:\n  workers: 2\n";

    /// Names are found in block and in flow style, whole words only, and after a given line.
    #[test]
    fn finds_names() {
        assert_eq!(line_of_name(TEXT, 1, "orders"), Some(4));
        assert_eq!(line_of_name(TEXT, 1, "orders_old"), Some(5));
        assert_eq!(line_of_name(TEXT, 5, "orders"), None);
        assert_eq!(line_of_name(TEXT, 1, "order"), None);
    }

    /// A key is found below its parent, and the parent when the key is not there.
    #[test]
    fn finds_paths() {
        assert_eq!(line_of_path(TEXT, &["run", "workers"]), Some(7));
        assert_eq!(line_of_path(TEXT, &["run", "nothing"]), Some(6));
        assert_eq!(line_of_path(TEXT, &["nothing"]), None);
        assert_eq!(line_of(TEXT, 1, "orders"), Some(4));
    }
}
