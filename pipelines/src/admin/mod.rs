//! The daemon's window to the outside: liveness, readiness, metrics and status over HTTP.
//!
//! | path | answer |
//! |---|---|
//! | `/healthz` | 200 `ok` while nothing has failed; 503 and the reason from a failure until the restart begins |
//! | `/readyz` | 200 `ok` once rows flow or an epoch was committed; 503 and the reason before, and around a restart |
//! | `/metrics` | every metric of the engine's catalog, in Prometheus' text format |
//! | `/status` | the same numbers as JSON: see [`Status`] |
//! | `/` | this list, as text |
//!
//! It reads counters and changes nothing, so it needs no rights; by default it listens on the loopback address only.

mod connection;
mod exposition;
mod health;
mod server;
mod status;

pub use health::{Health, HealthReport, Phase};
pub use server::{AdminServer, check_listen};
pub use status::{AdminState, NodeStatus, RefreshStatus, SourceStatus, Status};

#[cfg(test)]
mod tests;
