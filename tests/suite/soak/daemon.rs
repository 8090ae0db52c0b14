//! The program under test, as a process whose words are kept.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sluice_tests::sluice_binary;

/// How long a command that ends by itself may take.
const DEADLINE_S: u64 = 180;

/// Starts and ends the program for one project.
pub struct Program {
    binary: PathBuf,
    project: PathBuf,
    log: PathBuf,
    running: Option<Child>,
}

impl Program {
    pub fn new(project: &Path) -> anyhow::Result<Program> {
        let binary = env::var_os("SLUICE_SOAK_BINARY").map_or_else(sluice_binary, |path| Ok(PathBuf::from(path)))?;
        let log = project.join("sluice.log");
        File::create(&log)?;
        Ok(Program { binary, project: project.to_owned(), log, running: None })
    }

    fn command(&self, words: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(&self.binary);
        command.args(words).arg("--project").arg(&self.project);
        command.env_remove("LAKE").env_remove("SLUICE_LOG").env_remove("RUST_LOG").stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(OpenOptions::new().append(true).open(&self.log)?);
        Ok(command)
    }

    /// Starts the daemon, unless it runs.
    pub fn run(&mut self) -> anyhow::Result<()> {
        if self.running.is_none() {
            self.running = Some(self.command(&["run"])?.spawn().context("sluice cannot be started")?);
        }
        Ok(())
    }

    /// Fails when the daemon has ended by itself.
    pub fn must_run(&mut self) -> anyhow::Result<()> {
        let ended = self.running.as_mut().context("it was not started")?.try_wait()?;
        ensure!(ended.is_none(), "sluice has ended by itself ({ended:?}); it said:\n{}", self.said(0)?);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.running.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Reads all that is in the sources, and ends.
    pub fn run_until_idle(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        let mut child = self.command(&["run", "--until-idle"])?.spawn()?;
        let deadline = Instant::now() + Duration::from_secs(DEADLINE_S);
        loop {
            if let Some(status) = child.try_wait()? {
                ensure!(status.success(), "sluice run --until-idle ended with {status}; it said:\n{}", self.said(0)?);
                return Ok(());
            }
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                anyhow::bail!("sluice run --until-idle did not end within {DEADLINE_S} s; it said:\n{}", self.said(0)?);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What `sluice verify --deep` says; an error when something does not add up.
    pub fn verify(&self) -> anyhow::Result<String> {
        let output = self.command(&["verify", "--deep"])?.stdout(Stdio::piped()).output()?;
        let text = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "sluice verify --deep ended with {}:\n{text}{}", output.status, self.said(0)?);
        Ok(text)
    }

    /// How much the program has said.
    pub fn said_bytes(&self) -> anyhow::Result<u64> {
        Ok(fs::metadata(&self.log)?.len())
    }

    /// What it has said since; the end of it, when that is much.
    pub fn said(&self, since: u64) -> anyhow::Result<String> {
        const SHOWN_BYTES_MAX: usize = 20_000;
        let text = fs::read(&self.log)?;
        let text = &text[since as usize..];
        Ok(String::from_utf8_lossy(&text[text.len().saturating_sub(SHOWN_BYTES_MAX)..]).into_owned())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
