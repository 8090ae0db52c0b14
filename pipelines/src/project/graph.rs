//! The order in which models are made, and the cycles that make an order impossible.

use std::collections::HashMap;

use indexmap::IndexMap;

/// Models in an order in which each comes after those that it reads; else one cycle, its first name repeated at the
/// end. Among models that are free, the order is that of the map.
///
/// # Errors
/// The names of a cycle.
pub(super) fn order(reads: &IndexMap<String, Vec<String>>) -> Result<Vec<String>, Vec<String>> {
    let mut state: HashMap<&str, State> = HashMap::new();
    let mut done = Vec::with_capacity(reads.len());
    for name in reads.keys() {
        visit(name, reads, &mut state, &mut done)?;
    }
    Ok(done)
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Open,
    Done,
}

/// Depth first with a stack of its own, so that a long chain of models cannot exhaust the thread's.
fn visit<'a>(
    start: &'a str,
    reads: &'a IndexMap<String, Vec<String>>,
    state: &mut HashMap<&'a str, State>,
    done: &mut Vec<String>,
) -> Result<(), Vec<String>> {
    let mut path: Vec<(&str, usize)> = Vec::new();
    if state.insert(start, State::Open) == Some(State::Done) {
        state.insert(start, State::Done);
        return Ok(());
    }
    path.push((start, 0));
    while let Some((name, next)) = path.last_mut() {
        let child = reads.get(*name).and_then(|children| children.get(*next));
        *next += 1;
        match child {
            None => {
                state.insert(name, State::Done);
                done.push((*name).to_owned());
                path.pop();
            }
            Some(child) => match state.get(child.as_str()) {
                Some(State::Done) => {}
                Some(State::Open) => {
                    let from = path.iter().position(|(name, _)| name == child).unwrap_or(0);
                    let mut cycle: Vec<String> = path[from..].iter().map(|(name, _)| (*name).to_owned()).collect();
                    cycle.push(child.clone());
                    return Err(cycle);
                }
                None if !reads.contains_key(child) => {}
                None => {
                    state.insert(child, State::Open);
                    path.push((child, 0));
                }
            },
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> IndexMap<String, Vec<String>> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        edges.iter().map(|(name, reads)| ((*name).to_owned(), owned(reads))).collect()
    }

    /// What is read comes first; the rest keeps its order; names outside of the graph are no nodes.
    #[test]
    fn what_is_read_comes_first() {
        let reads = graph(&[("c", &["b", "seed"]), ("a", &[]), ("b", &["a"]), ("d", &["c", "a"])]);
        assert_eq!(order(&reads).unwrap(), ["a", "b", "c", "d"]);
    }

    /// A cycle is given from a node back to itself, without the way that led to it.
    #[test]
    fn cycle_is_shown() {
        let reads = graph(&[("x", &["a"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])]);
        assert_eq!(order(&reads).unwrap_err(), ["a", "b", "c", "a"]);
        assert_eq!(order(&graph(&[("a", &["a"])])).unwrap_err(), ["a", "a"]);
    }

    /// A chain of 100,000 models is no deeper than one of three.
    #[test]
    fn long_chain() {
        let chain: IndexMap<String, Vec<String>> =
            (0..100_000).map(|i| (i.to_string(), vec![(i + 1).to_string()])).collect();
        assert_eq!(order(&chain).unwrap()[0], "99999");
    }
}
