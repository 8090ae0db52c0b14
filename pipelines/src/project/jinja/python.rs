//! The methods of Python's text, lists and dictionaries that dbt projects call on values.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind, State};

/// Called for a method that minijinja does not know.
pub(super) fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String => text_method(state, value.as_str().unwrap_or_default(), name, args),
        ValueKind::Map => map_method(value, name, args),
        ValueKind::Seq | ValueKind::Iterable => seq_method(value, name, args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn text_method(state: &mut State, text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    Ok(match name {
        "upper" => text.to_uppercase().into(),
        "lower" => text.to_lowercase().into(),
        "strip" => trim(text, args, true, true).into(),
        "lstrip" => trim(text, args, true, false).into(),
        "rstrip" => trim(text, args, false, true).into(),
        "startswith" => any_of(args, |part| text.starts_with(part)).into(),
        "endswith" => any_of(args, |part| text.ends_with(part)).into(),
        "replace" => text.replace(text_arg(args, 0, name)?, text_arg(args, 1, name)?).into(),
        "split" => split(text, args),
        "splitlines" => text.lines().map(Value::from).collect(),
        "find" => {
            let found = text.find(text_arg(args, 0, name)?).map(|byte| text[..byte].chars().count());
            found.map_or(Value::from(-1), Value::from)
        }
        "count" => text.matches(text_arg(args, 0, name)?).count().into(),
        "join" => {
            let parts = args.first().cloned().unwrap_or_default();
            let parts: Vec<String> = parts.try_iter()?.map(|part| part.to_string()).collect();
            parts.join(text).into()
        }
        "isdigit" => (!text.is_empty() && text.chars().all(|c| c.is_ascii_digit())).into(),
        "zfill" => pad(text, args, '0', false).into(),
        "rjust" => pad(text, args, ' ', false).into(),
        "ljust" => pad(text, args, ' ', true).into(),
        "title" | "capitalize" => state.apply_filter(name, &[Value::from(text)])?,
        "format" => format_braces(text, args)?.into(),
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

fn map_method(map: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    let keys = || map.try_iter();
    let at = |key: &Value| map.get_item(key);
    Ok(match name {
        "keys" => keys()?.collect(),
        "values" => Value::from(keys()?.map(|key| at(&key)).collect::<Result<Vec<_>, _>>()?),
        "items" => {
            let pair = |key: Value| at(&key).map(|value| Value::from(vec![key, value]));
            Value::from(keys()?.map(pair).collect::<Result<Vec<_>, _>>()?)
        }
        "get" => {
            let key = args.first().ok_or_else(|| missing(name))?;
            let found = at(key)?;
            if found.is_undefined() { args.get(1).cloned().unwrap_or_else(|| Value::from(())) } else { found }
        }
        "copy" => {
            Value::from_pairs(keys()?.map(|key| at(&key).map(|value| (key, value))).collect::<Result<Vec<_>, _>>()?)
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

fn seq_method(list: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    let wanted = args.first().ok_or_else(|| missing(name));
    Ok(match name {
        "index" => {
            let wanted = wanted?;
            let found = list.try_iter()?.position(|item| item == *wanted);
            let absent = || Error::new(ErrorKind::InvalidOperation, format!("{wanted} is not in the list"));
            found.ok_or_else(absent)?.into()
        }
        "count" => {
            let wanted = wanted?;
            list.try_iter()?.filter(|item| item == wanted).count().into()
        }
        "copy" => list.try_iter()?.collect(),
        "append" | "extend" | "insert" | "pop" | "remove" | "clear" => {
            let text = format!("this list cannot change ({name}); put it in a variable first: {{% set x = [...] %}}");
            return Err(Error::new(ErrorKind::InvalidOperation, text));
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

fn missing(name: &str) -> Error {
    Error::new(ErrorKind::MissingArgument, format!("{name}() needs an argument"))
}

fn text_arg<'a>(args: &'a [Value], at: usize, name: &str) -> Result<&'a str, Error> {
    args.get(at).and_then(Value::as_str).ok_or_else(|| missing(name))
}

fn trim<'a>(text: &'a str, args: &[Value], left: bool, right: bool) -> &'a str {
    let chars: Option<Vec<char>> = args.first().and_then(Value::as_str).map(|chars| chars.chars().collect());
    let gone = |c: char| chars.as_ref().map_or(c.is_whitespace(), |chars| chars.contains(&c));
    let text = if left { text.trim_start_matches(gone) } else { text };
    if right { text.trim_end_matches(gone) } else { text }
}

/// The most characters to which a text is padded.
const PAD_CHARS_MAX: usize = 4_096;

/// The text at the width that is asked for, with `fill` before or after it.
fn pad(text: &str, args: &[Value], fill: char, after: bool) -> String {
    let width = args.first().and_then(Value::as_usize).unwrap_or(0).min(PAD_CHARS_MAX);
    let fill: String = std::iter::repeat_n(fill, width.saturating_sub(text.chars().count())).collect();
    if after { format!("{text}{fill}") } else { format!("{fill}{text}") }
}

/// Whether the argument, a text or a list of texts, satisfies the question.
fn any_of(args: &[Value], question: impl Fn(&str) -> bool) -> bool {
    match args.first() {
        Some(one) if one.as_str().is_some() => one.as_str().is_some_and(question),
        Some(many) => many.try_iter().is_ok_and(|mut parts| parts.any(|part| part.as_str().is_some_and(&question))),
        None => false,
    }
}

fn split(text: &str, args: &[Value]) -> Value {
    let max = args.get(1).and_then(Value::as_usize).map_or(usize::MAX, |max| max.saturating_add(1));
    match args.first().and_then(Value::as_str).filter(|by| !by.is_empty()) {
        Some(by) => text.splitn(max, by).map(Value::from).collect(),
        None => text.split_whitespace().map(Value::from).collect(),
    }
}

/// Python's `"{} {0} {name}".format(...)`, without format specs.
fn format_braces(text: &str, args: &[Value]) -> Result<String, Error> {
    let named = args.last().filter(|last| last.is_kwargs());
    let (mut out, mut rest, mut next) = (String::new(), text, 0);
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
            continue;
        }
        let Some(end) = rest.find('}').filter(|_| brace == "{") else {
            return Err(Error::new(ErrorKind::InvalidOperation, format!("format(): a single {brace} in \"{text}\"")));
        };
        let field = &rest[..end];
        rest = &rest[end + 1..];
        let value = if field.is_empty() {
            next += 1;
            args.get(next - 1).cloned()
        } else if let Ok(at) = field.parse::<usize>() {
            args.get(at).cloned()
        } else {
            named.and_then(|named| named.get_attr(field).ok()).filter(|value| !value.is_undefined())
        };
        let absent = || Error::new(ErrorKind::MissingArgument, format!("format(): nothing for {{{field}}}"));
        out.push_str(&value.ok_or_else(absent)?.to_string());
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use minijinja::Environment;

    fn eval(expression: &str) -> String {
        let mut env = Environment::new();
        env.set_unknown_method_callback(super::method);
        env.render_str(&format!("{{{{ {expression} }}}}"), ()).unwrap_or_else(|e| e.to_string())
    }

    /// The methods answer as Python's do.
    #[test]
    fn python_methods() {
        for (expression, answer) in [
            ("'aB'.upper() ~ 'aB'.lower()", "ABab"),
            ("' x '.strip() ~ '|' ~ 'xxa'.lstrip('x') ~ '|' ~ 'axx'.rstrip('x')", "x|a|a"),
            ("'abc'.startswith('ab') and 'abc'.endswith(['x', 'bc'])", "True"),
            ("'a.b'.replace('.', '_')", "a_b"),
            ("'a,b,c'.split(',', 1)", "['a', 'b,c']"),
            ("' a  b '.split()", "['a', 'b']"),
            ("', '.join(['a', 'b', 1])", "a, b, 1"),
            ("'{} {1} {x} {{}}'.format('a', 'b', x='c')", "a b c {}"),
            ("{'a': 1}.get('a') ~ {'a': 1}.get('b', 2)", "12"),
            ("{'a': 1, 'b': 2}.items() | length", "2"),
            ("['x', 'y'].index('y')", "1"),
            ("'word'.title()", "Word"),
            ("'7'.zfill(3) ~ 'a'.ljust(2) ~ 'b'.rjust(2)", "007a  b"),
        ] {
            assert_eq!(eval(expression), answer, "{expression}");
        }
    }

    /// Faults are errors that say what is missing.
    #[test]
    fn faults() {
        assert!(eval("'{}'.format()").contains("nothing for {}"));
        assert!(eval("'{'.format()").contains("a single {"));
        assert!(eval("'a'.replace('b')").contains("replace() needs an argument"));
        assert!(eval("[1].append(2)").contains("{% set x = [...] %}"));
        assert!(eval("'a'.nothing()").contains("no method named nothing"));
    }
}
