//! Settings that are read and checked, and do nothing yet: said once, by `check` and when a run begins.

use super::output;
use crate::project::{Project, Run};

/// Warns of each setting that the user has set and that does nothing yet. One that stands at its default changes nothing
/// when it is read, and is not mentioned.
pub fn warn(project: &Project) {
    warnings(project).iter().for_each(|w| output::warning(w));
}

fn warnings(project: &Project) -> Vec<String> {
    let (run, usual) = (&project.settings.run, Run::default());
    let mut warnings = Vec::new();
    if run.memory_bytes != usual.memory_bytes {
        warnings.push(
            "sluice.yml: run.memory has little effect yet; it bounds what waits in Kafka clients, and no state"
                .to_owned(),
        );
    }
    if run.keep_late != usual.keep_late {
        warnings.push("sluice.yml: run.keep_late has no effect yet; a row counts however late it is".to_owned());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Embedded;

    fn project(run: &str) -> Project {
        let settings =
            format!("version: 1\nsources: {{ shop: {{ files: {{ path: . }} }} }}\nlake: ./lake\nrun: {{ {run} }}\n");
        let sources = "sources:\n  - name: shop\n    tables:\n      - name: orders\n        meta: { stream: { watermark: 1 hour } }\n        \
                       columns: [ { name: id, data_type: bigint } ]\n";
        let dbt = "name: shop\nversion: '1.0'\n";
        let files = [("dbt_project.yml", dbt), ("sluice.yml", settings.as_str()), ("models/sources.yml", sources)];
        Project::load_files(&Embedded(&files), |_| None).unwrap_or_else(|faults| panic!("{faults}"))
    }

    /// What is left at its default is not mentioned; each of the others is, in one line.
    #[test]
    fn only_what_was_set_is_mentioned() {
        assert_eq!(warnings(&project("")), Vec::<String>::new());
        assert_eq!(warnings(&project("memory: 512 MiB, keep_late: 7 days")), Vec::<String>::new());
        let all = warnings(&project("memory: 1 GiB, keep_late: 1 day"));
        let begin = ["sluice.yml: run.memory has", "sluice.yml: run.keep_late has"];
        assert_eq!(all.len(), begin.len());
        assert!(all.iter().zip(begin).all(|(line, begin)| line.starts_with(begin) && !line.contains('\n')), "{all:?}");
    }
}
