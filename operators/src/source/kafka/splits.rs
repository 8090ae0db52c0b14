//! A worker's partitions and how far they were read.

use super::offsets::Mark;

/// One partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    pub(super) partition: i32,
    pub(super) next: i64,
    /// Where the log ended when it was last looked at.
    pub(super) log_end: i64,
    /// Where to stop (`until_idle`); it is done once `next` is there.
    pub(super) stop: Option<i64>,
    /// The last record that was read.
    pub(super) last: Option<Mark>,
    /// The last record that an earlier run read, until it is seen that the log still has it.
    pub(super) unproved: Option<Mark>,
}

impl Split {
    /// From where to fetch: one record early, if there is one to prove.
    pub(super) fn fetch_from(&self) -> i64 {
        self.unproved.map_or(self.next, |mark| mark.offset)
    }

    pub(super) fn done(&self) -> bool {
        self.stop.is_some_and(|stop| self.next >= stop)
    }

    /// Offsets that are still to be read, as far as is known. Some of them may hold no record.
    pub(super) fn lag(&self) -> u64 {
        u64::try_from(self.stop.unwrap_or(self.log_end) - self.next).unwrap_or(0)
    }
}

/// A worker's partitions, found by number.
#[derive(Debug, Default)]
pub(super) struct Splits {
    list: Vec<Split>,
    /// Partition -> place in the list plus one; 0 for those of other workers.
    places: Vec<u32>,
    /// How many are not done.
    running: usize,
}

impl Splits {
    pub(super) fn add(&mut self, split: Split) {
        let partition = split.partition as usize;
        if self.places.len() <= partition {
            self.places.resize(partition + 1, 0);
        }
        self.running += usize::from(!split.done());
        self.list.push(split);
        self.places[partition] = self.list.len() as u32;
    }

    #[inline]
    pub(super) fn get(&mut self, partition: i32) -> Option<&mut Split> {
        let place = *self.places.get(usize::try_from(partition).ok()?)?;
        self.list.get_mut((place as usize).checked_sub(1)?)
    }

    /// Moves a partition's position forward; true when that has brought it to where it stops.
    #[inline]
    pub(super) fn advance(&mut self, partition: i32, next: i64) -> bool {
        let Some(split) = self.get(partition) else { return false };
        let was_done = split.done();
        split.next = split.next.max(next);
        let stops = !was_done && split.done();
        self.running -= usize::from(stops);
        stops
    }

    /// Puts a partition elsewhere, forward or back, in a log that ends at `end`.
    pub(super) fn replace(&mut self, partition: i32, next: i64, end: i64) {
        let Some(split) = self.get(partition) else { return };
        let was_done = split.done();
        (split.next, split.last, split.unproved) = (next, None, None);
        split.stop = split.stop.map(|stop| stop.min(end));
        let done = split.done();
        self.running += usize::from(was_done);
        self.running -= usize::from(done);
    }

    /// Gives up the proof of a partition whose log begins behind the record: fetching it would fail again and again.
    pub(super) fn drop_proof_before(&mut self, partition: i32, earliest: i64) {
        if let Some(split) = self.get(partition) {
            split.unproved = split.unproved.filter(|mark| mark.offset >= earliest);
        }
    }

    /// All of them, in the order in which they were added.
    pub(super) fn all(&self) -> impl Iterator<Item = &Split> {
        self.list.iter()
    }

    /// How many are not done.
    pub(super) fn running(&self) -> usize {
        self.running
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(partition: i32, next: i64, stop: Option<i64>) -> Split {
        Split { partition, next, log_end: 10, stop, last: None, unproved: None }
    }

    /// Own partitions are found by number, others are not; positions never go back; the last one to stop is noticed once.
    #[test]
    fn partitions_advance_to_their_stops() {
        let mut splits = Splits::default();
        splits.add(split(1, 0, Some(5)));
        splits.add(split(7, 3, Some(3)));
        assert_eq!(splits.running(), 1, "one had nothing to read");
        assert!(splits.get(0).is_none() && splits.get(8).is_none() && splits.get(-1).is_none());
        assert!(!splits.advance(1, 4) && !splits.advance(1, 2));
        assert_eq!((splits.get(1).unwrap().next, splits.get(1).unwrap().lag()), (4, 1));
        assert!(splits.advance(1, 5) && !splits.advance(1, 6));
        assert_eq!(splits.running(), 0);
    }

    /// A record that must be proved is fetched again; in another place there is none to prove.
    #[test]
    fn proofs_are_fetched() {
        let mark = Some(Mark { offset: 7, timestamp_ms: 1 });
        let mut splits = Splits::default();
        splits.add(Split { last: mark, unproved: mark, ..split(0, 9, None) });
        assert_eq!(splits.get(0).unwrap().fetch_from(), 7);
        splits.drop_proof_before(0, 7);
        assert_eq!(splits.get(0).unwrap().fetch_from(), 7);
        splits.drop_proof_before(0, 8);
        assert_eq!(splits.get(0).unwrap().fetch_from(), 9, "it is gone from the log");
        splits.get(0).unwrap().unproved = mark;
        splits.replace(0, 2, 10);
        assert_eq!((splits.get(0).unwrap().fetch_from(), splits.get(0).unwrap().last), (2, None));
    }

    /// A partition that is put back runs again; one that is put at its end does not.
    #[test]
    fn partitions_are_replaced() {
        let mut splits = Splits::default();
        splits.add(split(0, 9, Some(9)));
        splits.add(split(1, 0, None));
        splits.replace(0, 2, 4);
        assert_eq!((splits.running(), splits.get(0).unwrap().stop), (2, Some(4)));
        splits.replace(0, 4, 4);
        assert_eq!(splits.running(), 1);
        assert_eq!(splits.all().map(Split::lag).collect::<Vec<_>>(), [0, 10]);
    }
}
