//! What outlives a crash: manifests and the packs of state that they name.

mod gc;
mod holder;
mod manifest;
mod memory;
mod pack;
mod store;

pub use gc::sweep;
pub use holder::{Holder, holder, release};
pub use manifest::{FORMAT_VERSION, Manifest, OperatorState, Segment, claim_generation, newest, publish};
pub use memory::MemoryStore;
pub use pack::{PackWriter, read_segment, segment_checksum};
pub use store::{CheckpointStore, PutNew};
