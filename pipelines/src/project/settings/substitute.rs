//! `${NAME}` and `${NAME:-default}` in texts; `$$` is a dollar.

/// Replaces the variables of a text by what `env` gives.
///
/// # Errors
/// What is wrong and the way out: a variable that is not set and has no default, or braces that do not close.
pub(super) fn substitute(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, (String, String)> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let Some(end) = after.find('}') else {
                return Err((
                    format!("\"{text}\" has ${{ without its }}"),
                    "write ${NAME} or ${NAME:-default}".to_owned(),
                ));
            };
            let (name, default) = match after[..end].split_once(":-") {
                Some((name, default)) => (name, Some(default.to_owned())),
                None => (&after[..end], None),
            };
            // As in a shell, `:-` also stands in for a variable that is set to nothing.
            let set = env(name).filter(|value| default.is_none() || !value.is_empty());
            let unset = || {
                let way_out = format!("set it, or give a default: ${{{name}:-...}}");
                (format!("environment variable \"{name}\" is not set"), way_out)
            };
            out.push_str(&set.or(default).ok_or_else(unset)?);
            rest = &after[end + 1..];
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> Result<String, String> {
        let env = |name: &str| match name {
            "HOST" => Some("db".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        substitute(text, &env).map_err(|(what, way_out)| format!("{what}; {way_out}"))
    }

    /// Set variables, defaults and dollars.
    #[test]
    fn replaces() {
        assert_eq!(with("http://${HOST}:${PORT:-8123}/").unwrap(), "http://db:8123/");
        assert_eq!(with("${EMPTY:-x}|${EMPTY}|${NONE:-}").unwrap(), "x||");
        assert_eq!(with("$$5 $x").unwrap(), "$5 $x");
        assert_eq!(with("${URL:-http://a:1}").unwrap(), "http://a:1");
    }

    /// Faults say the way out.
    #[test]
    fn faults() {
        assert_eq!(
            with("${PORT}").unwrap_err(),
            "environment variable \"PORT\" is not set; set it, or give a default: ${PORT:-...}"
        );
        assert!(with("a${PORT").unwrap_err().contains("without its }"));
    }
}
