//! What the tests of the whole share: the real servers, the readers that check their answers, projects and their batch
//! results, and the rules of the tree.

mod binary;
pub mod cache;
pub mod compare;
pub mod events;
pub mod fuzz;
pub mod oracle;
pub mod project;
pub mod readers;
pub mod services;
pub mod tidy;

pub use binary::sluice_binary;
