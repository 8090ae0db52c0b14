//! The exact sum of doubles: it depends neither on order nor on what was taken back, and is rounded once, when read.
//!
//! A superaccumulator after Neal, "Fast exact summation using small and large superaccumulators" (2015), kept sparse: a
//! sum of numbers of like size needs two limbs and not sixty-seven.

/// Bits between neighbouring limbs.
const LIMB_BITS: u32 = 32;
/// The exponent of the lowest bit of a subnormal double.
const LOWEST_EXPONENT: i32 = -1074;
/// Digits of 32 bits that a sum can have.
const DIGITS: usize = 72;
/// The highest position of a limb.
const POSITION_MAX: u8 = 68;
/// First byte of a saved sum: of many limbs (since 0.1), or of one.
const VERSION_MANY: u8 = 1;
const VERSION_ONE: u8 = 2;

/// A sum of doubles without rounding. Up to 2^42 numbers can be added before a limb could overflow.
///
/// Numbers of like size, which is nearly always, take 24 bytes and no allocation.
#[derive(Debug, Clone)]
pub struct ExactSum(Form);

#[derive(Debug, Clone)]
enum Form {
    /// One limb, the 128 bits of its value in two halves: value x 2^(32 x position - 1074).
    One {
        position: u8,
        low: u64,
        high: i64,
    },
    Many(Box<Limbs>),
}

#[derive(Debug, Clone, Default)]
struct Limbs {
    /// (position, value), by position: the sum is value x 2^(32 x position - 1074) over all.
    limbs: Vec<(u8, i128)>,
    nans: i64,
    positive_infinities: i64,
    negative_infinities: i64,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self(Form::One { position: 0, low: 0, high: 0 })
    }
}

fn halves(value: i128) -> (u64, i64) {
    (value as u64, (value >> 64) as i64)
}

fn whole(low: u64, high: i64) -> i128 {
    i128::from(high) << 64 | i128::from(low)
}

impl ExactSum {
    /// Adds `x` `weight` times; a negative weight takes it back.
    pub fn add(&mut self, x: f64, weight: i64) {
        if !x.is_finite() {
            let limbs = self.many();
            let count = if x.is_nan() {
                &mut limbs.nans
            } else if x > 0.0 {
                &mut limbs.positive_infinities
            } else {
                &mut limbs.negative_infinities
            };
            *count += weight;
            return;
        }
        let bits = x.to_bits();
        let exponent = ((bits >> 52) & 0x7ff) as u32;
        let fraction = bits & ((1 << 52) - 1);
        // A subnormal has the exponent of the smallest normal and no hidden bit.
        let (mantissa, shift) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let signed = if bits >> 63 == 1 { -i128::from(mantissa) } else { i128::from(mantissa) };
        // |mantissa| < 2^53, shifted by less than 32: below 2^85. A weight is split so that it cannot overflow a limb.
        let scaled = signed << (shift % LIMB_BITS);
        let position = (shift / LIMB_BITS) as u8;
        if i64::from(weight as i32) == weight {
            self.add_limb(position, scaled * i128::from(weight));
        } else {
            let (low, high) = (i128::from(weight) & 0xffff_ffff, i128::from(weight) >> 32);
            self.add_limb(position, scaled * low);
            self.add_limb(position + 1, scaled * high);
        }
    }

    fn add_limb(&mut self, position: u8, value: i128) {
        if value == 0 {
            return;
        }
        if let Form::One { position: own, low, high } = &mut self.0 {
            let held = whole(*low, *high);
            if held == 0 {
                *own = position;
            }
            // A limb below the number's: the number is brought to its unit, if it has room for it.
            let distance = u32::from(position.wrapping_sub(*own)) * LIMB_BITS;
            let fits = distance <= LIMB_BITS && value.unsigned_abs().leading_zeros() > distance + 1;
            if let Some(sum) = fits.then(|| held.checked_add(value << distance)).flatten() {
                (*low, *high) = halves(sum);
                return;
            }
        }
        self.many().add(position, value);
    }

    fn many(&mut self) -> &mut Limbs {
        if let Form::One { position, low, high } = self.0 {
            let mut limbs = Box::<Limbs>::default();
            limbs.add(position, whole(low, high));
            self.0 = Form::Many(limbs);
        }
        match &mut self.0 {
            Form::Many(limbs) => limbs,
            Form::One { .. } => unreachable!("it was made many above"),
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &ExactSum) {
        match &other.0 {
            Form::One { position, low, high } => self.add_limb(*position, whole(*low, *high)),
            Form::Many(others) => {
                let limbs = self.many();
                others.limbs.iter().for_each(|(position, value)| limbs.add(*position, *value));
                limbs.nans += others.nans;
                limbs.positive_infinities += others.positive_infinities;
                limbs.negative_infinities += others.negative_infinities;
            }
        }
    }

    /// The sum, rounded to the nearest double, ties to even.
    pub fn value(&self) -> f64 {
        match &self.0 {
            Form::One { position, low, high } => round(&[(*position, whole(*low, *high))]),
            Form::Many(limbs) => limbs.value(),
        }
    }

    /// The state as bytes, format version first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.save(&mut bytes);
        bytes
    }

