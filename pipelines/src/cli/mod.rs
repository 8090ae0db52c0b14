//! The command line.

mod artifacts;
mod check;
mod demo;
mod init;
mod maintain;
mod maintain_refill;
mod opened;
mod output;
mod plan;
mod query;
mod replay;
mod run;
mod simulate;
mod status;
mod test;
mod verify;
mod watch;
mod without_effect;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use sluice_engine::{Error, ErrorKind};

use crate::project::{ProjectErrors, Selection, parse_vars};

/// The work failed.
const FAILED: u8 = 1;
/// The command or the project is wrong.
const WRONG: u8 = 2;

/// A dbt project of Spark SQL, run as a stream: Kafka to Delta tables (bronze, silver, gold) and ClickHouse, in one process.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
    /// Say more (-v) or much more (-vv) of what happens.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

const AFTER_HELP: &str = "\
Begin with:
  sluice demo --events 200000      see it work, with nothing else installed
  sluice init my-project           a project of your own that runs
  sluice check --project my-project && sluice plan --project my-project
  sluice run --project my-project  keep every table up to date, until Ctrl-C

Exit status: 0 done, 1 the work failed, 2 the command or the project is wrong.";

/// Where the project is.
#[derive(Debug, Clone, Args)]
struct ProjectDir {
    /// The project's folder: a dbt project and sluice.yml.
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Vars that win over those of dbt_project.yml: YAML, as "{from: 2024-01-01, limit: 10}".
    #[arg(long, value_name = "YAML", value_parser = parse_vars)]
    vars: Option<Vars>,
}

/// Which nodes a command is about.
#[derive(Debug, Clone, Default, Args)]
struct SelectArgs {
    /// Only these (dbt selectors: names, +above, below+, tag:x, path:x, ...).
    #[arg(short, long, value_name = "SELECTOR", num_args = 1..)]
    select: Vec<String>,
    /// All but these.
    #[arg(long, value_name = "SELECTOR", num_args = 1..)]
    exclude: Vec<String>,
    /// What this selector of selectors.yml names.
    #[arg(long, value_name = "NAME", conflicts_with = "select")]
    selector: Option<String>,
}

impl SelectArgs {
    fn selection(&self) -> Selection {
        let joined = |parts: &[String]| (!parts.is_empty()).then(|| parts.join(" "));
        Selection { select: joined(&self.select), exclude: joined(&self.exclude), named: self.selector.clone() }
    }
}

/// The vars of the command line, by name.
type Vars = crate::project::Config;

#[derive(Debug, Subcommand)]
enum Verb {
    /// Simulated events through the whole pipeline into a local folder; needs nothing else.
    Demo(demo::DemoArgs),
    /// Write a new project that runs.
    Init(init::InitArgs),
    /// Everything that can be known before running: SQL, types, streams, tables. One error for each fault.
    Check(check::CheckArgs),
    /// Show how each model is kept up to date, and why.
    Plan(plan::PlanArgs),
    /// Keep every table up to date until stopped (Ctrl-C or SIGTERM commits and ends).
    Run(run::RunArgs),
    /// Bring every table up to date once, run the tests, and end.
    Build(run::BuildArgs),
    /// Run the project's unit tests, and its data tests over the tables.
    Test(test::TestArgs),
    /// Merge small files, delete what nobody needs any more, fill ClickHouse again: for a stopped daemon, which does all but
    /// the last by itself.
    Maintain(maintain::MaintainArgs),
    /// Simulate events, to Kafka or to files.
    Simulate(simulate::SimulateArgs),
    /// SQL over the tables.
    #[command(after_help = query::AFTER_HELP)]
    Query(query::QueryArgs),
    /// The newest epoch, how far each stream was read (`partition:offset` or `file:byte` of what comes next), and which
    /// models could not be refreshed.
    Status(status::StatusArgs),
    /// Records that were rejected, and can be decoded now, through the graph once more.
    #[command(after_help = replay::AFTER_HELP)]
    Replay(replay::ReplayArgs),
    /// Does everything add up: nothing lost, nothing doubled, nothing altered?
    #[command(after_help = verify::AFTER_HELP)]
    Verify(verify::VerifyArgs),
}

/// What a command ends with when it does not succeed.
#[derive(Debug)]
enum Failure {
    Project(ProjectErrors),
    Work(Error),
    /// The work failed. Already told; only the exit status is left.
    Told,
    /// The project is wrong. Already told.
    ToldWrong,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Work(error)
    }
}

impl From<ProjectErrors> for Failure {
    fn from(errors: ProjectErrors) -> Self {
        Failure::Project(errors)
    }
}

type Outcome = Result<(), Failure>;

/// The subcommands, each with its flags (`--project`); the flags of the program itself are at the empty name.
pub fn commands() -> BTreeMap<String, BTreeSet<String>> {
    let mut program = Command::command();
    // Only then have subcommands the flags that all have.
    program.build();
    let flags = |command: &clap::Command| {
        command.get_arguments().filter_map(|a| a.get_long()).map(|long| format!("--{long}")).collect()
    };
    let verbs = program.get_subcommands().map(|verb| (verb.get_name().to_owned(), flags(verb)));
    verbs.chain([(String::new(), flags(&program))]).collect()
}

/// Threads for calls that block, such as reading and writing files of a lake in a folder. Each keeps some memory of its own.
const BLOCKING_THREADS_MAX: usize = 4;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let command = Command::parse();
    if let Err(e) = output::start_logging(command.verbose) {
        output::error(&e.to_string());
        return ExitCode::from(WRONG);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("async")
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(e) => {
            output::error(&format!("no threads could be started: {e}"));
            return ExitCode::from(FAILED);
        }
    };
    let outcome = runtime.block_on(run_verb(command.verb));
    // What still runs in the background (a connection that is retried) must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::from(FAILED),
        Err(Failure::ToldWrong) => ExitCode::from(WRONG),
        Err(Failure::Project(errors)) => {
            errors.0.iter().for_each(|e| output::error(&e.to_string()));
            ExitCode::from(WRONG)
        }
        Err(Failure::Work(error)) => {
            output::error(&error.to_string());
            ExitCode::from(if error.kind() == ErrorKind::Config { WRONG } else { FAILED })
        }
    }
}

async fn run_verb(verb: Verb) -> Outcome {
    match verb {
        Verb::Demo(args) => demo::demo(args).await,
        Verb::Init(args) => init::init(args),
        Verb::Check(args) => check::check(args).await,
        Verb::Plan(args) => plan::plan(args).await,
        Verb::Run(args) => run::run(args).await,
        Verb::Build(args) => run::build(args).await,
        Verb::Test(args) => test::test(args).await,
        Verb::Maintain(args) => maintain::maintain(args).await,
        Verb::Simulate(args) => simulate::simulate(args).await,
        Verb::Query(args) => query::query(args).await,
        Verb::Status(args) => status::status(args).await,
        Verb::Replay(args) => replay::replay(args).await,
        Verb::Verify(args) => verify::verify(args).await,
    }
}
