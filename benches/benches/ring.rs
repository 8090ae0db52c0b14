//! The edge between two stages.

use std::hint::{black_box, spin_loop};
use std::thread;

use criterion::{BenchmarkId, Criterion, Throughput};
use sluice_benches::inputs::keyed_batches;
use sluice_engine::Frame;
use sluice_engine::channel::Ring;

/// Frames that pass in one round.
const FRAMES: usize = if cfg!(debug_assertions) { 1_000 } else { 100_000 };

pub fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine::channel::ring");
    group.throughput(Throughput::Elements(FRAMES as u64));
    let batch = keyed_batches(1, 10).expect("rows can be made").remove(0);
    for (name, frame) in [("watermark", Frame::Watermark(0)), ("data", Frame::Data(batch))] {
        let id = |threads| BenchmarkId::from_parameter(format!("threads={threads}/frame={name}/frames={FRAMES}"));
        group.bench_function(id(1), |bench| bench.iter(|| one_thread(&frame)));
        group.bench_function(id(2), |bench| bench.iter(|| two_threads(&frame)));
    }
    group.finish();
}

/// Push and pop in turn: the bare cost of a frame, without a cache line that moves between cores.
fn one_thread(frame: &Frame) {
    let ring = Ring::default();
    for _ in 0..FRAMES {
        assert!(ring.push(frame.clone()).is_ok(), "there is room for one");
        black_box(ring.pop());
    }
}

/// One thread pushes and one pops, as two workers do: what a hand-over costs at most. A frame carries thousands of rows, so
/// anything below a microsecond is nothing.
fn two_threads(frame: &Frame) {
    let ring = Ring::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..FRAMES {
                let mut frame = frame.clone();
                while let Err(back) = ring.push(frame) {
                    frame = *back;
                    wait();
                }
            }
        });
        for _ in 0..FRAMES {
            while ring.pop().is_none() {
                wait();
            }
        }
    });
}

/// Lets the other thread run: there may be one core for both.
fn wait() {
    spin_loop();
    thread::yield_now();
}
