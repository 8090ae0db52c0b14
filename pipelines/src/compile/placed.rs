//! Where in a model's file the parser or the planner stopped.

use crate::sql::{SqlError, names_in};

/// The error's message, and its line in the file. The error's own place is one of the rendered SQL: it gives way to the
/// file's line; else to the first line of the file that has the name that is wrong; else to the rendered text.
pub fn placed(raw: &str, rendered: &str, error: &SqlError) -> (String, Option<usize>) {
    let (said, line) = match error.message.split_once(" at Line: ") {
        Some((said, place)) => {
            let number: String = place.chars().take_while(char::is_ascii_digit).collect();
            (said, number.parse::<usize>().ok())
        }
        None => (error.message.as_str(), error.line),
    };
    let index = line.and_then(|line| line.checked_sub(1));
    let text = index.and_then(|index| rendered.lines().nth(index)).map(str::trim);
    let same = index.zip(text).and_then(|(index, text)| line_of(raw, rendered, index, text));
    match (same.or_else(|| line_of_name(raw, &names_in(said))), text) {
        (Some(line), _) => (said.to_owned(), Some(line)),
        (None, Some(text)) => (format!("{said} in `{text}` (as it was rendered)"), None),
        (None, None) => (error.message.clone(), None),
    }
}

/// The line of the file that line `index` (from 0) of the rendered SQL was, `text`: the first of that text stays the first,
/// if rendering has left as many of them as there were.
fn line_of(raw: &str, rendered: &str, index: usize, text: &str) -> Option<usize> {
    let same = |sql: &str| -> Vec<usize> {
        sql.lines().enumerate().filter(|(_, line)| line.trim() == text).map(|(at, _)| at).collect()
    };
    let (of_file, of_rendered) = (same(raw), same(rendered));
    let nth = of_rendered.iter().position(|at| *at == index)?;
    (of_file.len() == of_rendered.len()).then(|| of_file[nth] + 1)
}

/// The first line of the file, its comments left out, that has one of the names as a whole word.
fn line_of_name(raw: &str, names: &[String]) -> Option<usize> {
    let code = without_comments(raw).to_lowercase();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let has = |line: &str, name: &str| {
        line.match_indices(name)
            .any(|(at, _)| !line[..at].ends_with(is_word) && !line[at + name.len()..].starts_with(is_word))
    };
    let line = |name: &String| code.lines().position(|line| has(line, name)).map(|at| at + 1);
    names.iter().find_map(line)
}

/// The text with blanks in the place of comments, SQL's and Jinja's; its lines stay.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = match c {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            '{' if rest.starts_with("{#") => rest.find("#}").map_or(rest.len(), |at| at + 2),
            // What is in quotes is no comment.
            '\'' | '"' | '`' => {
                let end = rest[1..].find(c).map_or(rest.len(), |at| at + 2);
                out.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            }
            _ => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
                continue;
            }
        };
        out.extend(rest[..end].chars().filter(|c| *c == '\n'));
        rest = &rest[end..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(raw: &str, rendered: &str, message: &str, line: Option<usize>) -> Option<usize> {
        placed(raw, rendered, &SqlError { message: message.to_owned(), line }).1
    }

    /// A line of the rendered SQL is one of the file's, also where templates gave or took lines.
    #[test]
    fn a_rendered_line_is_found() {
        let (raw, rendered) = ("{% set x = 1 %}\nselect a,\n  b\nfrom t", "\nselect a,\n  b\nfrom t");
        assert_eq!(line(raw, rendered, "wrong", Some(3)), Some(3));
        assert_eq!(line("{{ x }}\nselect a", "one\ntwo\nselect a", "wrong", Some(3)), Some(2));
        assert_eq!(line("select 1", "select 1", "wrong", None), None);
    }

    /// A line that a template made is found by the name that is wrong, outside of comments; in quotes nothing is one.
    #[test]
    fn a_name_is_found_outside_of_comments() {
        let raw = "-- amout\n/* amout\n*/ {# amout #}\nselect '--', xamout,\n  {{ f }}(amout)";
        assert_eq!(line(raw, "select '--', xamout,\n  sum(amout)", "No field named amout.", Some(2)), Some(5));
        assert_eq!(line(raw, "select 1", "No field named amount.", None), None);
    }
}
