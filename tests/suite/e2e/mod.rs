//! The whole, as people use it: real servers, the real program, the real dbt.

mod command;
mod facts;
mod servers;
mod shown;
