//! Queries over rows that come and go at random, in batches of any size, with barriers and restarts anywhere: after each
//! barrier the operators' rows are those of a batch query over the rows that are there.

mod queries;
mod rows;
mod runner;

use queries::{Needs, QUERIES};
use rows::{Changes, Tables};
use runner::{BatchQuery, Runner};

/// Steps of one run; about a third of them are barriers.
const STEPS: usize = 40;
/// Runs of each query, unless the variable `SLUICE_SEEDS` says another number.
const SEEDS: u64 = 2;

fn block<T>(f: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(f)
}

/// One run: what differs from the batch answer, if anything does.
fn run(query: &BatchQuery, append_only: bool, seed: u64) -> Result<(), String> {
    let mut tables = Tables::default();
    let mut changes = Changes::new(seed, append_only);
    let mut runner = Runner::new(query, append_only)?;
    for step in 0..STEPS {
        match changes.below(9) {
            0..=4 => {
                let (table, batch) = changes.next(&mut tables);
                runner.push(table, batch)?;
            }
            n => {
                runner.barrier(n >= 7)?;
                let expected = block(query.answer(&tables))?;
                let found = runner.answer();
                if found != expected {
                    let missing: Vec<_> = expected.iter().filter(|r| !found.contains(r)).take(5).collect();
                    let wrong: Vec<_> = found.iter().filter(|r| !expected.contains(r)).take(5).collect();
                    return Err(format!(
                        "step {step}: {} rows, expected {}\nmissing: {missing:#?}\nwrong: {wrong:#?}",
                        found.len(),
                        expected.len()
                    ));
                }
                if n == 8 {
                    runner.restart(changes.below(2) == 0)?;
                }
            }
        }
    }
    Ok(())
}

/// Every query, over rows that only come and over rows that come and go.
#[test]
fn every_query_has_the_batch_answer() {
    let only = std::env::var("SLUICE_QUERY").ok();
    let seeds = std::env::var("SLUICE_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(SEEDS);
    let mut faults = Vec::new();
    for (name, needs, sql) in QUERIES {
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let query = match block(BatchQuery::new(sql, if *needs == Needs::Tolerance { 11 } else { 16 })) {
            Ok(query) => query,
            Err(fault) => {
                faults.push(format!("{name}: {fault}"));
                continue;
            }
        };
        for append_only in [true, false] {
            for seed in 0..seeds {
                if let Err(fault) = run(&query, append_only, seed) {
                    faults.push(format!("{name} append_only={append_only} seed={seed}: {fault}\n{sql}"));
                    break;
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n\n"));
}
