//! How many columns of a terminal a text takes, and cutting it to so many.
//!
//! East Asian characters and pictographs take two, combining marks none. The ranges are those that fonts agree on; an exotic character may
//! be counted one off, which bends a line and no more.

const MARK: char = '…';

/// Columns that a text takes.
pub(crate) fn columns_of(text: &str) -> usize {
    text.chars().map(columns_of_char).sum()
}

/// The text on one line, control characters made visible (they would command the terminal), and cut to `columns_max` columns.
pub(crate) fn cut(text: &str, columns_max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(columns_max * 4));
    let mut columns = 0;
    // Where the mark goes if the text turns out too long.
    let mut fits = 0;
    for c in text.chars() {
        if c.is_control() || is_direction_mark(c) {
            line.extend(c.escape_default());
            columns += c.escape_default().count();
        } else {
            line.push(c);
            columns += columns_of_char(c);
        }
        if columns < columns_max {
            fits = line.len();
        }
        if columns > columns_max {
            line.truncate(fits);
            if columns_max > 0 {
                line.push(MARK);
            }
            return line;
        }
    }
    line
}

/// The text with blanks up to `columns`, in front of it for `right`.
pub(crate) fn padded(text: &str, columns: usize, right: bool) -> String {
    let blanks = " ".repeat(columns.saturating_sub(columns_of(text)));
    match right {
        true => blanks + text,
        false => text.to_owned() + &blanks,
    }
}

fn columns_of_char(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036F | 0x200B..=0x200F | 0x20D0..=0x20F0 | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F => 0,
        0x1100..=0x115F
        | 0x2E80..=0x303E
        | 0x3041..=0xA4CF
        | 0xA960..=0xA97F
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F680..=0x1F6FF
        | 0x1F900..=0x1FAFF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// Marks that turn the direction of the text after them, and with it the table.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wide, combining and ordinary characters.
    #[test]
    fn columns_are_those_of_a_terminal() {
        assert_eq!(columns_of("abc"), 3);
        assert_eq!(columns_of("日本"), 4);
        assert_eq!(columns_of("e\u{301}"), 1);
        assert_eq!(columns_of(""), 0);
    }

    /// A text is cut to the columns there are, never inside a wide character, and what cannot be seen is spelled out.
    #[test]
    fn a_text_is_cut_to_fit() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("a\nb\u{1b}[2J", 80), "a\\nb\\u{1b}[2J");
        assert_eq!(cut("abc", 0), "");
        for columns in 0..10 {
            assert!(columns_of(&cut("a日e\u{301}\n語語語", columns)) <= columns, "{columns}");
        }
    }
}
