#![doc = include_str!("../README.md")]
// Sources, sinks and the store wait, tell the time and lock; operators must not (I-3), so it is forbidden them again below.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]
pub mod decode;
mod distinct;
pub mod exact_sum;
#[cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]
pub mod join;
pub mod order;
pub mod sink;
pub mod source;
pub mod store;
#[cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]
pub mod transform;
#[cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]
pub mod window;
