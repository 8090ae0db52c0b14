//! The parts of sluice: sources, decoders, transforms, windows, joins and sinks.
//!
//! One folder for each part, under its role, in the order in which a record meets them. No folder imports a sibling:
//! what two of them share belongs to the engine.

pub mod decode;
pub mod join;
pub mod sink;
pub mod source;
pub mod store;
pub mod transform;
pub mod window;
