//! A server process that can be killed, stopped and continued, and that never outlives the test.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;

use super::home::Home;

/// The server is the child of a small shell that reads our orders. When the test process dies, however that happens, the
/// shell reads the end of its input and kills the server. (The kernel's own parent-death signal would not do: it comes
/// when the *thread* that started the child ends, and each test has a thread of its own.)
///
/// Arguments: log file, folder to remove after our death or "", command and its arguments.
const WATCHER: &str = r#"
trap : HUP INT TERM
log=$1 folder=$2; shift 2
exec "$@" </dev/null >>"$log" 2>&1 &
server=$!
echo $server
while read -r order; do
  if [ "$order" = end ]; then folder=; break; fi
  if kill -s "$order" $server; then echo done; else echo gone; fi
done
kill -s KILL $server
wait $server
[ -z "$folder" ] || rm -rf "$folder"
"#;

/// How many bytes of a log an error quotes.
const LOG_TAIL_BYTES: usize = 4_000;

/// A running server, or one that was killed.
pub struct Process {
    name: String,
    pid: u32,
    log: PathBuf,
    /// None once the server is killed. Locked, so that a test can freeze a server that other threads use.
    watcher: Mutex<Option<Watcher>>,
}

struct Watcher {
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts `command` with its output appended to the file `<name>.log` of `home`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, home: &Home, command: &[String]) -> anyhow::Result<Process> {
        let log = home.path().join(format!("{name}.log"));
        let mut shell = Command::new("/bin/sh")
            .args(["-c", WATCHER, "watcher"])
            .arg(&log)
            .arg(home.removed_after_death().unwrap_or(Path::new("")))
            .args(command)
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let input = shell.stdin.take().expect("piped above");
        let mut output = BufReader::new(shell.stdout.take().expect("piped above"));
        let mut line = String::new();
        output.read_line(&mut line)?;
        let pid =
            line.trim().parse().with_context(|| format!("{name}: the watcher said {line:?}, not a process id"))?;
        let watcher = Mutex::new(Some(Watcher { shell, input, output }));
        Ok(Process { name: name.to_owned(), pid, log, watcher })
    }

    /// The server's name, as in its log's file name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has ended, by itself or by `kill`.
    pub fn ended(&self) -> bool {
        let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.pid)) else { return true };
        // "pid (name) state ...": a server that ended is a zombie until the watcher waits for it.
        self.watcher().is_none() || stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
    }

    /// Freezes it (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    /// When it has ended.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.order("STOP")
    }

    /// Lets it go on after `stop`.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cont(&self) -> anyhow::Result<()> {
        self.order("CONT")
    }

    fn order(&self, signal: &str) -> anyhow::Result<()> {
        let ended = || format!("{} has ended, so it cannot be sent {signal}", self.name);
        let mut watcher = self.watcher();
        let Watcher { input, output, .. } = watcher.as_mut().with_context(ended)?;
        writeln!(input, "{signal}")?;
        let mut line = String::new();
        output.read_line(&mut line)?;
        anyhow::ensure!(line == "done\n", ended());
        Ok(())
    }

    /// Kills it (SIGKILL) and waits until it is gone. Does nothing when it is gone already.
    pub fn kill(&mut self) {
        if let Some(Watcher { mut shell, mut input, .. }) = self.watcher().take() {
            // Neither can fail unless somebody killed the watcher itself, and then nothing is left to be done.
            let _ = writeln!(input, "end");
            let _ = shell.wait();
        }
    }

    fn watcher(&self) -> MutexGuard<'_, Option<Watcher>> {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_TAIL_BYTES)..]).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command in the server's folder to its end.
///
/// # Errors
/// When it cannot be started or fails: with what it wrote.
pub fn run_to_end(home: &Home, command: &[String]) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("an empty command")?;
    let done = Command::new(program).args(arguments).current_dir(home.path()).stdin(Stdio::null()).output();
    let output = done.with_context(|| format!("cannot start {program}"))?;
    let text = [output.stdout, output.stderr].concat();
    let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(LOG_TAIL_BYTES)..]).into_owned();
    anyhow::ensure!(output.status.success(), "{} failed and said:\n{tail}", command.join(" "));
    Ok(())
}
