//! As much of Rust's lexing as finding paths needs.

/// A token and the line that it is in, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// An identifier, `::`, or one character of punctuation.
    pub text: String,
    /// Its line.
    pub line: usize,
}

/// The tokens of a Rust source, without comments, strings and lifetimes.
pub fn tokens(source: &str) -> Vec<Token> {
    let characters: Vec<char> = source.chars().collect();
    let (mut tokens, mut line, mut at) = (Vec::new(), 1, 0);
    while at < characters.len() {
        let next = skip(&characters, at).unwrap_or_else(|| {
            let end = token_end(&characters, at);
            let text: String = characters[at..end].iter().collect();
            if !text.trim().is_empty() {
                tokens.push(Token { text, line });
            }
            end
        });
        line += characters[at..next].iter().filter(|character| **character == '\n').count();
        at = next;
    }
    tokens
}

fn token_end(characters: &[char], at: usize) -> usize {
    if is_word(characters[at]) {
        return at + characters[at..].iter().take_while(|character| is_word(**character)).count();
    }
    if characters[at..].starts_with(&[':', ':']) { at + 2 } else { at + 1 }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The end of the comment, string, character or lifetime that begins at `at`; none when there is none.
fn skip(characters: &[char], at: usize) -> Option<usize> {
    let rest = &characters[at..];
    let in_word = at > 0 && is_word(characters[at - 1]);
    match rest {
        ['/', '/', ..] => Some(at + rest.iter().take_while(|character| **character != '\n').count()),
        ['/', '*', ..] => Some(at + block_comment(rest)),
        ['"', ..] => Some(at + string(rest)),
        ['r', '"' | '#', ..] if !in_word => raw_string(&rest[1..]).map(|length| at + 1 + length),
        ['b', 'r', '"' | '#', ..] if !in_word => raw_string(&rest[2..]).map(|length| at + 2 + length),
        ['\'', '\\', ..] => Some(at + 3 + rest.iter().skip(3).take_while(|character| **character != '\'').count() + 1),
        ['\'', _, '\'', ..] => Some(at + 3),
        ['\'', ..] => Some(at + 1 + rest.iter().skip(1).take_while(|character| is_word(**character)).count()),
        _ => None,
    }
    .map(|end| end.min(characters.len()))
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The length of `##"..."##`; none when it is a raw identifier.
fn raw_string(rest: &[char]) -> Option<usize> {
    let hashes = rest.iter().take_while(|character| **character == '#').count();
    if rest.get(hashes) != Some(&'"') {
        return None;
    }
    let mut end = vec!['"'];
    end.extend(std::iter::repeat_n('#', hashes));
    let body = &rest[hashes + 1..];
    let length = body.windows(end.len()).position(|window| window == end.as_slice()).unwrap_or(body.len());
    Some(hashes + 1 + length + end.len())
}
