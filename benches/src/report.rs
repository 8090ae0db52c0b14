//! The figures, for people and for a file.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::machine;
use crate::watched::Watched;

/// CPU seconds per million events that are aimed at now; 2.5 later.
const CPU_S_PER_MILLION_GOAL: f64 = 6.0;
/// Peak memory that is aimed at now, in bytes; 512 MiB later.
const PEAK_BYTES_GOAL: u64 = 1 << 30;

const MIB: f64 = (1 << 20) as f64;

/// What came of a run.
pub struct Report<'a> {
    /// What was asked for.
    pub arguments: &'a Arguments,
    /// Records of the streams that it read.
    pub events: u64,
    /// What it used.
    pub run: &'a Watched,
    /// Bytes of all files that it left.
    pub lake_bytes: u64,
}

impl Report<'_> {
    fn wall_s(&self) -> f64 {
        self.run.wall.as_secs_f64().max(1e-3)
    }

    fn cpu_s_per_million(&self) -> f64 {
        self.run.cpu_s() / (self.events.max(1) as f64 / 1e6)
    }

    /// A figure a line.
    pub fn text(&self) -> String {
        let Watched { user_s, system_s, peak_bytes, .. } = self.run;
        let rate = self.events as f64 / self.wall_s();
        let is_met = |is_met: bool| if is_met { "met" } else { "missed" };
        let lines = [
            format!("{} from {}, {}", self.arguments.layers.name(), self.arguments.mode.name(), self.what_ran()),
            format!("machine          {} x {}, load {:.1}", machine::cores(), machine::processor(), machine::load()),
            format!("events           {}", self.events),
            format!("wall             {:.2} s, start and end included", self.wall_s()),
            format!("throughput       {rate:.0} events/s"),
            format!("CPU              {:.2} s (user {user_s:.2}, system {system_s:.2})", self.run.cpu_s()),
            format!(
                "CPU per million  {:.2} s (goal {CPU_S_PER_MILLION_GOAL}: {})",
                self.cpu_s_per_million(),
                is_met(self.cpu_s_per_million() <= CPU_S_PER_MILLION_GOAL)
            ),
            format!(
                "peak memory      {:.0} MiB (goal {:.0}: {})",
                *peak_bytes as f64 / MIB,
                PEAK_BYTES_GOAL as f64 / MIB,
                is_met(*peak_bytes <= PEAK_BYTES_GOAL)
            ),
            format!("tables and state {:.0} MiB", self.lake_bytes as f64 / MIB),
        ];
        lines.join("\n")
    }

    fn what_ran(&self) -> String {
        let workers = self.arguments.workers.unwrap_or_else(machine::cores);
        let version = machine::version(&self.arguments.sluice);
        format!("{version} ({}), {workers} workers, an epoch of {} s", self.arguments.profile(), self.arguments.epoch_s)
    }

    fn json(&self) -> Value {
        json!({
            "at": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            "mode": self.arguments.mode.name(),
            "layers": self.arguments.layers.name(),
            "sluice": machine::version(&self.arguments.sluice),
            "profile": self.arguments.profile(),
            "workers": self.arguments.workers.unwrap_or_else(machine::cores),
            "epoch_s": self.arguments.epoch_s,
            "cores": machine::cores(),
            "processor": machine::processor(),
            "load": machine::load(),
            "events": self.events,
            "wall_s": self.wall_s(),
            "events_per_s": self.events as f64 / self.wall_s(),
            "user_s": self.run.user_s,
            "system_s": self.run.system_s,
            "cpu_s_per_million": self.cpu_s_per_million(),
            "peak_bytes": self.run.peak_bytes,
            "lake_bytes": self.lake_bytes,
        })
    }

    /// Adds the figures to a file, as one line of JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append_to(&self, file: &Path) -> anyhow::Result<()> {
        let append = || writeln!(OpenOptions::new().create(true).append(true).open(file)?, "{}", self.json());
        append().with_context(|| format!("the result cannot be written to {}", file.display()))
    }
}
