//! The tests that see the whole, in one binary.

mod audit;
mod bad_input;
mod changed;
mod commands;
mod dbt;
mod deploy;
mod e2e;
mod fuzz;
mod golden;
mod idle;
mod kafka;
mod parity;
mod readers;
mod replay;
mod services;
mod sim;
mod soak;
mod tidy;
mod upkeep;
