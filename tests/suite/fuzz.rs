//! The fuzz targets of `tests/fuzz` over their kept corpus and seeded changes of it, on the stable compiler.
//!
//! `SLUICE_FUZZ_CHANGES=N` tries N changes of each corpus in place of the usual number.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use sluice_tests::fuzz::{TARGETS, Target};
use sluice_tests::tidy::tree::root;

/// Changed inputs of each target.
const CHANGES: u64 = 10_000;
/// Changes of one input, at most.
const STEPS_MAX: u64 = 6;
/// Bytes of an input, at most.
const INPUT_BYTES_MAX: usize = 1 << 16;

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = root().join("tests/fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{} holds too little", folder.display());
    files.iter().map(|file: &std::path::PathBuf| fs::read(file as &Path).unwrap()).collect()
}

/// One step away from an input: a byte, a piece, or a piece of another one.
fn change(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    const TELLING: &[u8] = b"\"\\{}[],:0-9.eE+\x00\x7f\xff\n";
    let at = random.below(input.len());
    match random.below(7) {
        _ if input.is_empty() => input.push(random.next() as u8),
        0 => input[at] = random.next() as u8,
        1 => input[at] ^= 1 << random.below(8),
        2 => input.insert(at, TELLING[random.below(TELLING.len())]),
        3 => input.truncate(at),
        4 => drop(input.drain(at..(at + 1 + random.below(16)).min(input.len()))),
        5 => {
            let piece = input[at..(at + 1 + random.below(32)).min(input.len())].to_vec();
            let to = random.below(input.len());
            input.splice(to..to, piece);
        }
        _ => {
            let other = &others[random.below(others.len())];
            let from = random.below(other.len());
            let piece = other[from..].to_vec();
            input.truncate(at);
            input.extend(piece);
        }
    }
    input.truncate(INPUT_BYTES_MAX);
}

/// Everything that a target must hold for any bytes holds for the corpus, and for changes of it.
fn holds((name, target): Target) {
    let corpus = corpus(name);
    let try_one = |input: &[u8], what: &str| {
        if catch_unwind(|| target(input)).is_err() {
            panic!("target {name} fails for {what}: {:?}", String::from_utf8_lossy(input));
        }
    };
    for (i, input) in corpus.iter().enumerate() {
        try_one(input, &format!("file {i} of its corpus"));
    }
    let changes = std::env::var("SLUICE_FUZZ_CHANGES").map_or(CHANGES, |n| n.parse().unwrap());
    for seed in 0..changes {
        let mut random = Random(seed);
        let mut input = corpus[random.below(corpus.len())].clone();
        for _ in 0..1 + random.next() % STEPS_MAX {
            change(&mut input, &corpus, &mut random);
        }
        try_one(&input, &format!("seed {seed}"));
    }
}

/// Records of any bytes.
#[test]
fn json() {
    holds(TARGETS[0]);
}

/// Manifests, claims and packs of any bytes.
#[test]
fn manifest() {
    holds(TARGETS[1]);
}

/// State of any bytes.
#[test]
fn snapshot() {
    holds(TARGETS[2]);
}

/// Pieces of state as this program writes them are read; with `SLUICE_WRITE_CORPUS=1` they become the corpus of `snapshot`
/// (the older ones stay in git, under other names, when their form changes).
#[test]
fn snapshots_of_today() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
    use sluice_engine::state::Snapshot;

    let folder = root().join("tests/fuzz/corpus/snapshot");
    let save = |name: &str, content: &[u8], cut_off: usize| {
        let checksum = sluice_engine::checkpoint::segment_checksum(content).to_le_bytes();
        let piece = [&checksum, &content[..content.len() - cut_off]].concat();
        TARGETS[2].1(&piece);
        if std::env::var_os("SLUICE_WRITE_CORPUS").is_some() {
            fs::write(folder.join(name), piece).unwrap();
        }
    };
    let numbers = |n: i64| Arc::new(Int64Array::from_iter_values(0..n)) as ArrayRef;
    let texts = Arc::new(StringArray::from(vec![Some("a"), None, Some("")])) as ArrayRef;
    let bytes = Arc::new(BinaryArray::from(vec![Some(b"\0\xff".as_slice()), None, Some(b"")])) as ArrayRef;
    let one = |columns: Vec<(&str, ArrayRef)>| {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
    };
    let write = |name: &str, batches: Vec<RecordBatch>| {
        save(name, &Snapshot::of(batches).encode().unwrap().concat(), 0);
    };
    let mixed = one(vec![("key", bytes), ("text", texts), ("n", numbers(3))]).unwrap();
    write("numbers", vec![one(vec![("n", numbers(5))]).unwrap()]);
    write("mixed", vec![mixed.clone()]);
    write("two_batches", vec![mixed.clone(), mixed.slice(1, 2)]);
    let whole = Snapshot::of(vec![mixed]).encode().unwrap().concat();
    save("two_streams", &[whole.clone(), whole.clone()].concat(), 0);
    save("cut_off", &whole, whole.len() / 2);
    save("empty", &[], 0);
    save("no_arrow", b"SLUICE\0\x01 no arrow", 0);
}
