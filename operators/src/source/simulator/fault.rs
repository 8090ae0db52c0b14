//! Faults on purpose: duplicates, late and malformed records, mojibake; each one is told in the truth.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::options::Faults;
use super::random::Random;
use super::records::{Entry, Records};
use super::truth::Truth;

/// Records held back at a time, duplicates and late ones; when there are more, the next one due goes out early.
const HELD_RECORDS_MAX: usize = 100_000;
/// A duplicate comes up to this long (in event time) after its original.
const DUPLICATE_AFTER_MS_MAX: i64 = 60_000;
/// Keeps the chance of the faults apart from that of the events.
const FAULT_SEED: u64 = 0xfa17_5eed;

/// How a malformed record is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The JSON stops in the middle.
    Truncated,
    /// It is no JSON.
    NotJson,
    /// Bytes that are no UTF-8, inside a text.
    InvalidUtf8,
    /// No bytes at all.
    Empty,
    /// `ts` is a text.
    WrongType,
    /// `ts` is larger than 64 bits can hold.
    Overflow,
}

impl Malformed {
    const ALL: [Self; 6] =
        [Self::Truncated, Self::NotJson, Self::InvalidUtf8, Self::Empty, Self::WrongType, Self::Overflow];

    /// Its name in the truth file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::NotJson => "not_json",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::Empty => "empty",
            Self::WrongType => "wrong_type",
            Self::Overflow => "overflow",
        }
    }
}

/// What was done to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It came a second time.
    Duplicate,
    /// It was held back by this many milliseconds of event time.
    Late(i64),
    /// A broken copy came before it.
    Malformed(Malformed),
    /// Its song text was read as Latin-1 this many times.
    Mojibake(u8),
}

/// One fault, and the record that it was done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InjectedFault {
    /// Index into [`super::STREAMS`].
    pub stream: usize,
    /// How many records of this stream went before the faulty one.
    pub index: u64,
    /// What was done.
    pub fault: Fault,
    /// The original's session.
    pub session: u64,
    /// The original's place in its session.
    pub item: u32,
}

/// A record that goes out later.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    release_ms: i64,
    /// Order of those that are due at the same time.
    number: u64,
    stream: usize,
    time_ms: i64,
    session: u64,
    item: u32,
    mojibake: u8,
    fault: Fault,
    payload: Box<[u8]>,
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.release_ms, self.number).cmp(&(other.release_ms, other.number))
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Puts faults between the events and the output.
#[derive(Debug)]
pub(super) struct Injector {
    faults: Faults,
    random: Random,
    held: BinaryHeap<Reverse<Held>>,
    held_so_far: u64,
}

impl Injector {
    pub(super) fn new(faults: Faults, seed: u64) -> Self {
        Self { faults, random: Random::new(seed ^ FAULT_SEED), held: BinaryHeap::new(), held_so_far: 0 }
    }

    /// How often the text of a song that is heard now is to be read as Latin-1.
    pub(super) fn mojibake(&mut self) -> u8 {
        if self.random.chance(self.faults.mojibake) { 1 + self.random.below(2) as u8 } else { 0 }
    }

    /// Passes the records of an event on, with faults.
    pub(super) fn pass(&mut self, clean: &Records, out: &mut Records, truth: &mut Truth) {
        let Some(first) = clean.entries.first() else { return };
        self.release_until(first.time_ms, out, truth);
        for entry in &clean.entries {
            let payload = &clean.bytes[entry.start..entry.end];
            let (u, faults) = (self.random.unit(), self.faults);
            if u < faults.late {
                let late_ms = 1 + (self.random.unit() * faults.late_by_max_ms as f64) as i64;
                let late_ms = late_ms.min(faults.late_by_max_ms);
                self.hold(entry, payload, late_ms, Fault::Late(late_ms), out, truth);
                continue;
            }
            if u < faults.late + faults.malformed {
                self.push_broken(entry, payload, out, truth);
            }
            push(entry, payload, None, out, truth);
            if u >= 1.0 - faults.duplicate {
                let after_ms = (self.random.unit() * DUPLICATE_AFTER_MS_MAX as f64) as i64;
                self.hold(entry, payload, after_ms, Fault::Duplicate, out, truth);
            }
        }
    }

    /// Lets out at most `max` of the records still held, in order of their time: for the end of a run.
    pub(super) fn drain(&mut self, max: usize, out: &mut Records, truth: &mut Truth) {
        while out.len() < max {
            let Some(Reverse(held)) = self.held.pop() else { return };
            release(&held, out, truth);
        }
    }

