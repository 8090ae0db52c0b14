//! The command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

const HELP: &str = "\
Measures the sluice program: CPU time, memory, throughput of the music pipeline into a local folder.

  sluice-bench kafka    through a real Kafka broker that is started for it (tests/setup installs it)
  sluice-bench memory   from the simulator within the process, whose cost is then in the figures
  sluice-bench history [ROWS]
                        operators alone: what a row costs after ROWS rows (1000000) and after ten times as many

  --events N       records of all four streams together (2000000)
  --layers L       bronze, silver (with bronze) or gold (with both, the default)
  --workers N      worker threads (as many as there are cores)
  --epoch S        seconds between commits (10)
  --brokers H:P    kafka: a broker that runs already and has none of the topics
  --sluice FILE    the program (sluice beside this one)
  --json FILE      append the result to this file, as one line of JSON
  --keep           keep the project, its tables and the broker's data
  --allow-debug    measure a debug binary: only to see that this command works
";

/// Where the events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A broker.
    Kafka,
    /// The simulator within the measured process.
    Memory,
}

impl Mode {
    /// Its word on the command line.
    pub fn name(self) -> &'static str {
        if self == Mode::Kafka { "kafka" } else { "memory" }
    }
}

/// How much of the project is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    /// No model, only the streams' own tables.
    Bronze,
    /// These and the star schema.
    Silver,
    /// All.
    Gold,
}

impl Layers {
    const ALL: [(&'static str, Layers); 3] =
        [("bronze", Layers::Bronze), ("silver", Layers::Silver), ("gold", Layers::Gold)];

    /// Its word on the command line.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, layers)| *layers == self).map_or("", |(name, _)| name)
    }
}

/// What is measured, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// Where the events come from.
    pub mode: Mode,
    /// Records of all streams together.
    pub events: u64,
    /// How much of the project is run.
    pub layers: Layers,
    /// Worker threads; as many as there are cores when none.
    pub workers: Option<usize>,
    /// Seconds between commits.
    pub epoch_s: u64,
    /// A broker that runs already.
    pub brokers: Option<String>,
    /// The program that is measured.
    pub sluice: PathBuf,
    /// The file that gets a line of JSON.
    pub json: Option<PathBuf>,
    /// Keep what was made.
    pub keep: bool,
    /// Measure a debug binary all the same.
    pub allow_debug: bool,
}

/// Instead of a measurement: what can be asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Help(pub &'static str);

impl Arguments {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// When a word is not known, or its value is missing or no number.
    pub fn parse(words: impl IntoIterator<Item = String>) -> anyhow::Result<Result<Arguments, Help>> {
        let mut words = words.into_iter();
        let mode = match words.next().as_deref() {
            Some("kafka") => Mode::Kafka,
            Some("memory") => Mode::Memory,
            None | Some("help" | "--help" | "-h") => return Ok(Err(Help(HELP))),
            Some(other) => bail!("{other:?} cannot be measured; say kafka, memory or history"),
        };
        let beside = std::env::current_exe().context("this program's folder is not known; say --sluice FILE")?;
        let mut arguments = Arguments {
            mode,
            events: 2_000_000,
            layers: Layers::Gold,
            workers: None,
            epoch_s: 10,
            brokers: None,
            sluice: beside.with_file_name("sluice"),
            json: None,
            keep: false,
            allow_debug: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value after it"));
            match word.as_str() {
                "--events" => arguments.events = number(&word, &value()?)?,
                "--layers" => arguments.layers = layers(&value()?)?,
                "--workers" => arguments.workers = Some(number(&word, &value()?)? as usize),
                "--epoch" => arguments.epoch_s = number(&word, &value()?)?,
                "--brokers" => arguments.brokers = Some(value()?),
                "--sluice" => arguments.sluice = value()?.into(),
                "--json" => arguments.json = Some(value()?.into()),
                "--keep" => arguments.keep = true,
                "--allow-debug" => arguments.allow_debug = true,
                "--help" | "-h" => return Ok(Err(Help(HELP))),
                other => bail!("{other:?} is not known; see sluice-bench --help"),
            }
        }
        ensure!(mode == Mode::Kafka || arguments.brokers.is_none(), "--brokers is for sluice-bench kafka");
        Ok(Ok(arguments))
    }

    /// Sees that the program is there, and that its figures will mean something.
    ///
    /// # Errors
    /// When it is not there, or lies in a folder of debug binaries.
    pub fn check_binary(&self) -> anyhow::Result<()> {
        let file = self.sluice.display();
        ensure!(
            self.sluice.is_file(),
            "program {file} is not there; build it (cargo build --release -p sluice-pipelines -p sluice-benches), or say --sluice FILE"
        );
        ensure!(
            self.allow_debug || !is_debug(&self.sluice),
            "{file} is a debug binary, whose figures mean nothing; build with --release, or say --allow-debug"
        );
        Ok(())
    }

    /// `debug` or `release`, as the program's folder says.
    pub fn profile(&self) -> &'static str {
        if is_debug(&self.sluice) { "debug" } else { "release" }
    }
}

/// Cargo puts the binaries of the dev profile into a folder of this name; the file itself does not tell.
fn is_debug(file: &Path) -> bool {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    file.parent().is_some_and(|folder| folder.ends_with("debug"))
}

fn number(word: &str, text: &str) -> anyhow::Result<u64> {
    let number = text.replace('_', "").parse().ok().filter(|number| *number > 0);
    number.with_context(|| format!("{word} is {text:?}; give a number from 1 up"))
}

fn layers(text: &str) -> anyhow::Result<Layers> {
    let found = Layers::ALL.iter().find(|(name, _)| *name == text).map(|(_, layers)| *layers);
    found.with_context(|| format!("--layers is {text:?}; say bronze, silver or gold"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> anyhow::Result<Result<Arguments, Help>> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    /// Every option has its effect, and what is not said stays as the help says.
    #[test]
    fn options() {
        let plain = parse("kafka").unwrap().unwrap();
        assert_eq!((plain.mode, plain.events, plain.layers, plain.epoch_s), (Mode::Kafka, 2_000_000, Layers::Gold, 10));
        let all =
            "memory --events 1_000 --layers silver --workers 2 --epoch 3 --sluice s --json j --keep --allow-debug";
        let all = parse(all).unwrap().unwrap();
        let expected = Arguments {
            mode: Mode::Memory,
            events: 1_000,
            layers: Layers::Silver,
            workers: Some(2),
            epoch_s: 3,
            brokers: None,
            sluice: "s".into(),
            json: Some("j".into()),
            keep: true,
            allow_debug: true,
        };
        assert_eq!(all, expected);
        assert_eq!(parse("kafka --brokers h:1").unwrap().unwrap().brokers.as_deref(), Some("h:1"));
    }

    /// What is wrong is refused, and asking for help is not wrong.
    #[test]
    fn faults() {
        for line in
            ["disk", "kafka --events", "kafka --events 0", "kafka --layers tin", "kafka -x", "memory --brokers h:1"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
        for line in ["", "--help", "kafka --help"] {
            assert_eq!(parse(line).unwrap(), Err(Help(HELP)), "{line}");
        }
    }

    /// A program in a folder of debug binaries is known, wherever that is.
    #[test]
    fn debug_binaries_are_known() {
        assert!(is_debug(Path::new("a/target/debug/sluice")));
        assert!(!is_debug(Path::new("a/target/release/sluice")) && !is_debug(Path::new("debug/bin/sluice")));
    }
}
