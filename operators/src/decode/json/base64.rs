//! Base64 (RFC 4648, standard alphabet), as Spark's JSON reader takes binary columns.

/// Appends the bytes that `text` stands for; false, and some of them appended, if it is no base64. Padding must be there.
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    let (groups, rest) = text.as_chunks::<4>();
    if !rest.is_empty() {
        return false;
    }
    for (at, group) in groups.iter().enumerate() {
        let is_last = at + 1 == groups.len();
        let padding = if is_last { group.iter().rev().take_while(|byte| **byte == b'=').count() } else { 0 };
        if padding > 2 {
            return false;
        }
        let mut bits = 0_u32;
        for byte in &group[..4 - padding] {
            let Some(value) = value(*byte) else { return false };
            bits = bits << 6 | value;
        }
        bits <<= 6 * padding as u32;
        let [_, bytes @ ..] = bits.to_be_bytes();
        let (bytes, unused) = bytes.split_at(3 - padding);
        if unused.iter().any(|byte| *byte != 0) {
            return false;
        }
        out.extend_from_slice(bytes);
    }
    true
}

fn value(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows the vectors of RFC 4648, and that broken text is refused.
    #[test]
    fn vectors() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar")] {
            let mut out = Vec::new();
            assert!(decode(text.as_bytes(), &mut out));
            assert_eq!(out, bytes.as_bytes());
        }
        for text in ["Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9*", "Zh==", "Zm9="] {
            assert!(!decode(text.as_bytes(), &mut Vec::new()), "{text}");
        }
    }
}
