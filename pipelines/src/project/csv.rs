//! Comma-separated values as in RFC 4180, for seeds and for the rows of unit tests.

/// The records of a text, each with the line (from 1) at which it starts. Empty lines are left out.
///
/// # Errors
/// A quote that is never closed: its line.
pub(super) fn records(text: &str, delimiter: char) -> Result<Vec<(usize, Vec<String>)>, usize> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = Vec::new();
    let (mut record, mut field) = (Vec::new(), String::new());
    let (mut line, mut record_line, mut quote_line) = (1, 1, None::<usize>);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote_line, c) {
            (Some(_), '"') if chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            (Some(_), '"') => quote_line = None,
            (None, '"') if field.is_empty() => quote_line = Some(line),
            (None, '\r') if chars.peek() == Some(&'\n') => {}
            (None, '\n') => {
                end_record(&mut records, &mut record, &mut field, record_line);
                line += 1;
                record_line = line;
            }
            (None, c) if c == delimiter => record.push(std::mem::take(&mut field)),
            (_, c) => {
                line += usize::from(c == '\n');
                field.push(c);
            }
        }
    }
    if let Some(line) = quote_line {
        return Err(line);
    }
    end_record(&mut records, &mut record, &mut field, record_line);
    Ok(records)
}

fn end_record(records: &mut Vec<(usize, Vec<String>)>, record: &mut Vec<String>, field: &mut String, line: usize) {
    if record.is_empty() && field.is_empty() {
        return;
    }
    record.push(std::mem::take(field));
    records.push((line, std::mem::take(record)));
}

/// The value of a field: dbt reads an empty field, and the word null, as NULL.
pub(super) fn null_or(field: String) -> Option<String> {
    let word = field.trim();
    (!word.is_empty() && !word.eq_ignore_ascii_case("null")).then_some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<Vec<String>> {
        records(text, ',').unwrap().into_iter().map(|(_, fields)| fields).collect()
    }

    /// Quotes hold delimiters, quotes and line ends; every kind of line end works.
    #[test]
    fn quotes_and_lines() {
        assert_eq!(fields("a,b\r\n1,\"x, \"\"y\"\"\nz\"\n"), [["a", "b"], ["1", "x, \"y\"\nz"]]);
        assert_eq!(fields("\u{feff}a,b\n\n,\n"), [["a", "b"], ["", ""]]);
        assert_eq!(records("a|b", '|').unwrap(), [(1, vec!["a".to_owned(), "b".to_owned()])]);
        assert_eq!(fields(""), Vec::<Vec<String>>::new());
    }

    /// A record knows its line, and a quote without an end is an error with its line.
    #[test]
    fn lines_are_known() {
        let lines: Vec<usize> = records("a\n\"1\n2\"\nb\n", ',').unwrap().iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 4]);
        assert_eq!(records("a\nb,\"c\nd", ','), Err(2));
    }

    /// Empty and null are NULL, a blank-padded word is not.
    #[test]
    fn nulls() {
        assert_eq!(null_or(" ".into()), None);
        assert_eq!(null_or("NULL".into()), None);
        assert_eq!(null_or(" x".into()), Some(" x".into()));
    }
}
