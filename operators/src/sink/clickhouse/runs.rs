//! Which run has committed which epochs: what tells rows of committed epochs from all others.
//!
//! A row carries its run's generation and its barrier's sequence (both in `_version`) and its epoch (`_epoch`). The number of
//! an epoch alone does not say whether it was committed: two runs that overlap both show rows of epoch N, and only one of
//! them commits it. So the token in the manifest says who has: the runs that have committed an epoch, each with its first.
//! A run's last is the one before the next run's first.
//!
//! Rows that a run writes when it starts (sequence 0) hold what was committed then: they are right as long as no older run
//! has committed anything after it.

use serde::{Deserialize, Serialize};

use super::version::{SEQUENCE_BITS, first_version};

/// Runs that are remembered. Rows of older ones have been looked at by every start since.
const RUNS_KEPT_MAX: usize = 64;

/// The runs that have committed epochs, oldest first: generation, and the first epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Runs(Vec<(u64, u64)>);

impl Runs {
    /// Notes that a run is about to commit an epoch.
    pub(super) fn commits(&mut self, generation: u64, epoch: u64) {
        if self.0.last().is_some_and(|(newest, _)| *newest >= generation) {
            return;
        }
        self.0.push((generation, epoch));
        let surplus = self.0.len().saturating_sub(RUNS_KEPT_MAX);
        self.0.drain(..surplus);
    }

    /// An SQL condition that holds for rows of no committed epoch. `last` is the newest committed epoch; `version` and
    /// `epoch` name the columns.
    pub(super) fn not_committed(&self, last: u64, version: &str, epoch: &str) -> String {
        if self.0.is_empty() {
            return format!("{epoch} > {last}");
        }
        let mut ways = Vec::new();
        for (i, (generation, _)) in self.0.iter().enumerate() {
            let next = self.0.get(i + 1);
            let ended = next.map_or(last, |(_, first)| first - 1);
            let (from, to) = (first_version(*generation), first_version(generation + 1));
            ways.push(format!("{version} >= {from} AND {version} < {to} AND {epoch} > {ended}"));
            // Runs after it that have committed nothing.
            let before = next.map(|(generation, _)| format!(" AND {version} < {}", first_version(*generation)));
            let sequence = format!("bitAnd({version}, {})", (1u64 << SEQUENCE_BITS) - 1);
            ways.push(format!(
                "{version} >= {to}{} AND ({sequence} != 0 OR {epoch} < {ended})",
                before.unwrap_or_default()
            ));
        }
        ways.iter().map(|way| format!("({way})")).collect::<Vec<_>>().join(" OR ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    /// A run is noted once, with its first epoch; one that has been overtaken is not; and only so many are remembered.
    #[test]
    fn runs_are_noted_once() {
        let mut runs = Runs::default();
        for (generation, epoch) in [(3, 1), (3, 2), (5, 3), (4, 3), (5, 4)] {
            runs.commits(generation, epoch);
        }
        assert_eq!(runs, Runs(vec![(3, 1), (5, 3)]));
        (6..200).for_each(|generation| runs.commits(generation, generation));
        assert_eq!((runs.0.len(), runs.0.last()), (RUNS_KEPT_MAX, Some(&(199, 199))));
    }

    /// The condition for two runs of which the first has committed epochs 1 to 6 and the second 7 and 8: rows of each beyond
    /// its own, and rows of runs that have committed nothing, unless they are what such a run has found committed.
    #[test]
    fn the_condition() {
        let runs = Runs(vec![(1, 1), (3, 7)]);
        expect![[r#"
            (v >= 1099511627776 AND v < 2199023255552 AND e > 6)
            (v >= 2199023255552 AND v < 3298534883328 AND (bitAnd(v, 1099511627775) != 0 OR e < 6))
            (v >= 3298534883328 AND v < 4398046511104 AND e > 8)
            (v >= 4398046511104 AND (bitAnd(v, 1099511627775) != 0 OR e < 8))"#]]
        .assert_eq(&runs.not_committed(8, "v", "e").replace(" OR (v", "\n(v"));
        assert_eq!(Runs::default().not_committed(8, "v", "e"), "e > 8");
    }
}
