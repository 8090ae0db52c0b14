//! The command line: the real program in processes of its own.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, ensure};
use serde_json::Value;
use sluice_tests::events::{Feed, write_files};
use sluice_tests::project::{MusicProject, Opened};
use sluice_tests::{cache, oracle, sluice_binary};

/// How long one command may take.
const DEADLINE_S: u64 = 120;

fn command(words: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(sluice_binary()?);
    // Settings of whoever runs the tests are none of theirs.
    command.args(words).env_remove("LAKE").env_remove("SLUICE_LOG").env_remove("RUST_LOG").stdin(Stdio::null());
    Ok(command)
}

/// Runs the program to its end.
fn sluice(words: &[&str]) -> anyhow::Result<Output> {
    Ok(command(words)?.output()?)
}

/// What the program wrote to stdout; it must end with status 0.
fn said(words: &[&str]) -> anyhow::Result<String> {
    let output = sluice(words)?;
    ensure!(output.status.success(), "{words:?} ended with {}: {}", output.status, stderr(&output));
    Ok(String::from_utf8(output.stdout)?)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The one number that a query answers with, under the name `n`.
fn number(project: &str, sql: &str) -> anyhow::Result<u64> {
    let answer = said(&["query", "--project", project, "--format", "json", sql])?;
    let row: Value = serde_json::from_str(answer.lines().next().context("no row")?)?;
    row["n"].as_u64().with_context(|| format!("no number in {answer:?}"))
}

/// Waits for the program to end by itself.
fn wait(child: Child) -> anyhow::Result<Output> {
    let mut child = child;
    let deadline = Instant::now() + Duration::from_secs(DEADLINE_S);
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            child.kill()?;
            anyhow::bail!("it did not end within {DEADLINE_S} s: {}", stderr(&child.wait_with_output()?));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(child.wait_with_output()?)
}

/// Waits until the lake has a manifest number `at_least` or a newer one; false when the program has ended before.
fn committed(child: &mut Child, lake: &Path, at_least: usize) -> anyhow::Result<bool> {
    let deadline = Instant::now() + Duration::from_secs(DEADLINE_S);
    while versions(&lake.join("bronze/page_view_events/_delta_log")) < at_least {
        ensure!(Instant::now() < deadline, "nothing was committed within {DEADLINE_S} s");
        if child.try_wait()?.is_some() {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(true)
}

fn versions(log: &Path) -> usize {
    let commits = fs::read_dir(log).into_iter().flatten().flatten();
    commits.filter(|entry| entry.file_name().to_string_lossy().ends_with(".json")).count()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The demo ends by itself, its tables can be asked, and the question that it proposes has an answer.
#[test]
fn demo_ends_and_its_tables_answer() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let dir = text(&folder.path().join("demo"));
    let output = sluice(&["demo", "--events", "20000", "--dir", &dir, "--seed", "3"])?;
    assert!(output.status.success(), "{}", stderr(&output));
    let all = "select (select count(*) from bronze.page_view_events) + (select count(*) from bronze.listen_events) \
               + (select count(*) from bronze.auth_events) + (select count(*) from bronze.status_change_events) as n";
    let events = number(&dir, all)?;
    assert!((20_000..20_004).contains(&events), "{events} events");
    assert!(stderr(&output).contains(&format!("\n{events} rows in ")), "{}", stderr(&output));
    let plays = number(&dir, "select sum(plays) as n from gold.top_songs")?;
    assert_eq!(plays, number(&dir, "select count(*) as n from silver.fact_listens")?);
    let hint = stderr(&output);
    let question = hint.lines().last().and_then(|line| line.split('"').nth(1)).context("no question in the hint")?;
    let answer = said(&["query", "--project", &dir, "--format", "json", question])?;
    assert!(answer.lines().count() > 0, "{question}");
    let more = sluice(&["demo", "--events", "21000", "--dir", &dir, "--seed", "3"])?;
    assert!(more.status.success(), "the demo goes on with more events: {}", stderr(&more));
    let events = number(&dir, all)?;
    assert!((21_000..21_004).contains(&events), "{events} events");
    Ok(())
}

/// A new project is right as it is, and its plan is JSON that names every model with its strategy.
#[test]
fn new_project_is_checked_and_planned() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let dir = text(&folder.path().join("new"));
    said(&["init", &dir])?;
    assert!(said(&["check", "--offline", "--project", &dir])?.starts_with("ok: 4 streams"));
    let plan: Value = serde_json::from_str(&said(&["plan", "--json", "--project", &dir])?)?;
    let models = plan["models"].as_array().context("no models")?;
    assert_eq!(models.len(), models.iter().filter(|model| model["strategy"].is_string()).count());
    assert!(models.iter().any(|model| model["table"] == "gold.top_songs"), "{plan}");
    let settings = fs::read_to_string(folder.path().join("new/sluice.yml"))?;
    fs::write(folder.path().join("new/sluice.yml"), settings.replace("config: example", "config: nobody.json"))?;
    let wrong = sluice(&["check", "--offline", "--project", &dir])?;
    assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));
    assert!(stderr(&wrong).contains("nobody.json cannot be read"), "{}", stderr(&wrong));
    let again = sluice(&["init", &dir])?;
    assert_eq!(again.status.code(), Some(2), "a folder that is not empty is left alone: {}", stderr(&again));
    Ok(())
}

