//! A pack: the state pieces of one epoch in one file, because a file store likes few files.

use bytes::Bytes;

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
        self.length += length;
        self.pieces.extend(state);
        Segment { pack: self.path.clone(), offset, length, epoch: self.epoch, full }
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
    Ok(pack.slice(segment.offset as usize..end as usize))
}
