#![doc = include_str!("../README.md")]
// The runtime waits, tells the time and locks; what operators are made of must not (I-3): it is forbidden again below.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod channel;
pub mod checkpoint;
pub mod error;
#[cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]
pub mod frame;
#[cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]
pub mod graph;
pub mod metrics;
#[cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]
pub mod operator;
pub mod runtime;
pub mod sink;
pub mod source;
#[cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]
pub mod state;
pub mod testing;

pub use error::{Error, ErrorKind, Result};
pub use frame::{Barrier, BarrierKind, Batch, Frame, TimeBounds};
pub use operator::{Emitter, Operator};
pub use sink::{Committer, Part, PrepareFuture, Sink, SinkContext, Token};
pub use source::{Polled, Position, Positions, Source, SourceContext};
