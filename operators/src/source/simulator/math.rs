//! Elementary functions from additions and multiplications only.
//!
//! The ones of the platform may differ in the last bit from one C library to the next. These give the same bits
//! everywhere, so that the same seed gives the same bytes everywhere. They are exact to about 1e-13, relative.

use std::f64::consts::{LN_2, SQRT_2, TAU};

/// Natural logarithm of a positive, normal number.
pub(super) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    // ln(m) = 2 atanh(s), and |s| < 0.172 makes the series short.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let z = s * s;
    let series = [1.0 / 15.0, 1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0];
    exponent as f64 * LN_2 + 2.0 * s * series.iter().fold(0.0, |sum, term| sum * z + term)
}

/// `e` to the power of `x`; `x` is held to -700..700, so that the result is always a normal number.
pub(super) fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let power = (x / LN_2).round();
    let rest = x - power * LN_2;
    let mut sum = 1.0;
    for n in (1..=14).rev() {
        sum = 1.0 + sum * rest / f64::from(n);
    }
    sum * f64::from_bits(((power as i64 + 1023) as u64) << 52)
}

/// Sine of an angle in whole turns (1.0 is a full circle).
pub(super) fn sin_turns(turns: f64) -> f64 {
    let mut t = turns - (turns + 0.5).floor();
    if t > 0.25 {
        t = 0.5 - t;
    } else if t < -0.25 {
        t = -0.5 - t;
    }
    let x = t * TAU;
    let z = x * x;
    let mut sum = 1.0;
    for n in (1..=8).rev() {
        sum = 1.0 - sum * z / f64::from(2 * n * (2 * n + 1));
    }
    x * sum
}

/// Cosine of an angle in whole turns.
pub(super) fn cos_turns(turns: f64) -> f64 {
    sin_turns(turns + 0.25)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The functions agree with those of the platform to 1e-12 over the range that the simulation uses.
    #[test]
    fn agree_with_the_platform() {
        for i in 1..20_000 {
            let x = f64::from(i) * 0.000_37;
            assert!((ln(x) - x.ln()).abs() < 1e-12, "ln {x}");
            assert!((exp(x - 4.0) / (x - 4.0).exp() - 1.0).abs() < 1e-12, "exp {x}");
            assert!((sin_turns(x - 3.0) - ((x - 3.0) * TAU).sin()).abs() < 1e-12, "sin {x}");
            assert!((cos_turns(x - 3.0) - ((x - 3.0) * TAU).cos()).abs() < 1e-12, "cos {x}");
        }
    }
}
