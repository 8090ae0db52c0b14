//! How a graph is cut into stages.
//!
//! A node's level is the largest number of exchanges on a way from a source to it. All nodes of one level form one
//! stage on each worker; an edge between levels is a ring. A stage so never waits for itself: levels only grow.

use super::{Exchange, Graph};

/// The level of each node, from 0. With one worker nothing needs an exchange, so everything is level 0.
pub fn levels(graph: &Graph, workers: usize) -> Vec<usize> {
    let mut levels: Vec<usize> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let level = node
            .inputs
            .iter()
            .map(|i| levels[i.from.0] + usize::from(workers > 1 && i.exchange != Exchange::Forward))
            .max()
            .unwrap_or(0);
        levels.push(level);
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::super::Input;
    use super::*;
    use crate::error::Error;

    fn graph() -> Graph {
        let mut g = Graph::new();
        let a = g.source("a", |_| Err(Error::bug("unused"))).expect("new name");
        let b = g.operator("b", "", vec![Input::forward(a)], || Err(Error::bug("unused"))).expect("new name");
        let c = g.operator("c", "", vec![Input::hash(b, vec![0])], || Err(Error::bug("unused"))).expect("new name");
        g.operator("d", "", vec![Input::forward(a), Input::forward(c)], || Err(Error::bug("unused")))
            .expect("new name");
        g
    }

    /// A node that joins a direct way with one through an exchange stands behind the exchange.
    #[test]
    fn levels_count_exchanges() {
        assert_eq!(levels(&graph(), 2), vec![0, 0, 1, 1]);
    }

    /// One worker needs no exchange and so no second stage.
    #[test]
    fn one_worker_is_one_stage() {
        assert_eq!(levels(&graph(), 1), vec![0, 0, 0, 0]);
    }

    /// Two nodes of one name would share state.
    #[test]
    fn names_are_unique() {
        let mut g = graph();
        assert!(g.source("a", |_| Err(Error::bug("unused"))).is_err());
    }
}
