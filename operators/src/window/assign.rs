//! Which windows a time falls into: pure arithmetic, used by the operators, by SQL and by the tests' oracle.
//!
//! Windows are aligned to 1970-01-01 00:00 UTC, as Spark's are. All numbers are microseconds.

/// The start of the tumbling window of `size` microseconds that holds `time`.
pub fn window_start(time: i64, size: i64) -> i64 {
    time - time.rem_euclid(size)
}

/// The starts of all windows of `size` microseconds, one every `slide`, that hold `time`, oldest first.
pub fn hops(time: i64, size: i64, slide: i64) -> impl Iterator<Item = i64> {
    let newest = window_start(time, slide);
    // The oldest window that holds `time` starts after `time - size`.
    let count = (newest - (time - size) - 1).div_euclid(slide) + 1;
    (0..count).rev().map(move |n| newest - n * slide)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A time lies in each window that it was given, and in no other of the grid.
        #[test]
        fn hops_are_all_windows(time in -10_000i64..10_000, slide in 1i64..50, times in 1i64..8, rest in 0i64..50) {
            let size = slide * times + rest % slide;
            let found: Vec<i64> = hops(time, size, slide).collect();
            let grid = (-20_000..20_000).filter(|s: &i64| s.rem_euclid(slide) == 0);
            let expected: Vec<i64> = grid.filter(|s| *s <= time && time < s + size).collect();
            prop_assert_eq!(found, expected);
        }

        /// A tumbling window is the hopping one whose slide is its size.
        #[test]
        fn tumbling_is_a_hop(time in any::<i32>(), size in 1i64..100_000) {
            let time = i64::from(time);
            prop_assert_eq!(hops(time, size, size).collect::<Vec<_>>(), vec![window_start(time, size)]);
        }
    }
}