    fn release_until(&mut self, now_ms: i64, out: &mut Records, truth: &mut Truth) {
        while self.held.peek().is_some_and(|held| held.0.release_ms <= now_ms) {
            if let Some(Reverse(held)) = self.held.pop() {
                release(&held, out, truth);
            }
        }
    }

    fn hold(&mut self, entry: &Entry, payload: &[u8], by_ms: i64, fault: Fault, out: &mut Records, truth: &mut Truth) {
        if self.held.len() >= HELD_RECORDS_MAX
            && let Some(Reverse(held)) = self.held.pop()
        {
            release(&held, out, truth);
        }
        self.held_so_far += 1;
        self.held.push(Reverse(Held {
            release_ms: entry.time_ms.saturating_add(by_ms),
            number: self.held_so_far,
            stream: entry.stream,
            time_ms: entry.time_ms,
            session: entry.session,
            item: entry.item,
            mojibake: entry.mojibake,
            fault,
            payload: payload.into(),
        }));
    }

    fn push_broken(&mut self, entry: &Entry, payload: &[u8], out: &mut Records, truth: &mut Truth) {
        let how = Malformed::ALL[self.random.below(Malformed::ALL.len() as u32) as usize];
        let cut = 1 + self.random.below(payload.len().saturating_sub(3) as u32) as usize;
        let broken = break_payload(payload, how, cut);
        push(&Entry { mojibake: 0, ..*entry }, &broken, Some(Fault::Malformed(how)), out, truth);
    }
}

fn release(held: &Held, out: &mut Records, truth: &mut Truth) {
    let Held { stream, time_ms, session, item, mojibake, .. } = *held;
    let entry = Entry { stream, time_ms, session, item, mojibake, start: 0, end: 0 };
    push(&entry, &held.payload, Some(held.fault), out, truth);
}

/// Appends a record to the output, and what was done to it to the truth.
fn push(entry: &Entry, payload: &[u8], fault: Option<Fault>, out: &mut Records, truth: &mut Truth) {
    let start = out.bytes.len();
    out.bytes.extend_from_slice(payload);
    out.finish(Entry { start, ..*entry });
    let mojibake = (entry.mojibake > 0).then_some(Fault::Mojibake(entry.mojibake));
    let index = truth.streams[entry.stream].records;
    truth.streams[entry.stream].records += 1;
    for fault in fault.into_iter().chain(mojibake) {
        truth.streams[entry.stream].count(fault);
        let Entry { stream, session, item, .. } = *entry;
        out.injected.push(InjectedFault { stream, index, fault, session, item });
    }
}

fn break_payload(payload: &[u8], how: Malformed, cut: usize) -> Vec<u8> {
    match how {
        Malformed::Truncated => [&payload[..cut.min(payload.len())], b"\n"].concat(),
        Malformed::NotJson => b"<html><body>502 Bad Gateway</body></html>\n".to_vec(),
        Malformed::InvalidUtf8 => splice(payload, b"\"city\":\"", 0, b"\xff\xfe\xc3("),
        Malformed::Empty => Vec::new(),
        Malformed::WrongType => splice(payload, b"\"ts\":", usize::MAX, b"\"abc\""),
        Malformed::Overflow => splice(payload, b"\"ts\":", usize::MAX, b"99999999999999999999999"),
    }
}

/// Puts `new` behind `mark`, in place of as many digits as there are (`digits_max` at most).
fn splice(payload: &[u8], mark: &[u8], digits_max: usize, new: &[u8]) -> Vec<u8> {
    let found = payload.windows(mark.len()).position(|window| window == mark);
    let at = found.map_or(payload.len(), |at| at + mark.len());
    let is_number = |byte: &&u8| byte.is_ascii_digit() || **byte == b'-';
    let digits = payload[at..].iter().take_while(is_number).take(digits_max).count();
    [&payload[..at], new, &payload[at + digits..]].concat()
}

/// Appends UTF-8 text as it looks when someone takes its bytes for Latin-1 and writes them as UTF-8 once more.
pub(super) fn push_read_as_latin_1(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        if byte < 0x80 {
            out.push(byte);
        } else {
            out.extend_from_slice(&[0xc0 | (byte >> 6), 0x80 | (byte & 0x3f)]);
        }
    }
}
