//! Which files there are below the folders of a package.

use super::error::Faults;
use super::files::Files;

/// The files below folders whose names end so, sorted, each once.
pub(super) fn listed(files: &dyn Files, folders: &[String], ending: &str, faults: &mut Faults) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for folder in folders {
        match files.list(folder) {
            Ok(list) => found.extend(list.into_iter().filter(|path| path.ends_with(ending))),
            Err(error) => {
                faults.error(folder, None, format!("the folder cannot be read: {error}"), "check its permissions");
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The text of a file; a fault when it cannot be read.
pub(super) fn text_of(files: &dyn Files, path: &str, faults: &mut Faults) -> Option<String> {
    files.read(path).map_err(|error| faults.error(path, None, format!("the file cannot be read: {error}"), "")).ok()
}
