#![doc = include_str!("README.md")]

mod contracts;
mod csv;
mod data_tests;
mod dbt_project;
mod describe;
mod docs;
mod ephemeral;
mod error;
mod exposures;
mod files;
mod graph;
mod jinja;
mod lines;
mod listing;
mod load;
mod models;
mod naming;
mod nearest;
mod node;
mod nodes;
mod notices;
mod packages;
mod properties;
mod quarantine;
mod relation;
mod resolve;
mod seeds;
mod select;
mod settings;
mod snapshots;
mod sources;
mod unit_tests;
mod units;
mod values;
mod yaml;

pub use describe::{ColumnType, Describe, Described, Describer};
pub use error::{ProjectError, ProjectErrors};
pub use exposures::Exposure;
pub use files::{Embedded, Files, Folder};
pub use load::{LoadOptions, Project};
pub use nearest::nearest;
pub use node::{
    Column, DataTest, Materialized, Model, NodeRef, Origin, PartitionBy, Severity, SourceColumn, SourceTable,
    StreamMeta,
};
pub use seeds::{Seed, SeedColumn};
pub use select::{Selected, Selection, Selector, select, select_except, selected};
pub use settings::{
    Admin, ClickHouse, FileStreams, KEEP_LOG_MIN, KEEP_REMOVED_FILES_MIN, Kafka, Run, Secret, Settings,
    SimulatedFaults, Simulator, SourceSettings, Tables, Workers,
};
pub use unit_tests::{Given, Rows, UnitTest};
pub use units::{parse_duration, parse_size};
pub use values::{Config, parse_vars};

#[cfg(test)]
mod tests;
