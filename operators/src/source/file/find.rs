//! Which files make up a stream.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use sluice_engine::error::{Error, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::{FILES_MAX, FileConfig};

const EXTENSION: &str = ".jsonl";

/// A file of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path below the folder that is read: the split's name.
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// Where the files are looked for.
#[derive(Debug)]
pub(super) enum Place {
    /// This one file.
    File { name: String, path: PathBuf },
    /// The stream's own file in the folder, and the `*.jsonl` in the folder named as the stream.
    Folder { folder: PathBuf, stream: String },
    /// The files in the folder whose names match.
    Pattern { folder: PathBuf, pattern: String },
}

impl Place {
    /// What `config` means, given what is there.
    ///
    /// # Errors
    /// `Config` when there is no such file or folder.
    pub(super) fn of(config: &FileConfig) -> Result<Place> {
        let path = PathBuf::from(config.path.replace("{table}", &config.stream));
        let last = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if last.contains('*') {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf();
            return Ok(Place::Pattern { folder, pattern: last });
        }
        match std::fs::metadata(&path) {
            Ok(m) if m.is_dir() => Ok(Place::Folder { folder: path, stream: config.stream.clone() }),
            Ok(_) => Ok(Place::File { name: last, path }),
            Err(e) => Err(cannot_read(&path, e, config)),
        }
    }

    /// The stream's files as they are now, by name.
    ///
    /// # Errors
    /// `Config` when a folder is missing, there are too many files, or two of them have the same number.
    pub(super) fn files(&self, config: &FileConfig) -> Result<Vec<Found>> {
        let mut files = Vec::new();
        match self {
            Place::File { name, path } => files.push(Found { name: name.clone(), path: path.clone() }),
            Place::Folder { folder, stream } => {
                let own = folder.join(own_name(stream));
                if own.is_file() {
                    files.push(Found { name: own_name(stream), path: own });
                }
                let inner = folder.join(stream);
                if inner.is_dir() {
                    list(&inner, &format!("{stream}/"), &format!("*{EXTENSION}"), config, &mut files)?;
                }
            }
            Place::Pattern { folder, pattern } => list(folder, "", pattern, config, &mut files)?,
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        self.check(&files, config)?;
        Ok(files)
    }

    /// The file's number among the stream's: the raw batch's `_partition`. It rests on the name alone.
    pub(super) fn number(&self, name: &str) -> i32 {
        let own = match self {
            Place::File { name: own, .. } => own == name,
            Place::Folder { stream, .. } => name == own_name(stream),
            Place::Pattern { .. } => false,
        };
        if own { 0 } else { (xxh3_64(name.as_bytes()) % (i32::MAX as u64)) as i32 + 1 }
    }

    fn check(&self, files: &[Found], config: &FileConfig) -> Result<()> {
        if files.len() > FILES_MAX {
            return Err(Error::config(format!(
                "stream {:?} has {} files at {:?}, and {FILES_MAX} are the most that can be read; put them together into fewer",
                config.stream,
                files.len(),
                config.path
            )));
        }
        let mut numbers = HashMap::new();
        for file in files {
            if let Some(other) = numbers.insert(self.number(&file.name), &file.name) {
                return Err(Error::config(format!(
                    "files {other:?} and {:?} of stream {:?} get the same number (it is made from the name); rename the one that has not been read yet",
                    file.name, config.stream
                )));
            }
        }
        Ok(())
    }
}

/// The error for a stream without files.
pub(super) fn none_found(place: &Place, config: &FileConfig) -> Error {
    let looked_for = match place {
        Place::File { path, .. } => format!("{path:?}"),
        Place::Folder { folder, stream } => {
            format!("{:?} and {:?}", folder.join(own_name(stream)), folder.join(stream).join(format!("*{EXTENSION}")))
        }
        Place::Pattern { folder, pattern } => format!("{:?}", folder.join(pattern)),
    };
    Error::config(format!(
        "stream {:?} has no file: looked for {looked_for}; put one there, or change {}.path",
        config.stream, config.settings
    ))
}

/// What an I/O error at a path means.
pub(super) fn cannot_read(path: &Path, e: io::Error, config: &FileConfig) -> Error {
    match e.kind() {
        io::ErrorKind::NotFound => Error::config(format!(
            "{path:?} does not exist (stream {:?}); put it there, or change {}.path",
            config.stream, config.settings
        )),
        io::ErrorKind::PermissionDenied => Error::config(format!(
            "{path:?} may not be read (stream {:?}); change its permissions, or {}.path",
            config.stream, config.settings
        )),
        _ => Error::transient(format!("{path:?} cannot be read (stream {:?})", config.stream)).because(e),
    }
}

fn own_name(stream: &str) -> String {
    format!("{stream}{EXTENSION}")
}

fn list(folder: &Path, prefix: &str, pattern: &str, config: &FileConfig, files: &mut Vec<Found>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|e| cannot_read(folder, e, config))?;
    for entry in entries {
        let path = entry.map_err(|e| cannot_read(folder, e, config))?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
            return Err(Error::config(format!(
                "{path:?} has a name that is not UTF-8 (stream {:?}); rename it",
                config.stream
            )));
        };
        if matches(pattern, name) && path.is_file() {
            files.push(Found { name: format!("{prefix}{name}"), path });
        }
    }
    Ok(())
}