/// A fault of the project is told with its file, and ends with status 2.
#[test]
fn faults_of_the_project_are_told() -> anyhow::Result<()> {
    let project = MusicProject::new("version: 1\nsources: { music: { simulator: {} } }\nlake: ./lake\n")?;
    fs::write(project.path().join("models/gold/wrong.sql"), "select nothing from {{ ref('fact_listens') }}")?;
    let output = sluice(&["check", "--offline", "--project", &text(project.path())])?;
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("models/gold/wrong.sql"), "{}", stderr(&output));
    assert!(stderr(&output).contains("nothing"), "{}", stderr(&output));
    Ok(())
}

/// SIGTERM commits what was read and ends with status 0; what was committed agrees with the batch.
#[test]
fn sigterm_commits_and_ends() -> anyhow::Result<()> {
    let project = MusicProject::new("")?;
    let (dir, lake) = (text(project.path()), project.path().join("lake"));
    project.set(&format!(
        "version: 1\nsources: {{ music: {{ simulator: {{ rate: 500, seed: 4, users: 500 }} }} }}\nlake: {}\nrun: {{ epoch: 1 second }}\n",
        lake.display()
    ))?;
    let mut child = command(&["run", "--project", &dir])?.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    assert!(committed(&mut child, &lake, 2)?, "it ended by itself");
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
    assert!(kill.success());
    let output = wait(child)?;
    assert!(output.status.success(), "{}: {}", output.status, stderr(&output));
    let told: u64 = stderr(&output)
        .lines()
        .find_map(|line| line.split_once(" rows in ")?.0.trim().parse().ok())
        .with_context(|| format!("no number of rows in {}", stderr(&output)))?;
    let tables = oracle::check(&Opened::of(project.path())?)?;
    let facts = ["fact_page_views", "fact_listens", "fact_auths", "fact_status_changes"];
    let rows: usize = facts.iter().map(|name| tables[&format!("silver.{name}")].len()).sum();
    assert!(rows > 0 && told >= rows as u64 && told < rows as u64 + 100, "{told} rows were read, {rows} are there");
    Ok(())
}

/// Killed with SIGKILL again and again, and started again, the program loses nothing and doubles nothing.
#[test]
fn sigkill_loses_nothing() -> anyhow::Result<()> {
    let project = MusicProject::new("")?;
    let (dir, lake) = (text(project.path()), project.path().join("lake"));
    project.set(&format!(
        "version: 1\nsources: {{ music: {{ files: {{ path: {dir}/events }} }} }}\nlake: {}\nrun: {{ workers: 2, epoch: 200 ms }}\n",
        lake.display()
    ))?;
    let mut feed = Feed::new(30_000, 1_000, 5)?;
    write_files(&project.path().join("events"), &feed.take(usize::MAX), 2)?;
    let mut kills = 0;
    for round in 1..=4 {
        let mut child = command(&["run", "--until-idle", "--project", &dir])?
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let before = versions(&lake.join("bronze/page_view_events/_delta_log"));
        if !committed(&mut child, &lake, before + 1)? {
            break;
        }
        // Not always at the same step after a commit.
        thread::sleep(Duration::from_millis(35 * round));
        child.kill()?;
        kills += u32::from(!wait(child)?.status.success());
    }
    assert!(kills > 0, "it was killed before it was done");
    let opened = Opened::of(project.path())?;
    opened.run(None)?;
    let tables = oracle::check(&opened)?;
    let names = ["fact_listens", "fact_status_changes", "fact_auths", "fact_page_views"];
    for (truth, name) in feed.truth().streams.iter().zip(names) {
        assert_eq!(tables[&format!("silver.{name}")].len() as u64, truth.distinct(), "{name} after {kills} kills");
    }
    for (truth, stream) in feed.truth().streams.iter().zip(sluice_operators::source::simulator::STREAMS) {
        let rows: usize = opened.table(&format!("bronze/{stream}"))?.iter().map(|batch| batch.num_rows()).sum();
        assert_eq!(rows as u64, truth.records - truth.malformed, "{stream} after {kills} kills");
    }
    Ok(())
}

/// Real dbt reads the project: it is an ordinary dbt project.
#[test]
fn dbt_parses_the_project() -> anyhow::Result<()> {
    let project = MusicProject::new("version: 1\n")?;
    let dir = text(project.path());
    // The adapter looks whether pyspark is there before it reads the project; parsing does not use it.
    let modules = tempfile::tempdir()?;
    fs::write(modules.path().join("pyspark.py"), "")?;
    let mut dbt = Command::new(cache::python_program("dbt")?);
    dbt.args(["--no-use-colors", "parse", "--no-partial-parse", "--project-dir", &dir, "--profiles-dir", &dir]);
    let output = dbt
        .env("PYTHONPATH", modules.path())
        .env("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
        .current_dir(project.path())
        .output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", stderr(&output));
    let manifest: Value = serde_json::from_slice(&fs::read(project.path().join("target/manifest.json"))?)?;
    let nodes = manifest["nodes"].as_object().context("no nodes")?;
    assert!(nodes.contains_key("model.music.top_songs"), "{:?}", nodes.keys().collect::<Vec<_>>());
    Ok(())
}
