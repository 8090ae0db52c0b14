//! The tests that see the whole, in one binary.

mod bad_input;
mod readers;
mod services;
mod tidy;
