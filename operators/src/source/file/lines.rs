//! The lines of one file, from a byte on.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::LINE_BYTES_MAX;

/// What is read from a file at once, in bytes.
const READ_BYTES: usize = 256 << 10;

/// A file that is open at the beginning of a line.
#[derive(Debug)]
pub(super) struct Lines {
    reader: BufReader<File>,
    at: u64,
    /// Tells a file from another one of the same name.
    pub(super) identity: u64,
}

/// What came out of a look for the next line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line is in the buffer, without its newline.
    Whole,
    /// The end of the file, and nothing before it.
    None,
    /// The end of the file without a newline: nothing is in the buffer, and the line can be looked for again.
    Unfinished,
    /// No newline within [`LINE_BYTES_MAX`].
    TooLong,
}

impl Lines {
    /// Opens a file at byte `at`.
    pub(super) fn open(path: &Path, at: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let identity = file.metadata()?.ino();
        if at > 0 {
            file.seek(SeekFrom::Start(at))?;
        }
        Ok(Self { reader: BufReader::with_capacity(READ_BYTES, file), at, identity })
    }

    /// The byte where the next line begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Appends the next line to `to`. With `last_too`, text at the end of the file is a line without its newline, too.
    pub(super) fn next(&mut self, to: &mut Vec<u8>, last_too: bool) -> io::Result<Line> {
        let begin = to.len();
        // One byte more, for the newline of a line of the largest size.
        let mut bounded = (&mut self.reader).take(LINE_BYTES_MAX as u64 + 1);
        let read = match bounded.read_until(b'\n', to) {
            Ok(read) => read,
            Err(e) => {
                self.back(to, begin)?;
                return Err(e);
            }
        };
        if read == 0 {
            return Ok(Line::None);
        }
        if to.last() == Some(&b'\n') {
            to.pop();
        } else if read > LINE_BYTES_MAX {
            self.back(to, begin)?;
            return Ok(Line::TooLong);
        } else if !last_too {
            self.back(to, begin)?;
            return Ok(Line::Unfinished);
        }
        self.at += read as u64;
        Ok(Line::Whole)
    }

    fn back(&mut self, to: &mut Vec<u8>, begin: usize) -> io::Result<()> {
        to.truncate(begin);
        self.reader.seek(SeekFrom::Start(self.at)).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Lines, empty ones too, then the unfinished one once it is finished.
    #[test]
    fn an_unfinished_line_is_waited_for() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "ab\n\nc").unwrap();
        let mut lines = Lines::open(file.path(), 0).unwrap();
        let mut to = Vec::new();
        assert_eq!((lines.next(&mut to, false).unwrap(), &to[..], lines.at()), (Line::Whole, &b"ab"[..], 3));
        assert_eq!((lines.next(&mut to, false).unwrap(), &to[..], lines.at()), (Line::Whole, &b"ab"[..], 4));
        assert_eq!((lines.next(&mut to, false).unwrap(), &to[..], lines.at()), (Line::Unfinished, &b"ab"[..], 4));
        writeln!(file, "d").unwrap();
        assert_eq!((lines.next(&mut to, false).unwrap(), &to[..], lines.at()), (Line::Whole, &b"abcd"[..], 7));
        assert_eq!(lines.next(&mut to, false).unwrap(), Line::None);
        write!(file, "e").unwrap();
        assert_eq!((lines.next(&mut to, true).unwrap(), &to[..], lines.at()), (Line::Whole, &b"abcde"[..], 8));
    }

    /// A line of the largest size is a line; one byte more is too long, and nothing of it is kept.
    #[test]
    fn the_longest_line() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut text = vec![b'x'; LINE_BYTES_MAX];
        text.push(b'\n');
        file.write_all(&text).unwrap();
        let mut to = Vec::new();
        let mut lines = Lines::open(file.path(), 0).unwrap();
        assert_eq!((lines.next(&mut to, false).unwrap(), to.len()), (Line::Whole, LINE_BYTES_MAX));
        file.as_file_mut().set_len(0).unwrap();
        file.as_file_mut().rewind().unwrap();
        file.write_all(b"y").unwrap();
        file.write_all(&text).unwrap();
        to.clear();
        let mut lines = Lines::open(file.path(), 0).unwrap();
        assert_eq!((lines.next(&mut to, true).unwrap(), to.len(), lines.at()), (Line::TooLong, 0, 0));
    }
}
