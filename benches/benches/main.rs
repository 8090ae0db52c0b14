//! All benches, an area a file. In one binary, with the product's allocator.
//!
//! `cargo bench -p sluice-benches -- decode` runs those whose name has "decode" in it.

// A bench that cannot be set up has nothing to measure: it panics, and says why.
#![allow(missing_docs)]

mod aggregate;
mod decode;
mod dedupe;
mod delta;
mod join;
mod pipeline;
mod ring;

use criterion::{criterion_group, criterion_main};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group!(
    all,
    decode::benches,
    dedupe::benches,
    aggregate::benches,
    join::benches,
    delta::benches,
    ring::benches,
    pipeline::benches
);
criterion_main!(all);
