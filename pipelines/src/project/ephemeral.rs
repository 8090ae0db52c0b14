//! Ephemeral models: their SQL becomes CTEs of the query that reads them, as dbt does it.

use indexmap::IndexMap;

use super::relation::cte_name;

/// The query with the given ephemeral models (name and SQL, each after those that it reads) as CTEs in front.
pub(super) fn inline(sql: &str, ephemerals: &IndexMap<String, String>) -> String {
    if ephemerals.is_empty() {
        return sql.to_owned();
    }
    let ctes: Vec<String> = ephemerals.iter().map(|(name, sql)| format!("{} as (\n{sql}\n)", cte_name(name))).collect();
    let ctes = ctes.join(", ");
    match after_with(sql) {
        Some(at) => format!("{} {ctes}, {}", &sql[..at], sql[at..].trim_start()),
        None => {
            let at = skip_blank(sql);
            format!("{}with {ctes}\n{}", &sql[..at], &sql[at..])
        }
    }
}

/// The byte after a leading `with` (and `recursive`), when the query starts with it.
fn after_with(sql: &str) -> Option<usize> {
    let start = skip_blank(sql);
    let at = start + keyword(&sql[start..], "with")?;
    let next = at + skip_blank(&sql[at..]);
    Some(keyword(&sql[next..], "recursive").map_or(at, |length| next + length))
}

/// The length of a keyword that the text starts with.
fn keyword(text: &str, word: &str) -> Option<usize> {
    let found = text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let ends = !text[word.len().min(text.len())..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    (found && ends).then_some(word.len())
}

/// The byte at which blanks and comments at the start end.
fn skip_blank(sql: &str) -> usize {
    let mut rest = sql;
    loop {
        rest = rest.trim_start();
        let end = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else {
            return sql.len() - rest.len();
        };
        rest = &rest[end..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(sql: &str) -> String {
        inline(sql, &[("e".to_owned(), "select 1".to_owned())].into_iter().collect())
    }

    const CTE: &str = "__dbt__cte__e as (\nselect 1\n)";

    /// The CTE joins a `with` that is there, and stands alone otherwise; comments in front stay in front.
    #[test]
    fn joins_the_query() {
        assert_eq!(with("select * from x"), format!("with {CTE}\nselect * from x"));
        assert_eq!(with("-- a with\nselect 1"), format!("-- a with\nwith {CTE}\nselect 1"));
        assert_eq!(
            with("/* c */ WITH a as (select 2) select 3"),
            format!("/* c */ WITH {CTE}, a as (select 2) select 3")
        );
        assert_eq!(with("with recursive a as (x) y"), format!("with recursive {CTE}, a as (x) y"));
        assert_eq!(with("withdrawals"), format!("with {CTE}\nwithdrawals"));
        assert_eq!(inline("select 1", &IndexMap::new()), "select 1");
    }
}
