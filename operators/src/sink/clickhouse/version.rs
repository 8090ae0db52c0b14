//! The `_version` column: which of two rows for one key is the newer one.
//!
//! A version is packed from the run's generation (24 bits, high) and the barrier's sequence (40 bits, low). The epoch
//! is not in it: it grows with the sequence inside of one generation, so it would cost bits and order nothing; it has
//! its own column (`_epoch`), which tells after a crash which rows were shown before their epoch was committed.
//!
//! Bounds: 16 777 215 starts of one pipeline, and 2^40 - 1 barriers in one run (17 000 years at two a second).
//! Beyond them packing is an error and never wraps, because a version that wraps would let an old row win.

use sluice_engine::{Error, Result};

/// Bits of the version that hold the generation.
pub const GENERATION_BITS: u32 = 24;

/// Bits of the version that hold the barrier's sequence.
pub const SEQUENCE_BITS: u32 = 40;

/// When rows were made: the run, the barrier in it, and the epoch that they belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Counts the starts of the pipeline.
    pub generation: u64,
    /// Counts the barriers of the run, from 1; 0 is what recovery writes.
    pub sequence: u64,
    /// The epoch that the rows belong to.
    pub epoch: u64,
}

impl Stamp {
    /// The value of `_version`.
    ///
    /// # Errors
    /// `Config` when the generation or the sequence needs more bits than it has.
    pub fn version(&self) -> Result<u64> {
        fits("generation", self.generation, GENERATION_BITS)?;
        fits("sequence", self.sequence, SEQUENCE_BITS)?;
        Ok((self.generation << SEQUENCE_BITS) | self.sequence)
    }
}

/// The generation that a `_version` was made in.
pub fn generation_of(version: u64) -> u64 {
    version >> SEQUENCE_BITS
}

/// The lowest `_version` of a generation; the highest there is when the generation has none.
pub(super) fn first_version(generation: u64) -> u64 {
    if generation >> GENERATION_BITS == 0 { generation << SEQUENCE_BITS } else { u64::MAX }
}

fn fits(name: &str, value: u64, bits: u32) -> Result<()> {
    if value >> bits == 0 {
        return Ok(());
    }
    Err(Error::config(format!(
        "{name} {value} does not fit into the {bits} bits that clickhouse's _version has for it; drop the __rows tables \
         and start the pipeline on a new `lake`, from which they are filled again"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(generation: u64, sequence: u64) -> Result<u64> {
        Stamp { generation, sequence, epoch: 0 }.version()
    }

    /// Shows that versions order first by generation, then by sequence, up to the last value of each.
    #[test]
    fn versions_grow_with_generation_then_sequence() {
        let last_sequence = (1 << SEQUENCE_BITS) - 1;
        let last_generation = (1 << GENERATION_BITS) - 1;
        let points = [(0, 0), (0, 1), (0, last_sequence), (1, 0), (1, 7), (2, 0), (last_generation, last_sequence)];
        let versions: Vec<u64> = points.iter().map(|(g, s)| version(*g, *s).unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        assert_eq!(versions.last(), Some(&u64::MAX));
        assert_eq!(generation_of(versions[4]), 1);
    }

    /// Shows that a value beyond its bits is an error that names it, and does not wrap.
    #[test]
    fn values_beyond_their_bits_are_errors() {
        assert!(
            version(1 << GENERATION_BITS, 0).unwrap_err().to_string().starts_with("generation 16777216 does not fit")
        );
        assert!(version(0, 1 << SEQUENCE_BITS).unwrap_err().to_string().starts_with("sequence 1099511627776 "));
    }
}
