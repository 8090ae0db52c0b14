//! Which values are there: one bit for each row and column, kept by row while decoding (one store a row) and turned into
//! Arrow's bitmaps by column at the end.

use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};

/// The bits of all rows. Column `c` is bit `c % 64` of word `c / 64` of each row.
pub(super) struct Validity {
    words_per_row: usize,
    rows: Vec<u64>,
}

impl Validity {
    pub(super) fn new(columns: usize) -> Self {
        Self { words_per_row: columns.div_ceil(64).max(1), rows: Vec::new() }
    }

    pub(super) fn words_per_row(&self) -> usize {
        self.words_per_row
    }

    #[inline(always)]
    pub(super) fn push(&mut self, row: &[u64]) {
        self.rows.extend_from_slice(row);
    }

    /// Makes room for `rows` rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.rows.reserve(rows * self.words_per_row);
    }

    /// The bitmaps of all columns, in order (and of some more, that stand for nothing); none where no value is null.
    /// Forgets the rows.
    pub(super) fn take(&mut self) -> Vec<Option<NullBuffer>> {
        let rows = std::mem::take(&mut self.rows);
        (0..self.words_per_row).flat_map(|word| bitmaps(&rows, word, self.words_per_row)).collect()
    }
}

/// The bitmaps of the 64 columns of one word.
fn bitmaps(rows: &[u64], word: usize, words_per_row: usize) -> Vec<Option<NullBuffer>> {
    let words = || rows.iter().skip(word).step_by(words_per_row);
    let complete = words().fold(u64::MAX, |all, row| all & row);
    let count = rows.len() / words_per_row;
    let mut columns: Vec<Vec<u64>> =
        (0..64).map(|c| Vec::with_capacity(if complete >> c & 1 == 1 { 0 } else { count.div_ceil(64) })).collect();
    let mut words = words().copied();
    for _ in 0..count.div_ceil(64) {
        let mut block: [u64; 64] = std::array::from_fn(|_| words.next().unwrap_or(0));
        transpose(&mut block);
        for (column, bits) in
            columns.iter_mut().zip(block).enumerate().filter(|(c, _)| complete >> c & 1 == 0).map(|c| c.1)
        {
            column.push(bits.to_le());
        }
    }
    let bitmap = |(c, words): (usize, Vec<u64>)| {
        let is_null_free = complete >> c & 1 == 1;
        (!is_null_free).then(|| NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(words), 0, count)))
    };
    columns.into_iter().enumerate().map(bitmap).collect()
}

/// Transposes 64 x 64 bits in place: bit `c` of word `r` becomes bit `r` of word `c` (Warren, "Hacker's Delight", 7-3).
fn transpose(block: &mut [u64; 64]) {
    let mut width = 32;
    let mut mask = 0x0000_0000_FFFF_FFFF_u64;
    while width != 0 {
        let mut row = 0;
        while row < 64 {
            let moved = ((block[row] >> width) ^ block[row + width]) & mask;
            block[row] ^= moved << width;
            block[row + width] ^= moved;
            row = ((row | width) + 1) & !width;
        }
        width >>= 1;
        mask ^= mask << width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows that bits come out where they went in, over several words a row and a last block that is not full.
    #[test]
    fn bits_keep_their_row_and_column() {
        let (columns, rows) = (130, 200);
        let bit = |row: usize, column: usize| column == 3 || !(row * 7 + column * 13).is_multiple_of(5);
        let mut validity = Validity::new(columns);
        for row in 0..rows {
            let mut words = vec![0; validity.words_per_row()];
            for column in (0..columns).filter(|column| bit(row, *column)) {
                words[column / 64] |= 1 << (column % 64);
            }
            validity.push(&words);
        }
        let taken = validity.take();
        assert!(taken[3].is_none());
        for column in (0..columns).filter(|column| *column != 3) {
            let bitmap = taken[column].as_ref().unwrap();
            assert_eq!(bitmap.len(), rows);
            for row in 0..rows {
                assert_eq!(bitmap.is_valid(row), bit(row, column), "row {row}, column {column}");
            }
        }
        assert!(validity.take().iter().all(Option::is_none));
    }
}
