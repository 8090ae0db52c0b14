//! The rules of the source tree hold, and each rule finds what it is there for.

use sluice_tests::tidy::commands::unknown_commands;
use sluice_tests::tidy::imports::{between_components, imports};
use sluice_tests::tidy::tree::{File, empty_names, long_files, machine_paths, missing_lints};
use sluice_tests::tidy::words::music;
use sluice_tests::tidy::{Offence, dependencies, tree};

fn none(offences: &[Offence]) {
    let list: Vec<_> = offences.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} places break the rule:\n{}", list.len(), list.join("\n"));
}

fn found(offences: &[Offence]) -> Vec<String> {
    offences.iter().map(|offence| format!("{}:{}", offence.file, offence.line)).collect()
}

/// The engine is built without any connector, format, SQL or HTTP (I-1).
#[test]
fn engine_knows_no_connector() -> anyhow::Result<()> {
    let packages = dependencies::of_engine()?;
    assert!(packages.contains("arrow"), "the list is the engine's: {packages:?}");
    none(&dependencies::strangers_in_engine(&packages));
    let strange = ["arrow", "parquet"].map(str::to_owned).into();
    assert_eq!(dependencies::strangers_in_engine(&strange).len(), 1);
    Ok(())
}

/// Packages depend on each other in one direction (I-1).
#[test]
fn packages_depend_in_one_direction() -> anyhow::Result<()> {
    let uses = dependencies::of_workspace()?;
    assert_eq!(uses.len(), 5);
    assert!(uses["sluice-pipelines"].contains("sluice-operators"));
    none(&dependencies::wrong_direction(&uses));
    let wrong = [("sluice-operators".to_owned(), ["sluice-pipelines".to_owned()].into())].into();
    assert_eq!(found(&dependencies::wrong_direction(&wrong)), ["operators/Cargo.toml:0"]);
    Ok(())
}

/// No component imports another (I-2).
#[test]
fn components_import_no_sibling() -> anyhow::Result<()> {
    none(&between_components(&tree::read()?));
    Ok(())
}

/// The rule on imports sees through lists, renames, `super`, modules in a file, comments and strings.
#[test]
fn imports_of_siblings_are_found() {
    let file = |path: &str, text: &str| File::new(&format!("operators/src/{path}"), text);
    let files = [
        file("lib.rs", "use crate::source::file::F;"),
        file("store/mod.rs", ""),
        file("store/hdfs.rs", "use crate::source::kafka::K;"),
        file("join/mod.rs", "use crate::store::S;\nuse crate::sink::delta::D;"),
        file("window/assign.rs", ""),
        file("window/session/mod.rs", "use crate::window::assign::A;"),
        file("sink/delta/mod.rs", "use self::lane::L;\nuse super::super::source::file::{F, G};"),
        file("sink/delta/lane.rs", "// use crate::source::file::F;\nconst X: &str = \"crate::source::file\";"),
        file(
            "source/file/mod.rs",
            "mod tests {\n    use super::super::kafka;\n    use super::super::super::join::J;\n}",
        ),
        file(
            "source/kafka/mod.rs",
            "use crate::{source::{kafka::config as c, file::F},\n    join};\nfn f() { crate::sink::delta::g() }",
        ),
    ];
    // In `mod tests` one `super` is the file, two are the role: kafka is a sibling of it, and three are the crate.
    let expected = [
        "operators/src/store/hdfs.rs:1",
        "operators/src/join/mod.rs:2",
        "operators/src/sink/delta/mod.rs:2",
        "operators/src/sink/delta/mod.rs:2",
        "operators/src/source/file/mod.rs:2",
        "operators/src/source/file/mod.rs:3",
        "operators/src/source/kafka/mod.rs:1",
        "operators/src/source/kafka/mod.rs:2",
        "operators/src/source/kafka/mod.rs:3",
    ];
    assert_eq!(found(&between_components(&files)), expected);
    let own = ["sink", "delta"].map(str::to_owned);
    let paths: Vec<_> = imports(&own, "use super::{super::join, *}; let x = 'x'; r#\"crate::a\"#;")
        .into_iter()
        .map(|import| import.path.join("::"))
        .collect();
    assert_eq!(paths, ["join", "sink::*"]);
}

