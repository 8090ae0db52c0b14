//! Which files of a table are merged: pure arithmetic over the files that are there.
//!
//! Files of one partition are sorted into tiers by size, each tier eight times the one below. When a tier has eight files,
//! these and all smaller ones are merged, which makes a file of the next tier: so a row is written again about once for each
//! tier (five times, up to 32 MiB), and a partition has at most seven files of each. A partition to which nothing has come for
//! hours is merged whole.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

use super::super::log_state::ActiveFile;

/// Files of a tier that are merged, at least.
const TIER_FILES: usize = 8;
/// A tier's files are below so many times the size of those below it.
const TIER_FACTOR: u64 = 8;
/// Files below this size are of the lowest tier, in bytes.
const TIER_LOWEST_BYTES: u64 = 64 << 10;
/// A partition to which nothing has come for so long gets no more files soon: it is merged whole.
const COLD_AFTER: Duration = Duration::from_secs(6 * 3600);
/// Where rows are taken back, the newest files of a partition are left alone: their rows will be taken out soon, and a merge
/// of them would be in vain.
const NEWEST_FILES_SPARED: usize = 32;
/// Bytes that one pass reads, at most; the next goes on.
const PASS_BYTES_MAX: u64 = 256 << 20;
/// Files that one pass reads, at most; the next goes on.
const PASS_FILES_MAX: usize = 2_000;

/// A file and its path.
type Named<'a> = (&'a String, &'a ActiveFile);

/// What is worth merging.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    /// Files of at least three quarters of this stay as they are, in bytes.
    pub target_file_bytes: u64,
    /// So many files of a partition, the newest, are left alone.
    pub newest_spared: usize,
    /// A partition that is older than this is merged whole.
    pub cold_after: Duration,
}

impl Policy {
    /// That of a running pipeline. `taken_back`: whether rows of the table are ever taken back.
    pub(super) fn running(target_file_bytes: usize, taken_back: bool) -> Self {
        Self {
            target_file_bytes: target_file_bytes as u64,
            newest_spared: if taken_back { NEWEST_FILES_SPARED } else { 0 },
            cold_after: COLD_AFTER,
        }
    }

    /// Everything that can be merged, now.
    pub(super) fn everything(target_file_bytes: usize) -> Self {
        Self { target_file_bytes: target_file_bytes as u64, newest_spared: 0, cold_after: Duration::ZERO }
    }

    /// Groups of files to merge, each of one partition, in the order in which they were written. A file with a deletion vector
    /// is no part of any.
    pub(super) fn groups(&self, files: &HashMap<String, ActiveFile>, now_ms: i64) -> Vec<Vec<String>> {
        let mut partitions: BTreeMap<Vec<(&str, Option<&str>)>, Vec<Named<'_>>> = BTreeMap::new();
        for (path, file) in files.iter().filter(|(_, file)| self.is_small(file) && !file.deletion_vector) {
            let values = file.partition_values.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
            let mut values: Vec<_> = values.collect();
            values.sort_unstable();
            partitions.entry(values).or_default().push((path, file));
        }
        let (mut bytes_left, mut files_left) = (PASS_BYTES_MAX, PASS_FILES_MAX);
        let mut groups = Vec::new();
        for small in partitions.into_values() {
            let chosen = self.chosen(small, now_ms);
            let mut group = Vec::new();
            for (path, file) in chosen {
                if files_left == 0 || bytes_left < file.size_bytes {
                    break;
                }
                files_left -= 1;
                bytes_left -= file.size_bytes;
                group.push((file.modified_ms, path.clone()));
            }
            let bytes: u64 = group.iter().map(|(_, path)| files[path].size_bytes).sum();
            // In vain when as many files would come of it.
            if group.len() as u64 > bytes.div_ceil(self.target_file_bytes.max(1)).max(1) {
                group.sort_unstable();
                groups.push(group.into_iter().map(|(_, path)| path).collect());
            }
        }
        groups
    }

    /// The small files of one partition that are merged now, smallest first.
    fn chosen<'a>(&self, mut small: Vec<Named<'a>>, now_ms: i64) -> Vec<Named<'a>> {
        let age = |file: &ActiveFile| Duration::from_millis(now_ms.saturating_sub(file.modified_ms).max(0) as u64);
        if small.iter().all(|(_, file)| age(file) >= self.cold_after) {
            small.sort_unstable_by_key(|(path, file)| (file.size_bytes, *path));
            return small;
        }
        small.sort_unstable_by_key(|(path, file)| (file.modified_ms, *path));
        small.truncate(small.len().saturating_sub(self.newest_spared));
        small.sort_unstable_by_key(|(path, file)| (file.size_bytes, *path));
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        small.iter().for_each(|(_, file)| *counts.entry(tier(file.size_bytes)).or_default() += 1);
        let Some(highest) = counts.iter().rev().find(|(_, n)| **n >= TIER_FILES).map(|(tier, _)| *tier) else {
            return Vec::new();
        };
        small.retain(|(_, file)| tier(file.size_bytes) <= highest);
        small
    }

    fn is_small(&self, file: &ActiveFile) -> bool {
        file.size_bytes < self.target_file_bytes / 4 * 3
    }
}

