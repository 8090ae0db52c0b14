//! Writing JSON by hand: numbers and escaped text, straight into a byte buffer.

const DIGIT_PAIRS: &[u8; 200] = b"00010203040506070809101112131415161718192021222324252627282930313233343536373839\
40414243444546474849505152535455565758596061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// Appends a whole number in decimal.
pub(super) fn push_u64(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    while value >= 100 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&DIGIT_PAIRS[pair..pair + 2]);
    }
    if value >= 10 {
        let pair = value as usize * 2;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&DIGIT_PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        digits[at] = b'0' + value as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a whole number in decimal, with its sign.
pub(super) fn push_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_u64(out, value.unsigned_abs());
}

/// Appends `value / 10^places` without trailing zeros, but always with a fraction (`33.0`), as other writers of
/// doubles do.
pub(super) fn push_fixed(out: &mut Vec<u8>, value: i64, places: u32) {
    let scale = 10u64.pow(places);
    if value < 0 {
        out.push(b'-');
    }
    push_u64(out, value.unsigned_abs() / scale);
    let first = out.len();
    // A leading one keeps the zeros behind the point; it then becomes the point.
    push_u64(out, value.unsigned_abs() % scale + scale);
    out[first] = b'.';
    while out.len() > first + 2 && out.last() == Some(&b'0') {
        out.pop();
    }
}

/// Appends a JSON string with its quotes.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// Numbers of every length are written as the standard library writes them.
    #[test]
    fn numbers_are_decimal() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                assert_eq!(written(|out| push_u64(out, value)), value.to_string());
            }
        }
        assert_eq!(written(|out| push_i64(out, i64::MIN)), i64::MIN.to_string());
        let fixed = [(0, "0.0"), (100_000, "1.0"), (21_033_751, "210.33751"), (-50, "-0.0005"), (-8_700_000, "-87.0")];
        for (value, text) in fixed {
            assert_eq!(written(|out| push_fixed(out, value, 5)), text);
        }
    }

    /// Text with quotes, backslashes, control and foreign letters is read back by a JSON parser as it was.
    #[test]
    fn text_survives_a_parser() {
        let text = "say \"hey\" \\ \u{1} \n\t caf\u{e9} \u{97f3}\u{697d} \u{1f3b8}";
        assert_eq!(serde_json::from_str::<String>(&written(|out| push_text(out, text))).unwrap(), text);
    }
}
