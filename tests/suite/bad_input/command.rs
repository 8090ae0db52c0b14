//! The exit status of `sluice`: 0 done, 1 the work failed, 2 the command or the project is wrong.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::shop::{SPEND, Shop, nobody};
use super::{PATIENCE_S, says, within};

/// Building the binary is linking DataFusion, on a machine that may be busy; in seconds.
const BUILD_PATIENCE_S: u64 = 1_200;

/// The binary, built as the tests are.
fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| within(BUILD_PATIENCE_S, || sluice_tests::sluice_binary().unwrap()))
}

/// Runs `sluice`; its exit status, what it wrote to stdout, and to stderr.
pub fn sluice(arguments: &[&str]) -> (Option<i32>, String, String) {
    let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
    let mut command = Command::new(binary());
    command.args(arguments).env_remove("SLUICE_LOG").env_remove("RUST_LOG").stdin(Stdio::null());
    let output = within(PATIENCE_S, move || command.output().unwrap());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[track_caller]
pub fn ends_with(status: i32, arguments: &[&str], words: &[&str]) {
    let (code, out, err) = sluice(arguments);
    assert_eq!(code, Some(status), "{arguments:?}\n{out}\n{err}");
    says(if status == 0 { &out } else { &err }, words);
    assert!(!err.contains("panicked"), "{arguments:?}: {err}");
}

/// 2: a command that there is not, or not like that.
#[test]
fn wrong_command() {
    ends_with(2, &["fly"], &["'fly'", "--help"]);
    ends_with(2, &[], &["Usage: sluice"]);
    ends_with(2, &["run", "--untilidle"], &["--untilidle", "--until-idle"]);
    let nowhere = tempfile::tempdir().unwrap().path().join("events").display().to_string();
    ends_with(2, &["simulate", "--to", &nowhere], &["would fill the disk", "give --events"]);
    assert!(!std::path::Path::new(&nowhere).exists(), "nothing was written");
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let below = file.join("events").display().to_string();
    ends_with(2, &["simulate", "--to", &below, "--events", "10"], &["error: cannot write", &below]);
    ends_with(2, &["simulate", "--to", &nowhere, "--events", "10", "--late", "7"], &["faults.late", "from 0 to 1"]);
    ends_with(0, &["--help"], &["Exit status: 0 done, 1 the work failed, 2 the command or the project is wrong"]);
    ends_with(0, &["--version"], &["sluice "]);
}

/// 2: a project that is wrong, whatever is asked of it.
#[test]
fn wrong_project() {
    let shop = Shop::new().orders("").with("models/spend.sql", &SPEND.replace("group by id", "group bye id"));
    for verb in ["check", "plan", "run", "build", "test", "status"] {
        ends_with(2, &[verb, "--project", &shop.dir()], &["error: models/spend.sql:4: ", "does not parse"]);
    }
    let empty = tempfile::tempdir().unwrap().path().display().to_string();
    ends_with(2, &["run", "--project", &empty], &["error: dbt_project.yml: ", "error: sluice.yml: "]);
}

/// 2: an outside object that a person must change; 1: a server that is away.
#[test]
fn wrong_or_away() {
    let shop = Shop::new();
    ends_with(2, &["run", "--until-idle", "--project", &shop.dir()], &["error: ", "orders.jsonl", "put one there"]);
    let name_node = nobody();
    let shop = shop.orders("").lake(&format!("hdfs://{name_node}/lake"));
    ends_with(1, &["status", "--project", &shop.dir()], &["error: ", &name_node, "nothing listens there"]);
    let brokers = nobody();
    let to = format!("kafka://{brokers}");
    ends_with(1, &["simulate", "--to", &to, "--events", "10"], &["error: kafka at ", &brokers, "is it running there?"]);
    let full = tempfile::tempdir().unwrap();
    // Everything that is written there meets a full disk.
    std::os::unix::fs::symlink("/dev/full", full.path().join("page_view_events.jsonl")).unwrap();
    let full = full.path().display().to_string();
    ends_with(1, &["simulate", "--to", &full, "--events", "10"], &["error: cannot write", "No space left"]);
    let shop = Shop::new().kafka(&brokers, "orders");
    ends_with(1, &["check", "--project", &shop.dir()], &["error: kafka brokers ", &brokers, "check that they run"]);
    ends_with(0, &["check", "--offline", "--project", &shop.dir()], &["ok: 1 streams", "1 models"]);
}

/// 0: what can be done is done; 1: a data test that fails, and nothing less.
#[test]
fn done_and_failed() {
    let shop = Shop::new().orders("{\"id\":1,\"amount\":2.5}\n{\"id\":\n");
    let dir = shop.dir();
    ends_with(0, &["check", "--project", &dir], &["ok: 1 streams"]);
    ends_with(0, &["plan", "--project", &dir], &["spend"]);
    ends_with(0, &["run", "--until-idle", "--project", &dir], &[]);
    ends_with(0, &["query", "--project", &dir, "--format", "csv", "select id, spent from gold.spend"], &["1,2.5"]);
    ends_with(0, &["query", "--project", &dir, "select reason from sluice.rejects"], &["truncated"]);
    ends_with(2, &["query", "--project", &dir, "selec 1"], &["error: ", "does not parse"]);
    ends_with(2, &["query", "--project", &dir, "select * from nowhere"], &["nowhere' not found; `sluice plan` lists"]);
    ends_with(0, &["status", "--project", &dir], &["pipeline \"shop\": epoch"]);
    ends_with(0, &["build", "--project", &dir], &["data tests: 0 passed"]);
    let shop = shop.with("tests/nothing_is_sold.sql", "select * from {{ ref('spend') }}");
    ends_with(
        1,
        &["test", "--project", &shop.dir()],
        &["error: data test nothing_is_sold failed: 1 row; see them with"],
    );
    ends_with(1, &["build", "--project", &shop.dir()], &["data test nothing_is_sold failed"]);
}

/// Unit tests run before the data tests and without tables, for the models that are selected; 1 when one fails.
#[test]
fn unit_tests() {
    let unit = |name: &str, spent: &str| {
        format!(
            "  - name: {name}\n    model: spend\n    given:\n      - input: source('shop', 'orders')\n        \
             rows: [ {{ id: 1, amount: 2.5 }}, {{ id: 1, amount: 1.0 }} ]\n    expect:\n      \
             rows: [ {{ id: 1, spent: {spent} }} ]\n"
        )
    };
    let good = format!("unit_tests:\n{}", unit("adds_up", "3.5"));
    let shop = Shop::new().orders("").with("models/unit.yml", &good);
    let dir = shop.dir();
    ends_with(0, &["test", "--project", &dir], &["unit tests: 1 passed, 0 failed", "data tests: 0 passed"]);
    let shop = shop
        .with("models/other.sql", "select id from {{ ref('spend') }}")
        .with("models/unit.yml", &format!("{good}{}", unit("adds_more", "4.5")));
    let dir = shop.dir();
    let words =
        ["error: unit test adds_more of model spend (models/unit.yml:9) failed: rows missing (-): 1", "- 1", "4.5"];
    ends_with(1, &["test", "--project", &dir], &words);
    ends_with(0, &["test", "--select", "other", "--project", &dir], &["data tests: 0 passed"]);
    ends_with(1, &["build", "--project", &dir], &words);
}
