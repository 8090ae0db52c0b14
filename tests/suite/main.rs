//! The tests that see the whole, in one binary.

mod bad_input;
mod commands;
mod deploy;
mod e2e;
mod golden;
mod idle;
mod kafka;
mod readers;
mod services;
mod sim;
mod tidy;
