//! What outlives a crash: manifests and the packs of state that they name.

mod gc;
mod generation;
mod manifest;
mod memory;
mod pack;
mod store;

pub use gc::sweep;
pub use generation::{Holder, claim_generation, newest_holder, refuse_if_newer, release_generation};
pub use manifest::{ColdSegment, FORMAT_VERSION, Manifest, OperatorState, Segment, newest, publish};
pub use memory::MemoryStore;
pub use pack::{PackKind, PackWriter, checked_segment, read_segment, segment_checksum};
pub use store::{CheckpointStore, PutNew};
