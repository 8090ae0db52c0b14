//! Rows of a partition that have not been near a change for long, packed: about a fifth of their size.

use sluice_engine::{Error, Result};

use super::partition::{Held, RowKey};

/// Rows that follow each other, compressed (LZ4).
#[derive(Debug)]
pub struct Block {
    bytes: Box<[u8]>,
}

/// Bytes before each row: the lengths of its key and of what is carried (u32 each), and its weight (i64).
const HEAD_BYTES: usize = 16;

impl Block {
    /// Packs rows, in order.
    pub fn of(rows: impl Iterator<Item = (RowKey, Held)>) -> Block {
        let mut bytes = Vec::new();
        for (key, held) in rows {
            bytes.extend((key.len() as u32).to_le_bytes());
            bytes.extend((held.carried.len() as u32).to_le_bytes());
            bytes.extend(held.weight.to_le_bytes());
            bytes.extend_from_slice(&key);
            bytes.extend_from_slice(&held.carried);
        }
        Block { bytes: lz4_flex::block::compress_prepend_size(&bytes).into() }
    }

    /// The rows, in order.
    ///
    /// # Errors
    /// `Bug` when the bytes are not what [`of`](Self::of) wrote.
    pub fn rows(&self) -> Result<Vec<(RowKey, Held)>> {
        let damaged = || Error::bug("packed rows of a window function cannot be read");
        let bytes = lz4_flex::block::decompress_size_prepended(&self.bytes).map_err(|_| damaged())?;
        let mut rest = bytes.as_slice();
        let mut rows = Vec::new();
        while !rest.is_empty() {
            rows.push(next_row(&mut rest).ok_or_else(damaged)?);
        }
        Ok(rows)
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.len() + size_of::<Block>()
    }
}

fn next_row(rest: &mut &[u8]) -> Option<(RowKey, Held)> {
    let (head, after) = rest.split_at_checked(HEAD_BYTES)?;
    let length = |from: usize| head[from..from + 4].first_chunk().map(|l| u32::from_le_bytes(*l) as usize);
    let weight = i64::from_le_bytes(*head.last_chunk()?);
    let (key, after) = after.split_at_checked(length(0)?)?;
    let (carried, after) = after.split_at_checked(length(4)?)?;
    *rest = after;
    Some((key.into(), Held { weight, carried: carried.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows come back as they were, and take less room when they are alike.
    #[test]
    fn rows_come_back() {
        let row = |n: u64| {
            let key = [&n.to_be_bytes()[..], b"the same in every row"].concat();
            (RowKey::from(key), Held { weight: n as i64 - 3, carried: vec![7; n as usize % 5].into() })
        };
        let block = Block::of((0..100).map(row));
        let rows = block.rows().expect("written by a block");
        assert_eq!(rows.len(), 100);
        for (n, (key, held)) in rows.into_iter().enumerate() {
            let (expected, was) = row(n as u64);
            assert_eq!((key, held.weight, held.carried), (expected, was.weight, was.carried));
        }
        assert!(block.memory_bytes() < 100 * 25, "{} bytes", block.memory_bytes());
    }
}
