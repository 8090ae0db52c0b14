#![doc = include_str!("../README.md")]

pub mod decode;
pub mod join;
pub mod sink;
pub mod source;
pub mod store;
pub mod transform;
pub mod window;