fn tier(bytes: u64) -> u32 {
    let (mut tier, mut below) = (0, TIER_LOWEST_BYTES);
    while bytes >= below {
        tier += 1;
        below = below.saturating_mul(TIER_FACTOR);
    }
    tier
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn file(day: &str, size_bytes: u64, modified_ms: i64) -> ActiveFile {
        ActiveFile {
            size_bytes,
            modified_ms,
            partition_values: HashMap::from([("day".to_string(), Some(day.to_string()))]),
            stats: None,
            deletion_vector: false,
        }
    }

    fn files(of: impl IntoIterator<Item = ActiveFile>) -> HashMap<String, ActiveFile> {
        of.into_iter().enumerate().map(|(i, file)| (format!("f{i:05}"), file)).collect()
    }

    /// Eight files of a tier are merged with all that are smaller, in the order in which they were written; seven are not, and
    /// files of other partitions and of the target's size are left alone.
    #[test]
    fn eight_of_a_tier_are_merged() {
        let policy = Policy::running(32 << 20, false);
        let seven = files((0..7).map(|i| file("a", 1_000, i)));
        assert!(policy.groups(&seven, 10).is_empty());
        let mut more = files((0..7).map(|i| file("a", 100_000, 7 - i)));
        more.insert("x".into(), file("a", 90_000, 100));
        more.insert("small".into(), file("a", 10, 50));
        more.insert("next".into(), file("a", 1 << 20, 50));
        more.insert("full".into(), file("a", 30 << 20, 50));
        more.insert("other".into(), file("b", 100_000, 50));
        let groups = policy.groups(&more, 100);
        assert_eq!(groups.len(), 1);
        assert_eq!(
            groups[0],
            ["f00006", "f00005", "f00004", "f00003", "f00002", "f00001", "f00000", "small", "x"].map(String::from)
        );
    }

    /// A partition to which nothing has come for hours is merged whole; one file alone is not.
    #[test]
    fn a_cold_partition_is_merged_whole() {
        let policy = Policy::running(32 << 20, true);
        let two = files([file("a", 1_000, 0), file("a", 9 << 20, HOUR_MS), file("b", 1_000, 0)]);
        assert!(policy.groups(&two, 5 * HOUR_MS).iter().flatten().next().is_none());
        assert_eq!(policy.groups(&two, 8 * HOUR_MS), [vec!["f00000".to_string(), "f00001".into()]]);
    }

    /// Where rows are taken back, files that were written lately are left alone.
    #[test]
    fn files_that_may_be_taken_out_soon_are_left_alone() {
        let policy = Policy::running(32 << 20, true);
        let all: Vec<ActiveFile> = (0..NEWEST_FILES_SPARED as i64 + 8).map(|i| file("a", 1_000, i)).collect();
        assert!(policy.groups(&files(all[1..].to_vec()), 100).is_empty());
        let merged = policy.groups(&files(all), 100).concat();
        assert_eq!(merged, (0..8).map(|i| format!("f{i:05}")).collect::<Vec<_>>());
    }

    /// However many files there are, a pass reads no more than its bounds.
    #[test]
    fn a_pass_is_bounded() {
        let policy = Policy::everything(32 << 20);
        let many = files((0..10_000).map(|i| file("a", 100_000, i)));
        assert_eq!(policy.groups(&many, 0).iter().flatten().count(), PASS_FILES_MAX);
        let big = files((0..100).map(|i| file("a", 20 << 20, i)));
        assert_eq!(policy.groups(&big, 0).iter().flatten().count(), (PASS_BYTES_MAX / (20 << 20)) as usize);
    }

    /// What is merged again and again by the policy is bounded: 5,000 files of 3 KiB leave a few, and each byte is written
    /// again a few times only.
    #[test]
    fn files_and_work_are_bounded() {
        let policy = Policy::running(32 << 20, false);
        let (mut there, mut written, mut came) = (HashMap::new(), 0u64, 0u64);
        let mut most = 0;
        for i in 0..5_000 {
            there.insert(format!("n{i:05}"), file("a", 3 << 10, i));
            came += 3 << 10;
            for (n, group) in policy.groups(&there, i).into_iter().enumerate() {
                let bytes: u64 = group.iter().filter_map(|path| there.remove(path)).map(|f| f.size_bytes).sum();
                written += bytes;
                there.insert(format!("m{i:05}-{n}"), file("a", bytes, i));
            }
            most = most.max(there.len());
        }
        assert!(most <= 5 * TIER_FILES, "{most} files");
        assert!(written <= 6 * came, "{} times", written / came);
    }
}
