//! A child process, and what it used.

use std::fs;
use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

/// Time between two looks at the child's memory, in milliseconds. What is read is the peak so far, so nothing is missed but
/// a rise in its very last moments.
const LOOK_MS: u64 = 20;
/// Ticks in a second in which the kernel tells processes of CPU time (`USER_HZ`); 100 on every architecture that Rust's
/// standard library supports on Linux, but for Alpha.
const TICKS_PER_S: f64 = 100.0;

/// A child that has ended.
pub struct Watched {
    /// How.
    pub status: ExitStatus,
    /// Time from its start to its end.
    pub wall: Duration,
    /// CPU time in its own code, in seconds.
    pub user_s: f64,
    /// CPU time in the kernel for it, in seconds.
    pub system_s: f64,
    /// The most memory that was resident at a time (`VmHWM`), in bytes.
    pub peak_bytes: u64,
    /// What it wrote to stderr.
    pub said: String,
}

impl Watched {
    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it cannot be started, or the system tells nothing about it (no `/proc`).
    pub fn run(command: &mut Command) -> anyhow::Result<Watched> {
        let name = command.get_program().to_string_lossy().into_owned();
        let before = children_ticks()?;
        let started = Instant::now();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        let mut stderr = child.stderr.take().context("stderr was piped")?;
        let reader = thread::spawn(move || {
            let mut said = Vec::new();
            // What was read before an error is worth having.
            let _ = stderr.read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        });
        let mut peak_bytes = 0;
        let status = loop {
            peak_bytes = peak_bytes.max(peak_of(child.id()));
            match child.try_wait()? {
                Some(status) => break status,
                None => thread::sleep(Duration::from_millis(LOOK_MS)),
            }
        };
        let wall = started.elapsed();
        let after = children_ticks()?;
        let seconds = |ticks: fn(&(u64, u64)) -> u64| (ticks(&after) - ticks(&before)) as f64 / TICKS_PER_S;
        let said = reader.join().unwrap_or_default();
        Ok(Watched { status, wall, user_s: seconds(|t| t.0), system_s: seconds(|t| t.1), peak_bytes, said })
    }

    /// CPU time in all, in seconds.
    pub fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

/// The number before `unit` in what a program told: "2000001 rows in 3.1 s" has 2000001 before " rows in ".
///
/// # Errors
/// When it is not there.
pub fn rows_told(said: &str, unit: &str) -> anyhow::Result<u64> {
    let number = |line: &str| line.split_once(unit)?.0.rsplit(' ').next()?.parse().ok();
    said.lines()
        .rev()
        .find_map(number)
        .with_context(|| format!("it does not tell how many{unit}it did; it said:\n{said}"))
}

/// CPU time of all children that have ended and been waited for, in ticks: user and system.
fn children_ticks() -> anyhow::Result<(u64, u64)> {
    let stat = fs::read_to_string("/proc/self/stat").context("CPU time is read from /proc, which only Linux has")?;
    children_ticks_in(&stat).context("/proc/self/stat is not as known")
}

/// "pid (name) state ppid ...": `cutime` and `cstime` are the 16th and 17th field; the name may have spaces.
fn children_ticks_in(stat: &str) -> Option<(u64, u64)> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(13);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// 0 when it has ended.
fn peak_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    peak_in(&status).unwrap_or(0)
}

fn peak_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A child that works for a while is seen to have used CPU time and memory, and what it says is read.
    #[test]
    fn a_child_is_watched() {
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo 7 rows in 1 s >&2";
        let run = Watched::run(Command::new("/bin/sh").args(["-c", busy])).unwrap();
        assert!(run.status.success() && run.cpu_s() > 0.0 && run.peak_bytes > 100_000, "{} s", run.cpu_s());
        assert!(run.cpu_s() <= run.wall.as_secs_f64() + 0.1);
        assert_eq!(rows_told(&run.said, " rows in ").unwrap(), 7);
    }

    /// The kernel's texts are read, whatever the process is called.
    #[test]
    fn texts_of_the_kernel() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 200 0 0 11 22 33 44 20 0 1 0";
        assert_eq!(children_ticks_in(stat), Some((33, 44)));
        assert_eq!(peak_in("Name:\tx\nVmHWM:\t    2048 kB\n"), Some(2 << 20));
        assert!(rows_told("nothing", " rows in ").is_err());
    }
}
