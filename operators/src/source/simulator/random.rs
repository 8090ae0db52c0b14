//! Chance: one seeded generator, and the distributions that the simulation draws from it.
//!
//! The distributions are made here from the generator's 64-bit words, so that no update of a library changes the
//! bytes that a seed stands for.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use super::math::{cos_turns, exp, ln};

const UNIT: f64 = 1.0 / (1u64 << 53) as f64;

/// A seeded source of chance.
#[derive(Debug, Clone)]
pub(super) struct Random(Xoshiro256PlusPlus);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// 64 random bits.
    pub(super) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Evenly from 0 (included) to 1 (not included).
    pub(super) fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 * UNIT
    }

    /// Evenly from 0 to `n - 1`; 0 when `n` is 0.
    pub(super) fn below(&mut self, n: u32) -> u32 {
        (((self.word() >> 32) * u64::from(n)) >> 32) as u32
    }

    /// True with probability `p`. Draws nothing when `p` is 0, so that a fault that is off costs nothing.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        p > 0.0 && self.unit() < p
    }

    /// Exponential with the given mean.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * ln(((self.word() >> 11) + 1) as f64 * UNIT)
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = self.exponential(2.0).sqrt();
        radius * cos_turns(self.unit())
    }

    /// Log-normal with mean 1; its logarithm has deviation 1.
    pub(super) fn log_normal(&mut self) -> f64 {
        exp(self.normal() - 0.5)
    }
}

/// Draws an index with given weights in constant time (Vose's alias method).
#[derive(Debug, Clone)]
pub(super) struct Alias {
    /// For each column: keep it when the coin is below this...
    keep_below: Vec<u32>,
    /// ... and take this index otherwise.
    other: Vec<u32>,
}

impl Alias {
    /// `None` when there are no weights, one is negative or not finite, or all are zero.
    pub(super) fn new(weights: &[f64]) -> Option<Self> {
        let total: f64 = weights.iter().sum();
        if weights.iter().any(|w| !(w.is_finite() && *w >= 0.0)) || !(total.is_finite() && total > 0.0) {
            return None;
        }
        let mut share: Vec<f64> = weights.iter().map(|w| w * weights.len() as f64 / total).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..share.len()).partition(|&i| share[i] < 1.0);
        let mut table = Self { keep_below: vec![u32::MAX; share.len()], other: (0..share.len() as u32).collect() };
        while let (Some(low), Some(&high)) = (small.pop(), large.last()) {
            table.keep_below[low] = (share[low] * 4_294_967_296.0) as u32;
            table.other[low] = high as u32;
            share[high] -= 1.0 - share[low];
            if share[high] < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        // What rounding leaves over is worth a whole column, but a weight of zero must never be drawn.
        if let Some(heaviest) = (0..weights.len()).max_by(|&a, &b| weights[a].total_cmp(&weights[b])) {
            for i in small.into_iter().filter(|&i| weights[i] == 0.0) {
                table.keep_below[i] = 0;
                table.other[i] = heaviest as u32;
            }
        }
        Some(table)
    }

    pub(super) fn draw(&self, random: &mut Random) -> usize {
        let word = random.word();
        let column = (((word >> 32) * self.keep_below.len() as u64) >> 32) as usize;
        if (word as u32) < self.keep_below[column] { column } else { self.other[column] as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An alias table draws each index as often as its weight says, and never one without weight.
    #[test]
    fn alias_follows_its_weights() {
        let weights = [1.0, 0.0, 7.0, 2.0];
        let alias = Alias::new(&weights).unwrap();
        let mut random = Random::new(7);
        let mut drawn = [0u32; 4];
        for _ in 0..100_000 {
            drawn[alias.draw(&mut random)] += 1;
        }
        assert_eq!(drawn[1], 0);
        for (n, w) in drawn.iter().zip(weights) {
            assert!((f64::from(*n) / 100_000.0 - w / 10.0).abs() < 0.01, "{drawn:?}");
        }
        assert!(Alias::new(&[]).is_none() && Alias::new(&[0.0]).is_none() && Alias::new(&[-1.0, 2.0]).is_none());
    }

    /// The distributions have the means (and the normal one the deviation) that they are named for.
    #[test]
    fn distributions_have_their_moments() {
        let mut random = Random::new(11);
        let n = 200_000;
        let mean = |f: &mut dyn FnMut() -> f64| (0..n).map(|_| f()).sum::<f64>() / f64::from(n);
        assert!((mean(&mut || random.exponential(90.0)) - 90.0).abs() < 1.0);
        assert!(mean(&mut || random.normal()).abs() < 0.01);
        assert!((mean(&mut || random.normal().powi(2)) - 1.0).abs() < 0.02);
        assert!((mean(&mut || random.log_normal()) - 1.0).abs() < 0.03);
    }
}
