//! A server's own folder.

use std::env;
use std::path::Path;

use anyhow::Context;
use tempfile::TempDir;

/// A temporary folder that is removed when dropped, unless `SLUICE_TEST_KEEP` is set.
pub struct Home {
    folder: TempDir,
    keep: bool,
}

impl Home {
    /// A new, empty folder for the server `name`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(name: &str) -> anyhow::Result<Home> {
        let keep = env::var_os("SLUICE_TEST_KEEP").is_some();
        let prefix = format!("sluice-{name}-");
        let folder = tempfile::Builder::new()
            .prefix(&prefix)
            .disable_cleanup(keep)
            .tempdir()
            .with_context(|| format!("no temporary folder for {name}"))?;
        Ok(Home { folder, keep })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder that must go when the test process dies without dropping anything; none when it is kept.
    pub fn removed_after_death(&self) -> Option<&Path> {
        (!self.keep).then(|| self.path())
    }

    /// Writes the file `name` in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path().join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}
