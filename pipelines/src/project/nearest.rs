//! "did you mean": the known name that is nearest to a wrong one.

/// Names that differ by more than this share of their length (in percent) are not worth proposing.
const DISTANCE_MAX_PERCENT: usize = 45;

/// Gives the known name nearest to `wrong`, if one is near enough.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = wrong.to_lowercase();
    let longer = |name: &str| name.chars().count().max(folded.chars().count());
    known
        .into_iter()
        .map(|name| (distance(&folded, &name.to_lowercase()), name))
        .filter(|(distance, name)| distance * 100 <= longer(name) * DISTANCE_MAX_PERCENT)
        .min_by_key(|(distance, name)| (*distance, name.len()))
        .map(|(_, name)| name)
}

/// `did you mean "x"?` for the nearest known name, or `otherwise` when none is near.
pub(super) fn did_you_mean<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
    otherwise: impl Into<String>,
) -> String {
    match nearest(wrong, known) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => otherwise.into(),
    }
}

/// Edit distance in characters: insertions, deletions, substitutions, and swaps of two neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitute = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = substitute.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slip of the finger is found, another word is not.
    #[test]
    fn proposes_only_near_names() {
        let known = ["stg_orders", "dim_users", "workers"];
        assert_eq!(nearest("stg_order", known), Some("stg_orders"));
        assert_eq!(nearest("Dim_User", known), Some("dim_users"));
        assert_eq!(nearest("worker", known), Some("workers"));
        assert_eq!(nearest("revenue", known), None);
        assert_eq!(did_you_mean("revenue", known, "make it"), "make it");
    }

    /// The distance counts insertions, deletions, substitutions, and a swap once.
    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("tga", "tag"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
