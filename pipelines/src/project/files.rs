//! Where a project's files are read from: a folder, or a list that is part of the binary.

use std::io;
use std::path::{Path, PathBuf};

/// Folders below a project's folder are followed to this depth (in folders).
const FOLDER_DEPTH_MAX: usize = 32;
/// A file of a project may have this size (in bytes); larger ones are data, which does not belong in a project.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Read access to the files of a project. Paths are relative to the project's folder and separated by `/`.
pub trait Files: Sync {
    /// All files below the folder `under`, at any depth, sorted; none when there is no such folder.
    ///
    /// # Errors
    /// When a folder cannot be read.
    fn list(&self, under: &str) -> io::Result<Vec<String>>;

    /// The text of a file.
    ///
    /// # Errors
    /// `NotFound` when there is no such file, `InvalidData` when it is not UTF-8, or what the file system says.
    fn read(&self, path: &str) -> io::Result<String>;

    /// Whether there is such a file.
    fn exists(&self, path: &str) -> bool;
}

/// The files of a folder on disk.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The project in the folder `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Folder(root.into())
    }
}

impl Files for Folder {
    fn list(&self, under: &str) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        let start = self.0.join(under);
        if start.is_dir() {
            walk(&start, under.trim_end_matches('/'), 0, &mut found)?;
        }
        found.sort();
        Ok(found)
    }

    fn read(&self, path: &str) -> io::Result<String> {
        let full = self.0.join(path);
        let size_bytes = std::fs::metadata(&full)?.len();
        if size_bytes > FILE_BYTES_MAX {
            let text = format!("{size_bytes} bytes, more than the {FILE_BYTES_MAX} that a project's file may have");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        std::fs::read_to_string(full)
    }

    fn exists(&self, path: &str) -> bool {
        self.0.join(path).is_file()
    }
}

/// Adds the files below `folder` to `found`, each named `prefix/...`.
fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) -> io::Result<()> {
    if depth > FOLDER_DEPTH_MAX {
        return Err(io::Error::other(format!("folders are nested more than {FOLDER_DEPTH_MAX} deep at {prefix}")));
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            continue; // a name that is no text cannot be a dbt node
        };
        if name.starts_with('.') {
            continue;
        }
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.path().is_dir() {
            walk(&entry.path(), &path, depth + 1, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// Files given as (path, contents), as those that are embedded in the binary.
#[derive(Debug, Clone, Copy)]
pub struct Embedded<'a>(pub &'a [(&'a str, &'a str)]);

impl Files for Embedded<'_> {
    fn list(&self, under: &str) -> io::Result<Vec<String>> {
        let folder = format!("{}/", under.trim_end_matches('/'));
        let below = self.0.iter().map(|(path, _)| *path).filter(|path| path.starts_with(&folder));
        let mut found: Vec<String> = below.map(str::to_owned).collect();
        found.sort();
        Ok(found)
    }

    fn read(&self, path: &str) -> io::Result<String> {
        let file = self.0.iter().find(|(name, _)| *name == path);
        file.map(|(_, text)| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn exists(&self, path: &str) -> bool {
        self.0.iter().any(|(name, _)| *name == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder and an embedded list with the same files cannot be told apart; hidden files are left out.
    #[test]
    fn folder_and_list_agree() {
        let dir = tempfile::tempdir().unwrap();
        let files = [("models/a/b.sql", "select 1"), ("models/c.sql", "select 2"), ("dbt_project.yml", "name: x")];
        for (path, text) in files {
            std::fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(dir.path().join(path), text).unwrap();
        }
        std::fs::write(dir.path().join("models/.hidden.sql"), "").unwrap();
        let (folder, list) = (Folder::new(dir.path()), Embedded(&files));
        for under in ["models", "models/a", "models/", "seeds"] {
            assert_eq!(folder.list(under).unwrap(), list.list(under).unwrap(), "{under}");
        }
        assert_eq!(list.list("models").unwrap(), ["models/a/b.sql", "models/c.sql"]);
        assert_eq!(folder.read("models/c.sql").unwrap(), list.read("models/c.sql").unwrap());
        assert_eq!(folder.read("x").unwrap_err().kind(), list.read("x").unwrap_err().kind());
        assert!(folder.exists("dbt_project.yml") && list.exists("dbt_project.yml"));
    }
}
