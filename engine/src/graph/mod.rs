//! The graph as it is described, before it is copied onto the workers.
//!
//! Nodes are added in topological order: an input must exist already, so a cycle cannot be described. Names are
//! stable: state, positions and tokens in a manifest are found by them.

mod level;

pub use level::levels;

use crate::error::{Error, Result};
use crate::operator::Operator;
use crate::sink::{Committer, Sink, SinkContext};
use crate::source::{Source, SourceContext};

/// Which node of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// How rows get from one node to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// They stay on their worker.
    Forward,
    /// Rows with equal values in these columns (indices) meet on one worker.
    Hash(Vec<usize>),
    /// All rows go to one worker, chosen by the receiving node's name.
    Gather,
}

/// An input of a node.
#[derive(Debug, Clone)]
pub struct Input {
    /// The node that sends.
    pub from: NodeId,
    /// Its output port.
    pub port: usize,
    /// How the rows travel.
    pub exchange: Exchange,
}

impl Input {
    /// Rows of the first output of `from`, on the same worker.
    pub fn forward(from: NodeId) -> Self {
        Self { from, port: 0, exchange: Exchange::Forward }
    }

    /// Rows of the first output of `from`, brought together by these columns.
    pub fn hash(from: NodeId, columns: Vec<usize>) -> Self {
        Self { from, port: 0, exchange: Exchange::Hash(columns) }
    }

    /// The same input from another output port.
    pub fn port(mut self, port: usize) -> Self {
        self.port = port;
        self
    }
}

type Build<C, T> = Box<dyn Fn(&C) -> Result<Box<T>> + Send + Sync>;

/// What a node is, as a factory that makes one instance for each worker.
pub enum NodeKind {
    /// A source.
    Source(Build<SourceContext, dyn Source>),
    /// An operator.
    Operator(Build<(), dyn Operator>),
    /// A sink, and the half of it that commits.
    Sink(Build<SinkContext, dyn Sink>, Option<Box<dyn Committer>>),
}

/// A node of a graph.
pub struct Node {
    /// Stable, unique name.
    pub name: String,
    /// Says what the node's state depends on; a manifest's state is restored only into an equal one.
    pub fingerprint: String,
    /// Where its rows come from.
    pub inputs: Vec<Input>,
    /// What it is.
    pub kind: NodeKind,
}

/// A graph of sources, operators and sinks.
#[derive(Default)]
pub struct Graph {
    nodes: Vec<Node>,
}

impl Graph {
    /// A graph without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn source(
        &mut self,
        name: impl Into<String>,
        build: impl Fn(&SourceContext) -> Result<Box<dyn Source>> + Send + Sync + 'static,
    ) -> Result<NodeId> {
        self.add(Node {
            name: name.into(),
            fingerprint: String::new(),
            inputs: vec![],
            kind: NodeKind::Source(Box::new(build)),
        })
    }

    /// Adds an operator. `fingerprint` says what its state depends on (expressions, types).
    ///
    /// # Errors
    /// When the name is taken or an input does not exist.
    pub fn operator(
        &mut self,
        name: impl Into<String>,
        fingerprint: impl Into<String>,
        inputs: Vec<Input>,
        build: impl Fn() -> Result<Box<dyn Operator>> + Send + Sync + 'static,
    ) -> Result<NodeId> {
        self.add(Node {
            name: name.into(),
            fingerprint: fingerprint.into(),
            inputs,
            kind: NodeKind::Operator(Box::new(move |()| build())),
        })
    }

    /// Adds a sink.
    ///
    /// # Errors
    /// When the name is taken or an input does not exist.
    pub fn sink(
        &mut self,
        name: impl Into<String>,
        inputs: Vec<Input>,
        build: impl Fn(&SinkContext) -> Result<Box<dyn Sink>> + Send + Sync + 'static,
        committer: Box<dyn Committer>,
    ) -> Result<NodeId> {
        self.add(Node {
            name: name.into(),
            fingerprint: String::new(),
            inputs,
            kind: NodeKind::Sink(Box::new(build), Some(committer)),
        })
    }

    /// The nodes, in topological order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn nodes_mut(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    fn add(&mut self, node: Node) -> Result<NodeId> {
        if self.nodes.iter().any(|n| n.name == node.name) {
            return Err(Error::bug(format!("the graph has two nodes named {:?}", node.name)));
        }
        if let Some(input) = node.inputs.iter().find(|i| i.from.0 >= self.nodes.len()) {
            return Err(Error::bug(format!("node {:?} reads node {} before it is there", node.name, input.from.0)));
        }
        self.nodes.push(node);
        Ok(NodeId(self.nodes.len() - 1))
    }
}
