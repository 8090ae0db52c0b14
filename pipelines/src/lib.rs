//! sluice, the product: a dbt project and `sluice.yml` become a graph, and the graph a daemon with a command line.

pub mod admin;
pub mod cli;
pub mod compile;
pub mod daemon;
pub mod lake;
pub mod progress;
pub mod project;
pub mod sources;
pub mod sql;
pub mod table_text;
