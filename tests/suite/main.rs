//! The tests that see the whole, in one binary.

mod readers;
mod services;
mod tidy;