    /// As `to_bytes`, appended.
    pub(super) fn save(&self, bytes: &mut Vec<u8>) {
        match &self.0 {
            Form::One { position, low, high } => {
                bytes.extend([VERSION_ONE, *position]);
                bytes.extend(whole(*low, *high).to_le_bytes());
            }
            Form::Many(limbs) => limbs.save(bytes),
        }
    }

    /// The inverse of `to_bytes`; none when the bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.first() != Some(&VERSION_ONE) {
            return Limbs::from_bytes(bytes).map(|limbs| Self(Form::Many(Box::new(limbs))));
        }
        let (head, value) = bytes.split_at_checked(2)?;
        let (low, high) = halves(i128::from_le_bytes(value.try_into().ok()?));
        (head[1] <= POSITION_MAX).then_some(Self(Form::One { position: head[1], low, high }))
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::One { .. } => 0,
            Form::Many(limbs) => size_of::<Limbs>() + limbs.limbs.capacity() * size_of::<(u8, i128)>(),
        }
    }
}

impl Limbs {
    fn add(&mut self, position: u8, value: i128) {
        match self.limbs.binary_search_by_key(&position, |l| l.0) {
            Ok(i) => self.limbs[i].1 += value,
            Err(i) => self.limbs.insert(i, (position, value)),
        }
    }

    fn value(&self) -> f64 {
        if self.nans > 0 || (self.positive_infinities > 0 && self.negative_infinities > 0) {
            return f64::NAN;
        }
        if self.positive_infinities > 0 {
            return f64::INFINITY;
        }
        if self.negative_infinities > 0 {
            return f64::NEG_INFINITY;
        }
        round(&self.limbs)
    }

