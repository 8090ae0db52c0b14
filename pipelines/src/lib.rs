//! sluice, the product: a dbt project and `sluice.yml` become a graph, and the graph a daemon with a command line.

pub mod admin;
pub mod progress;
pub mod sql;
pub mod table_text;
