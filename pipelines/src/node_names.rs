//! Names of the graph's sources: which of them a user knows. Everything else in a manifest or among the counters (seeds, rows
//! of the SQL) is internal, and is not shown.

use crate::compile::Stream;

/// What the names of the streams' sources begin with.
const STREAM: &str = "source/";

/// The name of the node that reads a stream.
pub fn stream_source(stream: &Stream) -> String {
    format!("{STREAM}{}.{}", stream.source, stream.name)
}

/// The stream, `source.table` as in the dbt project, that the node of this name reads; none for an internal node.
pub fn stream_of(node: &str) -> Option<&str> {
    node.strip_prefix(STREAM)
}
