//! Runs a graph: workers step stages, a coordinator cuts the streams into epochs and commits them.

mod build;
mod commit;
mod control;
mod coordinator;
mod cuts;
mod edge;
mod gather;
mod marks;
mod observer;
mod rebuild;
mod restore;
mod run;
mod shelf;
mod stage;
mod start;
mod states;
mod stepped;
mod steps;
mod worker;

#[cfg(test)]
mod tests;

pub use control::StopHandle;
pub use observer::{Committed, NoObserver, Observer};
pub use rebuild::Rebuild;
pub use restore::check_same_graph;
pub use run::{Claim, RunConfig, Summary, claim, run};
pub use stepped::Stepped;
