//! The decoder: one pass over a record, each value straight into its column.

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;

use super::column::{Bytes, Column, Scratch};
use super::config::{self, DecodeConfigError, Field};
use super::fault::{Fault, FaultKind, Parse, fault, unexpected};
use super::keys::Keys;
use super::reason::{Expected, RejectReason};
use super::scan::{byte, literal, skip_space, skip_value, string};
use super::validity::Validity;

/// Largest record that is decoded unless the caller says otherwise.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest bound that a caller can set: positions are kept in 32 bits.
pub const RECORD_BYTES_LIMIT: usize = 512 * 1024 * 1024;
/// Most bytes of records in one batch, and largest bound that a caller can set. No value takes more bytes than its text, so
/// offsets of 32 bits cannot overflow.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Deepest nesting that is followed, the record's own object counted.
pub const DEPTH_MAX: usize = 128;
/// Most values in nested columns, nulls in structs counted, that one record may ask for.
pub const NESTED_VALUES_MAX: usize = 4 * 1024 * 1024;

/// Decodes JSON objects, one a record, into Arrow columns.
///
/// `decode` records one by one, then `finish` to take the columns; and again. A record that is refused leaves no trace.
///
/// What is accepted: UTF-8 and the grammar of RFC 8259, nothing more. Null is the same as absent. Of several fields of one
/// name the last counts. Whole-number columns take `123.0` and `1.5e3`, but no fraction and nothing out of range; double
/// columns take any number that is not beyond the doubles; string columns take any value, those that are no strings as
/// their JSON text; boolean columns take `true` and `false` only; decimals are rounded half up to their scale and may be
/// written as strings; dates and timestamps are ISO 8601 strings, binary is base64.
///
/// A field that is not projected is checked to be JSON and otherwise ignored, whatever its type.
pub struct JsonDecoder {
    schema: SchemaRef,
    names: Vec<String>,
    keys: Keys,
    columns: Vec<Column>,
    rescued: Bytes,
    /// One bit for each column of the record in hand, `_rescued` last: its value is there.
    present: Vec<u64>,
    /// One bit for each column that is made; the others have no nulls to append.
    wanted: Vec<u64>,
    validity: Validity,
    rows: usize,
    /// Bytes of the records that were decoded since the last `finish`.
    bytes: usize,
    record_bytes_max: usize,
    batch_bytes_max: usize,
    scratch: Scratch,
    /// The field whose value was at fault last.
    faulty: usize,
}

impl JsonDecoder {
    /// A decoder of `fields`, of which those marked in `projected` (all, if none) become columns.
    ///
    /// # Errors
    /// If fields have the same or a reserved name, or a type that cannot be read from JSON.
    pub fn new(fields: Vec<Field>, projected: Option<Vec<bool>>) -> Result<Self, DecodeConfigError> {
        config::check(&fields, projected.as_deref())?;
        let is_wanted = |index: usize| projected.as_ref().is_none_or(|projected| projected[index]);
        let schema = config::schema(&fields, is_wanted);
        let validity = Validity::new(fields.len() + 1);
        let mut wanted = vec![0; validity.words_per_row()];
        let mut columns = Vec::with_capacity(fields.len());
        for (index, field) in fields.iter().enumerate() {
            let column = Column::new(&config::nullable(&field.data_type)).ok_or_else(|| {
                let (name, data_type) = (field.name.clone(), field.data_type.clone());
                DecodeConfigError::UnsupportedType { name, data_type }
            })?;
            wanted[index / 64] |= u64::from(is_wanted(index)) << (index % 64);
            columns.push(if is_wanted(index) { column } else { Column::Skipped });
        }
        let names: Vec<String> = fields.into_iter().map(|field| field.name).collect();
        Ok(Self {
            schema,
            keys: Keys::new(&names.iter().map(String::as_str).collect::<Vec<_>>()),
            names,
            columns,
            rescued: Bytes::new(),
            present: vec![0; validity.words_per_row()],
            wanted,
            validity,
            rows: 0,
            bytes: 0,
            record_bytes_max: RECORD_BYTES_MAX,
            batch_bytes_max: BATCH_BYTES_MAX,
            scratch: Scratch::default(),
            faulty: 0,
        })
    }

    /// Sets the size in bytes of the largest record that is decoded (`RECORD_BYTES_LIMIT` at most).
    #[must_use]
    pub fn with_record_bytes_max(mut self, record_bytes_max: usize) -> Self {
        self.record_bytes_max = record_bytes_max.min(RECORD_BYTES_LIMIT);
        self
    }