/// True when `name` is `pattern`, where each `*` stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Patterns with one star, several, none; a star may stand for nothing; parts do not overlap.
    #[test]
    fn patterns() {
        for (pattern, name, yes) in [
            ("*.jsonl", "a.jsonl", true),
            ("*.jsonl", ".jsonl", true),
            ("a*b*c", "a12b34c", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "anything", true),
            ("x*", "ax", false),
        ] {
            assert_eq!(matches(pattern, name), yes, "{pattern} {name}");
        }
    }

    /// A file, a folder in both of its forms, and a pattern give the stream's files in order; others are left alone.
    #[test]
    fn places() {
        let dir = tempfile::tempdir().unwrap();
        let at = |p: &str| dir.path().join(p).to_str().unwrap().to_string();
        std::fs::create_dir_all(at("listens")).unwrap();
        for name in [
            "listens.jsonl",
            "listens/b.jsonl",
            "listens/a.jsonl",
            "listens/notes.txt",
            "other.jsonl",
            "listens-2.jsonl",
        ] {
            std::fs::write(at(name), "").unwrap();
        }
        let names = |path: String| {
            let config = FileConfig::new(path, "listens");
            let files = Place::of(&config).unwrap().files(&config).unwrap();
            files.into_iter().map(|f| f.name).collect::<Vec<_>>()
        };
        assert_eq!(names(at("")), ["listens.jsonl", "listens/a.jsonl", "listens/b.jsonl"]);
        assert_eq!(names(at("listens/a.jsonl")), ["a.jsonl"]);
        assert_eq!(names(at("{table}*.jsonl")), ["listens-2.jsonl", "listens.jsonl"]);
        assert_eq!(names(at("{table}/*")), ["a.jsonl", "b.jsonl", "notes.txt"]);
        assert_eq!(names(at("nothing*")), [] as [&str; 0]);
    }

    /// The stream's own file is number 0, others have numbers of their own, whatever else is there.
    #[test]
    fn numbers() {
        let place = Place::Folder { folder: ".".into(), stream: "s".into() };
        assert_eq!(place.number("s.jsonl"), 0);
        let (a, b) = (place.number("s/a.jsonl"), place.number("s/b.jsonl"));
        assert!(a > 0 && b > 0 && a != b);
        assert_eq!(a, Place::Pattern { folder: ".".into(), pattern: "*".into() }.number("s/a.jsonl"));
        // Bronze tables hold the numbers: they may never change.
        assert_eq!((a, b), (362_346_902, 1_937_582_573));
    }
}
