//! Bytes that are written once and kept, in pieces: a vector that grows would be copied again and again.

use std::io::{Result, Write};

use bytes::Bytes;

/// Bytes of the first piece, and of the biggest; each is twice the one before.
const PIECE_BYTES: (usize, usize) = (8 << 10, 256 << 10);

/// Takes what is written.
#[derive(Debug, Default)]
pub struct PieceWriter {
    full: Vec<Bytes>,
    open: Vec<u8>,
    full_bytes: usize,
}

impl PieceWriter {
    /// What was written, in order.
    pub fn into_pieces(mut self) -> Vec<Bytes> {
        self.close();
        self.full
    }

    /// Bytes written.
    pub fn len(&self) -> usize {
        self.full_bytes + self.open.len()
    }

    /// True when nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.full_bytes + self.open.capacity()
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            let piece = std::mem::take(&mut self.open);
            self.full_bytes += piece.len();
            self.full.push(Bytes::from(piece));
        }
    }
}

impl Write for PieceWriter {
    fn write(&mut self, mut bytes: &[u8]) -> Result<usize> {
        let written = bytes.len();
        while !bytes.is_empty() {
            if self.open.len() == self.open.capacity() {
                let (first, biggest) = PIECE_BYTES;
                let room = (2 * self.open.capacity()).clamp(first, biggest);
                self.close();
                self.open = Vec::with_capacity(room);
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.open.capacity() - self.open.len()));
            self.open.extend_from_slice(now);
            bytes = later;
        }
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written in parts of any size is there, in pieces of bounded size.
    #[test]
    fn what_was_written_is_there() {
        let mut writer = PieceWriter::default();
        let mut expected = Vec::new();
        assert!(writer.is_empty());
        for size in [0, 1, 7_000, 3_000, 1_000_000, 12] {
            let part: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            writer.write_all(&part).expect("memory");
            expected.extend(part);
        }
        assert_eq!(writer.len(), expected.len());
        let pieces = writer.into_pieces();
        assert!(pieces.iter().all(|p| p.len() <= PIECE_BYTES.1));
        assert_eq!(pieces.concat(), expected);
    }
}
