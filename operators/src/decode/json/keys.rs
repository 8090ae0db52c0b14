//! Which declared field a key names.
//!
//! Producers write the fields of a stream in one order, with a few left out. So each field remembers which two fields came
//! after it last, and most keys are found by comparing sixteen bytes with what is expected. Only a key that is not
//! expected is read and looked up.

use hashbrown::HashMap;

use super::scan::word;

/// A key as it is written when nothing about it is special, with what stands before it: `,"name":` or `{"name":`.
struct Written {
    /// The first sixteen bytes of `text` as two little-endian words, and zeros.
    head: [u64; 2],
    /// Which bits of `head` count.
    mask: [u64; 2],
    /// Empty if the name cannot be written without escapes.
    text: Vec<u8>,
}

const HEAD_BYTES: usize = 16;

impl Written {
    fn new(before: char, name: &str) -> Self {
        let needs_escape = name.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        let text = if needs_escape { Vec::new() } else { format!("{before}\"{name}\":").into_bytes() };
        let mut head = [0; HEAD_BYTES];
        let mut mask = [0; HEAD_BYTES];
        for (at, byte) in text.iter().take(HEAD_BYTES).enumerate() {
            head[at] = *byte;
            mask[at] = 0xFF;
        }
        let words = |bytes: [u8; HEAD_BYTES]| [word(&bytes, 0).unwrap_or(0), word(&bytes, 8).unwrap_or(0)];
        Self { head: words(head), mask: words(mask), text }
    }

    /// Whether `buf` has this key, and what stands before it, at `at`.
    #[inline(always)]
    fn is_at(&self, buf: &[u8], at: usize) -> bool {
        let Some(head) = buf.get(at..).and_then(|rest| rest.first_chunk::<HEAD_BYTES>()) else {
            return self.is_at_end(buf, at);
        };
        let low = u64::from_le_bytes([head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7]]);
        let high = u64::from_le_bytes([head[8], head[9], head[10], head[11], head[12], head[13], head[14], head[15]]);
        let differs = ((low ^ self.head[0]) & self.mask[0]) | ((high ^ self.head[1]) & self.mask[1]);
        if self.text.len() <= HEAD_BYTES {
            differs == 0 && !self.text.is_empty()
        } else {
            differs == 0 && buf[at + HEAD_BYTES..].starts_with(&self.text[HEAD_BYTES..])
        }
    }

    /// `is_at` where the payload has less than a head left.
    #[cold]
    fn is_at_end(&self, buf: &[u8], at: usize) -> bool {
        !self.text.is_empty() && buf.get(at..).is_some_and(|rest| rest.starts_with(&self.text))
    }
}

/// The declared fields' keys.
pub(super) struct Keys {
    after_comma: Vec<Written>,
    after_brace: Vec<Written>,
    /// For each field the two that came after it last, and for `start` those that came first.
    followers: Vec<[u16; 2]>,
    by_name: HashMap<Vec<u8>, u16, foldhash::fast::RandomState>,
}

impl Keys {
    /// Names must be distinct and at most `FIELDS_MAX`, which the decoder has checked.
    pub(super) fn new(names: &[&str]) -> Self {
        let written = |before| {
            // An escaped name is never found as written, so the last one stands for "no field" where there are none.
            let nothing = Written::new(before, "\0");
            names.iter().map(|name| Written::new(before, name)).chain([nothing]).collect()
        };
        // Until a record is seen, the declared order is the best guess.
        let declared_next = (1..=names.len()).map(|next| [next as u16; 2]);
        let by_name = names.iter().enumerate().map(|(index, name)| (name.as_bytes().to_vec(), index as u16)).collect();
        Self {
            after_comma: written(','),
            after_brace: written('{'),
            followers: declared_next.chain([[0; 2]]).collect(),
            by_name,
        }
    }

    /// What stands before the first field of a record.
    pub(super) fn start(&self) -> usize {
        self.followers.len() - 1
    }

    /// The field of the member whose comma is at `at`, if it is one of the two expected after `previous` and written
    /// without white space; and the position of its value.
    #[inline(always)]
    pub(super) fn expected(&self, previous: usize, buf: &[u8], at: usize) -> Option<(usize, usize)> {
        self.one_of(self.followers[previous], &self.after_comma, buf, at)
    }

    /// The same for the first member of a record, whose brace is at `at`.
    #[inline(always)]
    pub(super) fn expected_first(&self, buf: &[u8], at: usize) -> Option<(usize, usize)> {
        self.one_of(self.followers[self.start()], &self.after_brace, buf, at)
    }

    #[inline(always)]
    fn one_of(&self, [first, second]: [u16; 2], all: &[Written], buf: &[u8], at: usize) -> Option<(usize, usize)> {
        let key = &all[first as usize];
        if key.is_at(buf, at) {
            return Some((first as usize, at + key.text.len()));
        }
        let key = &all[second as usize];
        if key.is_at(buf, at) {
            return Some((second as usize, at + key.text.len()));
        }
        None
    }

    /// The field whose quoted name is at `at`, if it is one of the two expected after `previous`; and the position after
    /// the quote. For producers that put white space between keys and colons.
    pub(super) fn expected_name(&self, previous: usize, buf: &[u8], at: usize) -> Option<(usize, usize)> {
        let rest = buf.get(at..)?;
        self.followers[previous].into_iter().map(usize::from).find_map(|field| {
            let [_, name @ .., _] = self.after_comma[field].text.as_slice() else { return None };
            rest.starts_with(name).then_some((field, at + name.len()))
        })
    }

    /// The field called `name` (unescaped), which is from now on expected after `previous`.
    pub(super) fn find(&mut self, previous: usize, name: &[u8]) -> Option<usize> {
        let index = *self.by_name.get(name)?;
        let followers = &mut self.followers[previous];
        *followers = [index, followers[0]];
        Some(index as usize)
    }
}