    /// Sets how many bytes of records one batch takes (`BATCH_BYTES_MAX` at most); a single record may be larger.
    #[must_use]
    pub fn with_batch_bytes_max(mut self, batch_bytes_max: usize) -> Self {
        self.batch_bytes_max = batch_bytes_max.min(BATCH_BYTES_MAX);
        self
    }

    /// The columns that `finish` gives: the projected fields in declared order, all nullable, and `_rescued`.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Rows that `finish` would give.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether `finish` would give no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Bytes of the records in these rows; a good measure of the memory that they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends one record: one row in every column.
    ///
    /// # Errors
    /// The reason why the record belongs into the rejects; nothing was appended. `BatchFull` alone means something else: call
    /// `finish` and decode the record again. An empty batch is never full.
    #[inline]
    pub fn decode(&mut self, payload: Option<&[u8]>) -> Result<(), RejectReason> {
        let Some(payload) = payload else { return Err(RejectReason::Tombstone) };
        self.check_size(payload.len())?;
        match self.record(payload) {
            Ok(()) => {
                self.bytes += payload.len();
                Ok(())
            }
            Err(fault) => Err(self.roll_back(payload, fault)),
        }
    }

    /// Appends records one by one, and hands those that are refused to `reject`, by their place in `payloads`.
    ///
    /// Gives how many were dealt with: all, unless the batch became full. Then call `finish`, and go on with the rest.
    pub fn decode_all<'a>(
        &mut self,
        payloads: impl IntoIterator<Item = Option<&'a [u8]>>,
        mut reject: impl FnMut(usize, RejectReason),
    ) -> usize {
        let mut done = 0;
        for payload in payloads {
            match self.decode(payload) {
                Ok(()) => {}
                Err(RejectReason::BatchFull) => break,
                Err(reason) => reject(done, reason),
            }
            done += 1;
        }
        done
    }

    /// Takes the columns of `schema()`, all `len()` long, and begins a new batch.
    pub fn finish(&mut self) -> Vec<ArrayRef> {
        let mut nulls = self.validity.take().into_iter();
        self.validity.reserve(self.rows);
        let mut arrays = Vec::with_capacity(self.columns.len() + 1);
        for column in &mut self.columns {
            arrays.extend(column.take(nulls.next().flatten()));
        }
        let mut rescued = Column::Text(std::mem::replace(&mut self.rescued, Bytes::new()));
        arrays.extend(rescued.take(nulls.next().flatten()));
        self.rows = 0;
        self.bytes = 0;
        arrays
    }

    #[inline]
    fn check_size(&self, bytes: usize) -> Result<(), RejectReason> {
        if bytes > self.record_bytes_max {
            return Err(RejectReason::TooLarge { bytes, bytes_max: self.record_bytes_max });
        }
        let is_full = self.bytes + bytes > self.batch_bytes_max && self.rows > 0;
        if is_full { Err(RejectReason::BatchFull) } else { Ok(()) }
    }

    /// Reads a record and appends its row; after a fault some columns may have got values.
    fn record(&mut self, buf: &[u8]) -> Parse<()> {
        let start = skip_space(buf, 0);
        if byte(buf, start) != b'{' {
            return fault(FaultKind::NotAnObject, start);
        }
        let end = skip_space(buf, self.object(buf, start)?);
        if end != buf.len() {
            return fault(FaultKind::TrailingBytes, end);
        }
        self.end_row();
        Ok(())
    }

    /// Reads the record's object, whose brace is at `at`.
    fn object(&mut self, buf: &[u8], at: usize) -> Parse<usize> {
        let mut previous = self.keys.start();
        let mut at = match self.keys.expected_first(buf, at) {
            Some((field, value)) => {
                previous = field;
                self.value(field, buf, at + 1, value)?
            }
            None => match first_key(buf, at)? {
                Next::Key(key) => self.unexpected_member(&mut previous, buf, key)?,
                Next::End(end) => return Ok(end),
            },
        };
        loop {
            at = match self.keys.expected(previous, buf, at) {
                Some((field, value)) => {
                    previous = field;
                    self.value(field, buf, at + 1, value)?
                }
                None => match next_key(buf, at)? {
                    Next::Key(key) => self.unexpected_member(&mut previous, buf, key)?,
                    Next::End(end) => return Ok(end),
                },
            };
        }
    }

    /// Reads a value of a declared field, at or after `at`; its key is at `key`.
    #[inline(always)]
    fn value(&mut self, field: usize, buf: &[u8], key: usize, at: usize) -> Parse<usize> {
        let mut at = at;
        if byte(buf, at) <= b' ' {
            at = skip_space(buf, at);
        }
        let column = &mut self.columns[field];
        let present = &mut self.present[field / 64];
        let bit = 1 << (field % 64);
        if *present & bit != 0 {
            // The last of several fields of one name wins.
            column.truncate(self.rows);
            *present &= !bit;
        }
        if byte(buf, at) == b'n' {
            return literal(buf, at, b"null");
        }
        let end = match column.append(buf, at, 1, &mut self.scratch) {
            Ok(end) => end,
            Err(fault) => {
                self.faulty = field;
                return Err(fault);
            }
        };
        *present |= bit;
        if self.scratch.has_undeclared {
            self.scratch.has_undeclared = false;
            self.rescue(&buf[key..end]);
        }
        Ok(end)
    }

    /// Reads a member whose key, at `at`, is not written as was expected after `previous`.
    #[inline(never)]
    fn unexpected_member(&mut self, previous: &mut usize, buf: &[u8], at: usize) -> Parse<usize> {
        let expected = self.keys.expected_name(*previous, buf, at);
        let (field, end) = match expected {
            Some((field, end)) => (Some(field), end),
            None => {
                self.scratch.text.clear();
                let end = string(buf, at + 1, &mut self.scratch.text)?;
                (self.keys.find(*previous, &self.scratch.text), end)
            }
        };
        let colon = if byte(buf, end) == b':' { end } else { skip_space(buf, end) };
        if byte(buf, colon) != b':' {
            return unexpected(buf, FaultKind::Colon, colon);
        }
        if let Some(field) = field {
            *previous = field;
            return self.value(field, buf, at, colon + 1);
        }
        let end = skip_value(buf, colon + 1, 1)?;
        self.rescue(&buf[at..end]);
        Ok(end)
    }

    /// Keeps a member, key and value as they stand.
    fn rescue(&mut self, member: &[u8]) {
        let is_first = self.rescued.bytes.len() == self.rescued.start();
        self.rescued.bytes.push(if is_first { b'{' } else { b',' });
        self.rescued.bytes.extend_from_slice(member);
    }

    /// Makes the row complete: nulls for what was absent.
    #[inline]
    fn end_row(&mut self) {
        if self.rescued.bytes.len() != self.rescued.start() {
            self.rescued.bytes.push(b'}');
            let index = self.columns.len();
            self.present[index / 64] |= 1 << (index % 64);
        }
        self.rescued.end_value();
        for (word, (present, wanted)) in self.present.iter().zip(&self.wanted).enumerate() {
            let mut absent = wanted & !present;
            while absent != 0 {
                self.columns[word * 64 + absent.trailing_zeros() as usize].append_null();
                absent &= absent - 1;
            }
        }
        self.validity.push(&self.present);
        self.present.fill(0);
        self.scratch.nested_values = 0;
        self.rows += 1;
    }

    /// Takes back what a refused record has appended, and says why it was refused.
    #[cold]
    fn roll_back(&mut self, payload: &[u8], fault: Fault) -> RejectReason {
        for column in &mut self.columns {
            column.truncate(self.rows);
        }
        self.rescued.truncate(self.rows);
        self.present.fill(0);
        self.scratch.nested_values = 0;
        self.scratch.has_undeclared = false;
        if skip_space(payload, 0) == payload.len() {
            return RejectReason::Empty;
        }
        let field = self.names.get(self.faulty).map_or("", String::as_str);
        let inside = self.scratch.expected_inside.take();
        let column = || self.columns.get(self.faulty).map_or(Expected::Named("anything"), Column::expected);
        let expected = inside.unwrap_or_else(column);
        fault.reason(payload, field, expected)
    }
}

/// What comes after a brace, a comma or a value.
enum Next {
    /// A key, at this position.
    Key(usize),
    /// The end of the object, before this position.
    End(usize),
}

/// Reads from the brace at `at` to the first key or the end of the object.
fn first_key(buf: &[u8], at: usize) -> Parse<Next> {
    let at = skip_space(buf, at + 1);
    match byte(buf, at) {
        b'"' => Ok(Next::Key(at)),
        b'}' => Ok(Next::End(at + 1)),
        _ => unexpected(buf, FaultKind::KeyOrEnd, at),
    }
}

/// Reads from the end of a value, at `at`, to the next key or the end of the object.
#[inline]
fn next_key(buf: &[u8], at: usize) -> Parse<Next> {
    let at = skip_space(buf, at);
    match byte(buf, at) {
        b'}' => return Ok(Next::End(at + 1)),
        b',' => {}
        _ => return unexpected(buf, FaultKind::CommaOrBrace, at),
    }
    let key = skip_space(buf, at + 1);
    if byte(buf, key) == b'"' { Ok(Next::Key(key)) } else { unexpected(buf, FaultKind::Key, key) }
}
