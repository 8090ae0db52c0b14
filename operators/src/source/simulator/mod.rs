//! A simulator of a music streaming site: users who listen, search, log in, upgrade and leave.
//!
//! It reads the configuration files of *eventsim* unchanged and gives the same four streams ([`STREAMS`]): the same
//! layout, times, sessions and mix of pages, in order of event time, and the same bytes for the same seed on every
//! machine. It can send at a pace ([`Pace`]), and can spoil records on purpose and say which ([`Faults`], [`Truth`]).
//!
//! Records go to a folder ([`files`]), to Kafka ([`kafka`]), or straight into a graph ([`SimulatorSource`]).
//!
//! A session that is under way when the records begin is counted from its first record: `itemInSession` always
//! begins at 0, and sessions are numbered from 1 in the order in which they appear.

mod calendar;
mod catalog;
mod chain;
mod config;
mod error;
mod event;
mod fault;
mod feed;
mod field;
pub mod files;
mod generator;
mod identity;
mod json;
pub mod kafka;
mod math;
mod options;
mod pace;
mod people;
mod queues;
mod random;
mod records;
mod rhythm;
mod run;
mod send;
mod source;
#[cfg(test)]
mod tests;
mod truth;
mod user;

pub use config::SimulatorConfig;
pub use error::SimulatorError;
pub use fault::{Fault, InjectedFault, Malformed};
pub use generator::{SharedSimulator, SimulatorSourceConfig};
pub use options::{Faults, Options};
pub use pace::{Due, Pace};
pub use records::{Record, Records, STREAMS};
pub use run::{Filled, Simulator};
pub use send::Stop;
pub use source::SimulatorSource;
pub use truth::{StreamTruth, Truth, TruthWriter};
