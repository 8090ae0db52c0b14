//! What is recorded, over stops, restarts and a run that is killed between its tables' commit and the audit's.

use sluice_tests::events::{Feed, write_files};

use super::Ran;
use crate::bad_input::sluice;

/// Stops in the middle, other numbers of workers and more records make no difference; the command says so.
#[test]
fn over_stops() {
    let mut feed = Feed::new(4_000, 200, 4).unwrap();
    let mut events = feed.take(2_000);
    let ran = Ran::before(&events);
    for _ in 0..2 {
        ran.opened.run_for_an_epoch(Some(7)).unwrap();
        ran.adds_up(true);
    }
    ran.opened.run(None).unwrap();
    ran.adds_up(true);
    events.extend(feed.take(usize::MAX));
    write_files(&ran.folder().join("events"), &events, 2).unwrap();
    ran.opened.run(None).unwrap();
    let report = ran.adds_up(true);
    let dir = ran.folder().display().to_string();
    let (code, out, err) = sluice(&["verify", "--project", &dir]);
    assert_eq!(code, Some(0), "{out}\n{err}");
    assert!(out.contains(&format!("epoch {}", report.epoch)) && out.ends_with("everything adds up\n"), "{out}");
    std::fs::remove_dir_all(ran.folder().join("lake/gold/top_songs")).unwrap();
    let (code, out, err) = sluice(&["verify", "--project", &dir]);
    assert_eq!(code, Some(1), "{out}\n{err}");
    assert!(out.ends_with("WRONG: gold.top_songs: the table is gone\n1 thing does not add up\n"), "{out}");
    let ask = "select count(*) as n, count(distinct epoch) > 2 as epochs from sluice.audit where rows < 0 or table is null or epoch > 0";
    let (code, out, err) = sluice(&["query", "--project", &dir, "--format", "csv", ask]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.lines().nth(1).is_some_and(|line| line.ends_with(",true")), "{out}");
}

/// An epoch that was committed and not recorded, because the run was killed between the two, is recorded by the next run:
/// from its manifest. What is gone from the audit otherwise is noticed, and it begins anew.
#[test]
fn an_epoch_that_was_not_recorded() {
    let ran = Ran::new();
    // A quick machine reads all of it in one epoch; the second makes sure that one is left.
    ran.opened.run(None).unwrap();
    let epoch = ran.adds_up(false).epoch;
    let log = ran.folder().join("lake/_sluice/audit/music/_delta_log");
    let newest = |back: usize| {
        let mut versions: Vec<_> = std::fs::read_dir(&log).unwrap().flatten().map(|e| e.path()).collect();
        versions.sort();
        versions.remove(versions.len() - 1 - back)
    };
    std::fs::remove_file(newest(0)).unwrap();
    let report = ran.adds_up(true);
    assert_eq!(report.epoch, epoch - 1, "the older epoch is looked at");
    assert!(
        report.notes.iter().any(|n| n.contains(&format!("epoch {epoch} is committed and not audited"))),
        "{report}"
    );
    ran.opened.run(None).unwrap();
    let report = ran.adds_up(true);
    assert!(report.epoch > epoch, "{report}");
    assert!(report.notes.is_empty(), "{report}");
}

/// A lake that has run before there was an audit gets one from what its tables hold.
#[test]
fn a_lake_without_an_audit() {
    let ran = Ran::new();
    std::fs::remove_dir_all(ran.folder().join("lake/_sluice/audit")).unwrap();
    let dir = ran.folder().display().to_string();
    let (code, _, err) = sluice(&["verify", "--project", &dir]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("no epoch of pipeline \"music\" was audited yet"), "{err}");
    ran.opened.run(None).unwrap();
    ran.adds_up(true);
}
