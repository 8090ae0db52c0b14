//! The program itself, as a user starts it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use anyhow::{Context, ensure};

/// Where the program `sluice` is: next to the folder of the test program. Under cargo it is built first (by the first
/// caller), so that it is never an older one than the tests.
///
/// # Errors
/// When it cannot be built, or is not there; the same error for each caller.
pub fn sluice_binary() -> anyhow::Result<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| find().map_err(|error| format!("{error:#}")));
    found.clone().map_err(|error| anyhow::anyhow!("{error}"))
}

fn find() -> anyhow::Result<PathBuf> {
    // <target>/<profile>/deps/suite-<hash>
    let test = env::current_exe()?;
    let profile = test.ancestors().nth(2).context("the test program lies in no target folder")?;
    if let Some(cargo) = env::var_os("CARGO") {
        let target = profile.parent().context("the test program lies in no target folder")?;
        let mut build = Command::new(cargo);
        // As the tests were built: for fewer targets cargo would choose other features, and build everything again.
        build.args(["build", "--quiet", "--workspace", "--all-targets", "--target-dir"]).arg(target);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        // What cargo tells a test of its package; build scripts (ring's) that watch these variables would run again, and
        // half of the dependencies with them, this program too.
        let own =
            ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
        for (name, _) in env::vars_os() {
            if own.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                build.env_remove(name);
            }
        }
        let output = build.current_dir(crate::tidy::tree::root()).output().context("cannot start cargo")?;
        ensure!(output.status.success(), "sluice was not built: {}", String::from_utf8_lossy(&output.stderr));
    }
    let binary = profile.join("sluice");
    let there = fs::metadata(&binary).is_ok_and(|file| file.is_file());
    ensure!(there, "there is no {}; build it with cargo build --workspace --bin sluice", binary.display());
    Ok(binary)
}
