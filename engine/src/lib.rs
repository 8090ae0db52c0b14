#![doc = include_str!("../README.md")]

pub mod channel;
pub mod checkpoint;
pub mod error;
pub mod frame;
pub mod graph;
pub mod metrics;
pub mod operator;
pub mod runtime;
pub mod sink;
pub mod source;
pub mod state;
pub mod testing;

pub use error::{Error, ErrorKind, Result};
pub use frame::{Barrier, BarrierKind, Batch, Frame, TimeBounds};
pub use operator::{Emitter, Operator};
pub use sink::{Committer, Part, PrepareFuture, Sink, SinkContext, Token};
pub use source::{Polled, Position, Positions, Source, SourceContext};
