//! The text of one selector term, as `2+tag:gold+`.

use super::super::nearest::did_you_mean;

/// The methods that can stand before a colon, besides `config.`.
const METHODS: [&str; 12] = [
    "tag",
    "path",
    "name",
    "fqn",
    "source",
    "package",
    "file",
    "resource_type",
    "test_type",
    "group",
    "access",
    "exposure",
];
/// Methods of dbt that compare with another run.
const OF_RUNS: [&str; 3] = ["state", "result", "source_status"];

/// How far a term reaches in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    None,
    Steps(usize),
    All,
}

/// By what a term chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Method {
    /// A name, a folder, or both with dots.
    Name,
    Tag,
    Path,
    Source,
    Package,
    File,
    /// `model`, `snapshot`, `seed`, `source`, `test` or `unit_test`.
    ResourceType,
    /// The name of an exposure.
    Exposure,
    /// `generic`, `singular`, `data` or `unit`.
    TestType,
    /// A config; names of nested ones are separated by dots.
    Config(String),
}

/// One term of a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) method: Method,
    pub(super) value: String,
    pub(super) parents: Depth,
    pub(super) children: Depth,
    /// Whether everything is meant that what it reaches needs: `@x`.
    pub(super) at: bool,
}

impl Term {
    /// Whether a text is the term's value, in which `*` stands for anything.
    pub(super) fn is(&self, text: &str) -> bool {
        matches(&self.value, text)
    }
}

/// Reads a term.
pub(super) fn term(text: &str) -> Result<Term, String> {
    let (at, bare) = text.strip_prefix('@').map_or((false, text), |bare| (true, bare));
    let (rest, parents) = match bare.split_once('+') {
        Some(("", rest)) => (rest, Depth::All),
        Some((steps, rest)) if steps.bytes().all(|b| b.is_ascii_digit()) => (rest, depth(steps)),
        _ => (bare, Depth::None),
    };
    let (rest, children) = match rest.rsplit_once('+') {
        Some((rest, "")) => (rest, Depth::All),
        Some((rest, steps)) if steps.bytes().all(|b| b.is_ascii_digit()) => (rest, depth(steps)),
        _ => (rest, Depth::None),
    };
    let (method, value) = match rest.split_once(':') {
        None if rest.contains('/') => (Method::Path, rest),
        None => (Method::Name, rest.trim_end_matches(".sql")),
        Some((method, value)) => (method_of(method, text)?, value),
    };
    if value.is_empty() {
        return Err(format!("selector \"{text}\" names nothing; write a name, tag:x, path:x or config.materialized:x"));
    }
    let children = if at { Depth::All } else { children };
    Ok(Term { method, value: value.to_owned(), parents, children, at })
}

fn depth(steps: &str) -> Depth {
    steps.parse().map_or(Depth::All, Depth::Steps)
}

pub(super) fn method_of(method: &str, text: &str) -> Result<Method, String> {
    match method {
        "tag" => Ok(Method::Tag),
        "path" => Ok(Method::Path),
        "name" | "fqn" => Ok(Method::Name),
        "source" => Ok(Method::Source),
        "package" => Ok(Method::Package),
        "file" => Ok(Method::File),
        "resource_type" => Ok(Method::ResourceType),
        "test_type" => Ok(Method::TestType),
        "exposure" => Ok(Method::Exposure),
        "group" | "access" => Ok(Method::Config(method.to_owned())),
        other if OF_RUNS.contains(&other) => Err(format!(
            "selector \"{text}\": {other} compares with the artifacts of another run, which sluice does not read: every \
             run brings all tables up to date; select by name, tag or path"
        )),
        other => match other.strip_prefix("config.") {
            Some(key) => Ok(Method::Config(key.to_owned())),
            None => {
                let way_out = did_you_mean(
                    other,
                    METHODS,
                    "sluice knows name, tag, path, source, package, file, resource_type, test_type and config.<key>",
                );
                Err(format!("selector \"{text}\": unknown method \"{other}\"; {way_out}"))
            }
        },
    }
}

/// Whether `text` fits `pattern`, in which each `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps, methods and values come apart.
    #[test]
    fn terms() {
        let parse = |text: &str| term(text).map(|t| (t.method, t.value, t.parents, t.children)).unwrap();
        assert_eq!(parse("a"), (Method::Name, "a".into(), Depth::None, Depth::None));
        assert_eq!(parse("+a+"), (Method::Name, "a".into(), Depth::All, Depth::All));
        assert_eq!(parse("1+a+2"), (Method::Name, "a".into(), Depth::Steps(1), Depth::Steps(2)));
        assert_eq!(term("@a").map(|t| (t.at, t.value, t.children)), Ok((true, "a".to_owned(), Depth::All)));
        assert_eq!(parse("tag:x+"), (Method::Tag, "x".into(), Depth::None, Depth::All));
        assert_eq!(parse("models/gold"), (Method::Path, "models/gold".into(), Depth::None, Depth::None));
        assert_eq!(parse("config.materialized:view").0, Method::Config("materialized".into()));
    }

    /// Faults name what is not known.
    #[test]
    fn faults() {
        assert_eq!(term("tga:x").unwrap_err(), "selector \"tga:x\": unknown method \"tga\"; did you mean \"tag\"?");
        assert!(term("state:modified").unwrap_err().contains("state compares with the artifacts of another run"));
        assert!(term("tag:").unwrap_err().contains("names nothing"));
    }

    /// A star stands for any text, also in the middle.
    #[test]
    fn stars() {
        assert!(
            matches("dim_*", "dim_users") && matches("*_day", "a_day") && matches("a*b*c", "axbxc") && matches("*", "")
        );
        assert!(!matches("dim_*", "fact_dim_") && !matches("a", "ab") && !matches("a*b", "ac"));
    }
}
