//! Where in a model's file the parser stopped.

/// The parser's message, and the line of the model's file at which it stopped. The message's own place is one of the
/// rendered SQL: it gives way to the file's line, or to the rendered text when that line is none of the file.
pub(super) fn placed(raw: &str, rendered: &str, message: &str) -> (String, Option<usize>) {
    let Some((said, place)) = message.split_once(" at Line: ") else { return (message.to_owned(), None) };
    let number: String = place.chars().take_while(char::is_ascii_digit).collect();
    let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let Some(text) = index.and_then(|index| rendered.lines().nth(index)) else { return (message.to_owned(), None) };
    match line_of(raw, rendered, index.unwrap_or_default(), text.trim()) {
        Some(line) => (said.to_owned(), Some(line)),
        None => (format!("{said} in `{}` (as it was rendered)", text.trim()), None),
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
