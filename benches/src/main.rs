//! `sluice-bench`: measures the real program, as a process of its own, on a real broker or on simulated events in memory.

mod arguments;
mod broker;
mod history;
mod machine;
mod project;
mod report;
mod watched;

use std::io::Write;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};

use arguments::{Arguments, Help, Mode};
use broker::Broker;
use project::Project;
use report::Report;
use watched::{Watched, rows_told};

/// Rows that may be read beyond the events: the end of the last simulated event.
const CONSTANT_ROWS_MAX: u64 = 100;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = if let [history, rows @ ..] = words.as_slice()
        && history == "history"
    {
        measure_history(rows)
    } else {
        measure_words(words)
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when this fails too.
            let _ = writeln!(std::io::stderr().lock(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `history [ROWS]`.
fn measure_history(rows: &[String]) -> anyhow::Result<()> {
    let rows = match rows {
        [] => history::ROWS,
        [rows] => rows.parse().ok().filter(|n| *n > 0).with_context(|| format!("{rows:?} is no number of rows"))?,
        [_, more, ..] => bail!("{more:?} is not known; say history, and perhaps a number of rows"),
    };
    say(&history::report(rows)?)
}

fn measure_words(words: Vec<String>) -> anyhow::Result<()> {
    Arguments::parse(words).and_then(|arguments| match arguments {
        Ok(arguments) => measure(&arguments),
        Err(Help(text)) => say(text),
    })
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", text.trim_end()).context("nobody reads the result")
}

fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    arguments.check_binary()?;
    let mut folder = tempfile::Builder::new().prefix("sluice-bench-").tempdir().context("no temporary folder")?;
    folder.disable_cleanup(arguments.keep);
    let project = Project::create(&folder.path().join("project"), arguments)?;
    let mut broker = None;
    let produced = match (&arguments.mode, &arguments.brokers) {
        (Mode::Memory, _) => None,
        (Mode::Kafka, Some(brokers)) => Some(produce(arguments, brokers)?),
        (Mode::Kafka, None) => {
            say("starting a broker")?;
            let started = broker.insert(Broker::start(&folder.path().join("kafka"), arguments.keep)?);
            Some(produce(arguments, started.address())?)
        }
    };
    let brokers = arguments.brokers.clone().or_else(|| broker.as_ref().map(|broker| broker.address().to_owned()));
    project.write_settings(brokers.as_deref(), arguments)?;
    say("running the pipeline")?;
    let mut command = Command::new(&arguments.sluice);
    command.args(["run", "--until-idle", "--project"]).arg(project.folder());
    let run = Watched::run(&mut command)?;
    ensure!(run.status.success(), "sluice run failed ({}) and said:\n{}", run.status, run.said);
    let rows = rows_told(&run.said, " rows in ")?;
    let events = produced.unwrap_or(arguments.events);
    // A simulated event is written whole, so there may be some records more than were asked for.
    if !(events..events + CONSTANT_ROWS_MAX).contains(&rows) {
        bail!("{events} records were there, and {rows} rows were read; it said:\n{}", run.said);
    }
    let report = Report { arguments, events, run: &run, lake_bytes: project.lake_bytes() };
    say(&report.text())?;
    if arguments.keep {
        say(&format!("project, tables and the broker's data are kept in {}", folder.path().display()))?;
    }
    match &arguments.json {
        Some(file) => report.append_to(file),
        None => Ok(()),
    }
}

/// Fills the four topics; gives the number of records.
fn produce(arguments: &Arguments, brokers: &str) -> anyhow::Result<u64> {
    say(&format!("producing {} events", arguments.events))?;
    let mut command = Command::new(&arguments.sluice);
    command.args(["simulate", "--to", &format!("kafka://{brokers}"), "--create-topics", "4", "--seed", "1"]);
    command.args(["--events", &arguments.events.to_string()]);
    let run = Watched::run(&mut command)?;
    ensure!(run.status.success(), "sluice simulate failed ({}) and said:\n{}", run.status, run.said);
    rows_told(&run.said, " records in ")
}