/// Nobody but the simulator and the music project speaks of music (I-11).
#[test]
fn only_music_speaks_of_music() -> anyhow::Result<()> {
    none(&music(&tree::read()?));
    let files = [
        File::new("engine/src/a.rs", "let listener = bind();\n// the artist's\n"),
        File::new(
            "engine/src/b.rs",
            "struct TopSongs;\n#[cfg(test)]\n#[expect(x)]\npub(super) mod tests {\n    // song\n}\n",
        ),
        File::new("pipelines/src/c.rs", "#[cfg(test)]\nmod tests;\nx!(\"fact_listens\");"),
        File::new("operators/src/source/simulator/mod.rs", "song"),
        File::new("operators/src/decode/tests.rs", "song"),
    ];
    assert_eq!(found(&music(&files)), ["engine/src/a.rs:2", "engine/src/b.rs:1", "pipelines/src/c.rs:3"]);
    Ok(())
}

/// No Rust file has more than 500 lines.
#[test]
fn files_are_short() -> anyhow::Result<()> {
    none(&long_files(&tree::read()?));
    let long = "x\n".repeat(501);
    let tests = format!("x\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    let files = [File::new("engine/src/a.rs", &long), File::new("engine/src/b.rs", &tests)];
    assert_eq!(found(&long_files(&files)), ["engine/src/a.rs:0"]);
    Ok(())
}

/// Files and folders are named for what they hold.
#[test]
fn names_say_something() -> anyhow::Result<()> {
    none(&empty_names(&tree::read()?));
    let files = [File::new("engine/src/utils.rs", ""), File::new("a/common/b.rs", ""), File::new("a/commons.rs", "")];
    assert_eq!(found(&empty_names(&files)), ["engine/src/utils.rs:0", "a/common/b.rs:0"]);
    Ok(())
}

/// Every package takes the workspace's lints.
#[test]
fn packages_take_the_lints() -> anyhow::Result<()> {
    none(&missing_lints(&tree::read()?));
    let files = [File::new("a/Cargo.toml", "[package]\n"), File::new("b/Cargo.toml", "[lints]\nworkspace = true\n")];
    assert_eq!(found(&missing_lints(&files)), ["a/Cargo.toml:0"]);
    Ok(())
}

/// Nothing names a path of the machine that it was written on.
#[test]
fn no_paths_of_a_machine() -> anyhow::Result<()> {
    none(&machine_paths(&tree::read()?));
    let path = ["", "root", "x"].join("/");
    let files = [File::new("a", &format!("ok\ncd {path}\n")), File::new("b", &format!("the{path}"))];
    assert_eq!(found(&machine_paths(&files)), ["a:2"]);
    Ok(())
}

/// Documents and messages name only commands that there are, with flags that they have.
#[test]
fn commands_that_are_named_are_there() -> anyhow::Result<()> {
    let commands = sluice_pipelines::cli::commands();
    assert!(commands["run"].contains("--until-idle"), "{commands:?}");
    none(&unknown_commands(&tree::read()?, &commands));
    let files = [
        File::new(
            "a.md",
            "`sluice run --until-idle [--project D]`, `sluice --version`\n$ sluice check --offline\nsluice flies",
        ),
        File::new("b.md", "$ sluice fly"),
        File::new("c.rs", "x(\"run `sluice run --down`, or\");\n// `sluice soar`"),
        File::new("docs/roadmap.md", "`sluice fly` is to come"),
    ];
    assert_eq!(found(&unknown_commands(&files, &commands)), ["b.md:1", "c.rs:1", "c.rs:2"]);
    Ok(())
}
