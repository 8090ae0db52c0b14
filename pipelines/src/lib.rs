#![doc = include_str!("../README.md")]

pub mod admin;
pub mod artifacts;
pub mod audit;
pub mod cli;
pub mod compile;
pub mod daemon;
pub mod holder;
pub mod lake;
pub mod node_names;
pub mod progress;
pub mod project;
pub mod replay;
pub mod sources;
pub mod sql;
pub mod table_text;
pub mod unit_test;
