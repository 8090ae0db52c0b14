//! What the tests of the whole share: the real servers, the readers that check their answers, and the rules of the tree.

pub mod cache;
pub mod readers;
pub mod services;
pub mod tidy;
