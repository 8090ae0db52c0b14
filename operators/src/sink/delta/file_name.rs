//! Names of data files: each says who wrote it, and a checksum of what is in it.
//!
//! `part-<writer>-<number>-<checksum>.snappy.parquet`. The checksum is xxh3's of 128 bits over the file's bytes, in
//! hexadecimal: whoever has the log has the checksum of each file too, also of one that was taken out, and also when the log
//! was written anew as a checkpoint.

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::writer::FILE_SUFFIX;

/// Digits of a checksum in a name.
const CHECKSUM_DIGITS: usize = 32;
/// What the writer's name begins with when a table that no graph writes was written.
pub(super) const WHOLE_WRITER: &str = "whole";
/// What follows the run's number when an epoch has written a file again without some of its rows.
pub(super) const REWRITE: &str = "rewrite";
/// What follows it when files have been merged: no epoch's token names such a file.
pub(super) const MERGE: &str = "merge";
/// What follows it when an epoch was brought in over files that were merged after its token was made, which does not name them.
pub(super) const REBASE: &str = "rebase";

/// The name of a file of these bytes, without its folder. `writer` begins with the run's number (or is
/// [`WHOLE_WRITER`] and what follows it); `number` counts the writer's files.
pub(super) fn data_file(writer: &str, number: u64, content: &[Bytes]) -> String {
    let mut hasher = Xxh3::new();
    content.iter().for_each(|piece| hasher.update(piece));
    format!("part-{writer}-{number:05}-{:032x}{FILE_SUFFIX}", hasher.digest128())
}

/// The checksum that a file's path says; none when another program (or an older version of this one) has named it.
pub fn checksum_in_name(path: &str) -> Option<u128> {
    let (_, digits) = writer_and_checksum(path)?;
    u128::from_str_radix(digits, 16).ok()
}

/// True for a file that an epoch has written; false for what maintenance or other programs have made of such files.
pub fn written_by_epoch(path: &str) -> bool {
    let by_epoch = |writer: &str| match writer.split_once('-') {
        Some((WHOLE_WRITER, _)) => true,
        Some((run, what)) => {
            let what = what.split('-').next().unwrap_or_default();
            run.bytes().all(|b| b.is_ascii_digit()) && ![MERGE, REBASE].contains(&what)
        }
        None => false,
    };
    checksum_in_name(path).is_some() && writer_and_checksum(path).is_some_and(|(writer, _)| by_epoch(writer))
}

fn writer_and_checksum(path: &str) -> Option<(&str, &str)> {
    let name = path.rsplit('/').next()?.strip_prefix("part-")?.strip_suffix(FILE_SUFFIX)?;
    let (rest, digits) = name.rsplit_once('-')?;
    let (writer, _number) = rest.rsplit_once('-')?;
    (digits.len() == CHECKSUM_DIGITS).then_some((writer, digits))
}

/// The checksum of a file's bytes, as its name has it.
pub fn content_checksum(content: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name says the checksum of the bytes, in however many pieces they come; names of others say nothing.
    #[test]
    fn names_say_checksums() {
        let pieces = [Bytes::from_static(b"ab"), Bytes::from_static(b"c")];
        let path = format!("_date=2026-01-01/{}", data_file("00001-000", 7, &pieces));
        assert!(path.starts_with("_date=2026-01-01/part-00001-000-00007-"), "{path}");
        assert_eq!(checksum_in_name(&path), Some(content_checksum(b"abc")));
        assert!(written_by_epoch(&path) && written_by_epoch(&data_file("whole-3", 0, &pieces)));
        assert!(written_by_epoch(&data_file("00001-rewrite-7", 0, &pieces)));
        for maintenance in ["00001-merge-0b0a6a1e52a44d378f5b3c1b5e3f6a11", "00001-rebase-7", "compacted-3"] {
            let name = data_file(maintenance, 0, &pieces);
            assert!(checksum_in_name(&name).is_some() && !written_by_epoch(&name), "{name}");
        }
        for other in [
            "part-00001-000-00000-5ab9c2ac-9e4f-4a86-b7f1-3c2b1d6f0a11.snappy.parquet",
            "part-00001-000-00000-5ab9c2ac9e4f4a86b7f13c2b1d6f0a1g.snappy.parquet",
            "part-1.parquet",
            "",
        ] {
            assert!(checksum_in_name(other).is_none() && !written_by_epoch(other), "{other}");
        }
    }
}