    fn save(&self, bytes: &mut Vec<u8>) {
        bytes.push(VERSION_MANY);
        for count in [self.nans, self.positive_infinities, self.negative_infinities] {
            bytes.extend(count.to_le_bytes());
        }
        for (position, value) in self.limbs.iter().filter(|l| l.1 != 0) {
            bytes.push(*position);
            bytes.extend(value.to_le_bytes());
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        const HEAD: usize = 1 + 3 * 8;
        const LIMB: usize = 1 + 16;
        let count = |i: usize| bytes.get(1 + i * 8..9 + i * 8)?.try_into().ok().map(i64::from_le_bytes);
        if bytes.first() != Some(&VERSION_MANY) || bytes.len() < HEAD || !(bytes.len() - HEAD).is_multiple_of(LIMB) {
            return None;
        }
        let mut sum =
            Limbs { limbs: vec![], nans: count(0)?, positive_infinities: count(1)?, negative_infinities: count(2)? };
        for limb in bytes[HEAD..].chunks_exact(LIMB) {
            if limb[0] > POSITION_MAX {
                return None;
            }
            sum.limbs.push((limb[0], i128::from_le_bytes(limb[1..].try_into().ok()?)));
        }
        Some(sum)
    }
}

/// The sum of limbs as the nearest double.
fn round(limbs: &[(u8, i128)]) -> f64 {
    // 67 positions for doubles, and room for carries of sums far beyond.
    let mut digits = [0i64; DIGITS];
    let (mut top, mut carry) = (0usize, 0i128);
    let mut next = limbs.iter().peekable();
    let Some(lowest) = limbs.first() else { return 0.0 };
    for (position, digit) in digits.iter_mut().enumerate().skip(usize::from(lowest.0)) {
        while let Some((_, value)) = next.next_if(|l| usize::from(l.0) == position) {
            carry += value;
        }
        *digit = (carry & 0xffff_ffff) as i64;
        carry >>= LIMB_BITS;
        top = position;
        if next.peek().is_none() && (carry == 0 || carry == -1) {
            break;
        }
    }
    let negative = carry < 0;
    if negative {
        // Two's complement over all digits: the magnitude of a negative sum.
        let mut add = 1;
        for digit in &mut digits[..=top] {
            let flipped = (!*digit & 0xffff_ffff) + add;
            *digit = flipped & 0xffff_ffff;
            add = flipped >> LIMB_BITS;
        }
        if add != 0 && top + 1 < DIGITS {
            digits[top + 1] = add;
        }
    }
    let magnitude = magnitude_to_f64(&digits);
    if negative { -magnitude } else { magnitude }
}

/// A number of 32-bit digits (lowest first, unit 2^-1074) as the nearest double.
fn magnitude_to_f64(digits: &[i64; DIGITS]) -> f64 {
    let Some(top) = digits.iter().rposition(|d| *d != 0) else { return 0.0 };
    // The highest three digits hold at least 65 significant bits; what lies below only breaks ties.
    let digit = |i: Option<usize>| i.map_or(0, |i| digits[i] as u128);
    let head = digit(Some(top)) << 64 | digit(top.checked_sub(1)) << 32 | digit(top.checked_sub(2));
    let sticky = top > 2 && digits[..top - 2].iter().any(|d| *d != 0);
    // The exponent of head's lowest bit.
    let unit = (top as i32 - 2) * LIMB_BITS as i32 + LOWEST_EXPONENT;
    let bits = 128 - head.leading_zeros() as i32;
    // A double keeps 53 bits, fewer where the result is subnormal.
    let dropped = (bits - 53).max(LOWEST_EXPONENT - unit);
    if dropped <= 0 {
        return scale(head as f64, unit);
    }
    let kept = head >> dropped;
    let rest = head & ((1u128 << dropped) - 1);
    let half = 1u128 << (dropped - 1);
    let up = rest > half || (rest == half && (sticky || kept & 1 == 1));
    scale((kept + u128::from(up)) as f64, unit + dropped)
}

/// `x` x 2^`exponent`, exact when the result is a double; in two steps, because one factor may be out of range.
fn scale(x: f64, exponent: i32) -> f64 {
    let half = exponent / 2;
    x * 2f64.powi(half) * 2f64.powi(exponent - half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;
    use proptest::prelude::*;

    fn finite() -> impl Strategy<Value = f64> {
        // Any bits, and numbers of like size, which cancel.
        prop_oneof![any::<f64>().prop_filter("finite", |x| x.is_finite()), -1000.0..1000.0f64]
    }

    /// A double as a multiple of 2^-1074.
    fn in_units(x: f64) -> BigInt {
        let bits = x.to_bits();
        let exponent = (bits >> 52) & 0x7ff;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, shift) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let magnitude = BigInt::from(mantissa) << shift;
        if x < 0.0 { -magnitude } else { magnitude }
    }

    fn sum(values: &[f64]) -> f64 {
        let mut s = ExactSum::default();
        values.iter().for_each(|v| s.add(*v, 1));
        s.value()
    }

    /// Known sums that plain addition gets wrong.
    #[test]
    fn hard_sums() {
        assert_eq!(sum(&[1e308, 1e308, -1e308]), 1e308);
        assert_eq!(sum(&[1e16, 1.0, -1e16]), 1.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[5e-324, 5e-324]), 1e-323);
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }

    /// An infinity that was taken back leaves the finite sum.
    #[test]
    fn takes_infinity_back() {
        let mut s = ExactSum::default();
        s.add(2.5, 1);
        s.add(f64::INFINITY, 1);
        s.add(f64::INFINITY, -1);
        assert_eq!(s.value(), 2.5);
    }

    proptest! {
        /// The sum is the double nearest to the exact one, by big integers; for any order; and survives its bytes.
        #[test]
        fn is_the_nearest_double(values in prop::collection::vec(finite(), 0..50)) {
            let ours = sum(&values);
            let exact: BigInt = values.iter().map(|v| in_units(*v)).sum();
            if ours.is_finite() {
                let distance = |x: f64| (in_units(x) - &exact).magnitude().clone();
                for neighbour in [ours.next_up(), ours.next_down()].into_iter().filter(|n| n.is_finite()) {
                    let even = ours.to_bits() & 1 == 0;
                    prop_assert!(
                        distance(ours) < distance(neighbour) || (even && distance(ours) == distance(neighbour)),
                        "{ours:e} is not nearest, {neighbour:e} is nearer"
                    );
                }
            } else {
                prop_assert!(exact.magnitude() > in_units(f64::MAX).magnitude());
            }
            let mut backwards = values.clone();
            backwards.reverse();
            prop_assert_eq!(sum(&backwards), ours);
            let mut s = ExactSum::default();
            values.iter().for_each(|v| s.add(*v, 3));
            values.iter().for_each(|v| s.add(*v, -2));
            let s = ExactSum::from_bytes(&s.to_bytes()).expect("own bytes");
            prop_assert_eq!(s.value(), ours);
        }

        /// Damaged bytes are refused or read, and never a panic.
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = ExactSum::from_bytes(&bytes);
        }
    }
}
