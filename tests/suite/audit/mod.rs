//! `sluice verify`: it finds nothing when all adds up, and what was planted when something does not.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod planted;
mod recorded;
mod servers;

use sluice_pipelines::audit::{Report, VerifyOptions, verify};
use sluice_tests::events::{Event, Feed, write_files};
use sluice_tests::project::{MusicProject, Opened};

/// Records of a run.
const RECORDS: u64 = 3_000;

/// The music project over files of events, which has run.
pub struct Ran {
    project: MusicProject,
    pub opened: Opened,
}

impl Ran {
    /// Runs over all events.
    fn new() -> Ran {
        let ran = Ran::before(&Feed::new(RECORDS, 200, 3).unwrap().take(usize::MAX));
        ran.opened.run(None).unwrap();
        ran
    }

    /// A project that has not run yet.
    fn before(events: &[Event]) -> Ran {
        let project = MusicProject::new("").unwrap();
        let folder = project.path().display();
        project
            .set(&format!(
                "version: 1\nsources: {{ music: {{ files: {{ path: {folder}/events }} }} }}\nlake: {folder}/lake\nrun: {{ workers: 2, epoch: 100 ms }}\n"
            ))
            .unwrap();
        write_files(&project.path().join("events"), events, 2).unwrap();
        let opened = Opened::of(project.path()).unwrap();
        Ran { project, opened }
    }

    fn folder(&self) -> &std::path::Path {
        self.project.path()
    }

    fn report(&self, deep: bool) -> Report {
        let verified = verify(&self.opened.pipeline, &self.opened.store, VerifyOptions { deep });
        self.opened.wait(verified).unwrap()
    }

    /// Everything adds up.
    #[track_caller]
    fn adds_up(&self, deep: bool) -> Report {
        let report = self.report(deep);
        assert!(report.adds_up(), "{report}");
        report
    }

    /// A fault is found that has all of these words, in this order.
    #[track_caller]
    fn finds(&self, deep: bool, words: &[&str]) -> Report {
        let report = self.report(deep);
        let has = |fault: &&String| {
            let mut rest = fault.as_str();
            words.iter().all(|word| rest.find(word).map(|at| rest = &rest[at + word.len()..]).is_some())
        };
        assert!(report.faults.iter().any(|f| has(&f)), "{words:?} is not found:\n{report}");
        report
    }
}
