//! `md5`: each different value of a batch is hashed once. Surrogate keys are hashes of what repeats: users, places, names.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ScalarUDF;
use hashbrown::HashMap;
use md5::{Digest, Md5};

/// Characters of a hash in hexadecimal digits.
const DIGITS: usize = 32;

pub(super) fn function() -> ScalarUDF {
    super::time::unary("md5", vec![DataType::Utf8, DataType::Binary], DataType::Utf8, |array| {
        if let Some(texts) = array.as_string_opt::<i32>() {
            return hashes(texts.iter().map(|t| t.map(str::as_bytes)), texts.nulls());
        }
        let values = array.as_binary_opt::<i32>();
        let values = values.ok_or_else(|| DataFusionError::Internal(format!("md5 of {}", array.data_type())))?;
        hashes(values.iter(), values.nulls())
    })
}

fn hashes<'a>(values: impl ExactSizeIterator<Item = Option<&'a [u8]>>, nulls: Option<&NullBuffer>) -> Result<ArrayRef> {
    let rows = values.len();
    let mut text: Vec<u8> = Vec::with_capacity(rows * DIGITS);
    // Where the hash of a value is in the text.
    let mut known: HashMap<&[u8], usize, foldhash::fast::FixedState> = HashMap::default();
    for value in values {
        // A null takes a place as well, so that all hashes are as far apart.
        let value = value.unwrap_or_default();
        match known.get(value) {
            Some(start) => text.extend_from_within(*start..*start + DIGITS),
            None => {
                known.insert(value, text.len());
                text.extend(Md5::digest(value).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
            }
        }
    }
    let offsets = OffsetBuffer::from_repeated_length(DIGITS, rows);
    Ok(Arc::new(StringArray::try_new(offsets, Buffer::from_vec(text), nulls.cloned())?))
}

fn digit(value: u8) -> u8 {
    b"0123456789abcdef"[usize::from(value)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hashes of RFC 1321, section A.5, for each row, in any repetition; a null has none.
    #[test]
    fn known_hashes() {
        let values = [Some("abc"), None, Some(""), Some("abc"), Some("message digest"), Some("")];
        let (abc, empty) = ("900150983cd24fb0d6963f7d28e17f72", "d41d8cd98f00b204e9800998ecf8427e");
        let digest = "f96b697d7cb7938d525a2f31aaf161d0";
        let expected = [Some(abc), None, Some(empty), Some(abc), Some(digest), Some(empty)];
        let texts = StringArray::from_iter(values);
        let shown = hashes(texts.iter().map(|t| t.map(str::as_bytes)), texts.nulls()).expect("hashed");
        assert_eq!(shown.as_string::<i32>(), &StringArray::from_iter(expected));
        let none = StringArray::from_iter([] as [Option<&str>; 0]);
        assert_eq!(hashes(none.iter().map(|t| t.map(str::as_bytes)), none.nulls()).expect("hashed").len(), 0);
    }
}
