//! A pack: the state pieces of one epoch in one file, because a file store likes few files.

use bytes::Bytes;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::manifest::Segment;
use super::store::{CheckpointStore, PutNew};
use crate::error::{Error, Result};

const MAGIC: &[u8; 8] = b"SLUICE\x00\x01";

/// The run that a pack's path names.
pub(super) fn generation_of(path: &str) -> Option<u64> {
    path.strip_suffix(".pack")?.rsplit_once('-')?.1.parse().ok()
}

/// What a pack is for: what is replaced soon does not lie in one file with what stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackKind {
    /// Snapshots, which a full one replaces.
    State,
    /// What has left memory.
    Cold,
}

impl PackKind {
    /// All there are.
    pub(super) const ALL: [PackKind; 2] = [PackKind::State, PackKind::Cold];

    pub(super) fn folder(self, pipeline: &str) -> String {
        match self {
            PackKind::State => format!("{pipeline}/state"),
            PackKind::Cold => format!("{pipeline}/cold"),
        }
    }
}

/// Collects the pieces of an epoch.
pub struct PackWriter {
    path: String,
    epoch: u64,
    pieces: Vec<Bytes>,
    length: u64,
}

impl PackWriter {
    /// A pack for `epoch` of a pipeline, written by `generation` (part of the name, so that an epoch that is done again after a crash
    /// never meets its own left-overs).
    pub fn new(pipeline: &str, kind: PackKind, generation: u64, epoch: u64) -> Self {
        let pieces = vec![Bytes::from_static(MAGIC)];
        let path = format!("{}/{epoch:020}-{generation}.pack", kind.folder(pipeline));
        Self { path, epoch, pieces, length: MAGIC.len() as u64 }
    }

    /// Adds the state of an operator's instance, which comes in pieces.
    pub fn add(&mut self, state: Vec<Bytes>, full: bool) -> Segment {
        let (offset, length) = (self.length, state.iter().map(|p| p.len() as u64).sum());
        let mut hasher = Xxh3Default::new();
        state.iter().for_each(|piece| hasher.update(piece));
        self.length += length;
        self.pieces.extend(state);
        Segment { pack: self.path.clone(), offset, length, epoch: self.epoch, full, checksum: Some(hasher.digest()) }
    }

    /// Writes the pack, if anything was added.
    ///
    /// # Errors
    /// `Transient` when the store is away; `Bug` when the file exists.
    pub async fn write(self, store: &dyn CheckpointStore) -> Result<()> {
        if self.pieces.len() == 1 {
            return Ok(());
        }
        match store.put_new(&self.path, self.pieces).await? {
            PutNew::Done => Ok(()),
            PutNew::Exists => Err(Error::bug(format!("state pack {} exists already", self.path))),
        }
    }
}

/// The bytes of a segment, given its whole pack.
///
/// # Errors
/// `Data` when the pack is damaged.
pub fn read_segment(pack: &Bytes, segment: &Segment) -> Result<Bytes> {
    if pack.get(..MAGIC.len()) != Some(MAGIC.as_slice()) {
        return Err(Error::data(format!("state pack {} is damaged: it does not begin as a pack", segment.pack)));
    }
    let end = segment.offset.checked_add(segment.length).filter(|e| *e <= pack.len() as u64);
    let Some(end) = end else {
        return Err(Error::data(format!("state pack {} is damaged: it is too short", segment.pack)));
    };
    checked_segment(pack.slice(segment.offset as usize..end as usize), segment)
}

/// The bytes of a segment, when they are those that were written.
///
/// # Errors
/// `Data` when the pack is damaged.
pub fn checked_segment(bytes: Bytes, segment: &Segment) -> Result<Bytes> {
    if bytes.len() as u64 != segment.length {
        return Err(Error::data(format!("state pack {} is damaged: it is too short", segment.pack)));
    }
    if segment.checksum.is_some_and(|checksum| checksum != segment_checksum(&bytes)) {
        return Err(Error::data(format!(
            "state pack {} is damaged: its bytes are not those that were written",
            segment.pack
        )));
    }
    Ok(bytes)
}

/// The checksum of a segment's bytes (xxh3, 64 bits). Reading state trusts it: damaged state must not come so far as to be
/// decoded.
pub fn segment_checksum(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::MemoryStore;
    use super::*;

    /// A segment comes back as it was written, whatever pieces it came in; with one bit changed it is refused.
    #[test]
    fn damage_is_found() {
        let store = MemoryStore::default();
        let mut pack = PackWriter::new("p", PackKind::State, 1, 1);
        let first = pack.add(vec![Bytes::from_static(b"ab"), Bytes::from_static(b"c")], true);
        let second = pack.add(vec![Bytes::from_static(b"defg")], false);
        futures::executor::block_on(pack.write(&store)).expect("written");
        let bytes = futures::executor::block_on(store.get(&first.pack)).expect("read").expect("it is there");
        assert_eq!(read_segment(&bytes, &first).expect("whole"), "abc");
        assert_eq!(read_segment(&bytes, &second).expect("whole"), "defg");
        let mut damaged = bytes.to_vec();
        damaged[first.offset as usize + 1] ^= 4;
        let damaged = Bytes::from(damaged);
        let error = read_segment(&damaged, &first).expect_err("damaged");
        assert!(error.to_string().contains("not those that were written"), "{error}");
        assert_eq!(read_segment(&damaged, &second).expect("whole"), "defg");
        let old = Segment { checksum: None, ..first };
        assert!(read_segment(&damaged, &old).is_ok(), "older manifests have no checksums");
    }
}
