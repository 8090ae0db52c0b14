//! What the owner of a project should know: entries without a node, and folders in which nothing is.

use super::dbt_project::{self, unused_folders};
use super::error::Faults;
use super::models::{Compiler, Draft};
use super::nearest::did_you_mean;
use super::node::Materialized;
use super::properties::Properties;
use super::seeds::Seed;

/// Entries of property files without a node.
pub(super) fn warn_of_entries(compiler: &Compiler<'_>, properties: &Properties, faults: &mut Faults) {
    let names = &compiler.names;
    let is_known = |name: &String| names.models.contains(name) || names.disabled.contains(name);
    for (name, entry) in properties.models.iter().filter(|(name, _)| !is_known(name)) {
        let way_out = did_you_mean(name, names.models.iter().map(String::as_str), "remove the entry, or add the model");
        let text = format!("model \"{name}\" is described here, and there is no file {name}.sql; {way_out}");
        faults.warn(&entry.origin.file, entry.origin.line, text);
    }
    for (name, entry) in properties.snapshots.iter().filter(|(name, _)| !is_known(name)) {
        let text =
            format!("snapshot \"{name}\" is described here, and there is no such block, and no relation: either");
        faults.warn(&entry.origin.file, entry.origin.line, text);
    }
    for (name, entry) in properties.seeds.iter().filter(|(name, _)| !names.seeds.contains(*name)) {
        let text = format!("seed \"{name}\" is described here, and there is no file {name}.csv");
        faults.warn(&entry.origin.file, entry.origin.line, text);
    }
}

/// Folders that `dbt_project.yml` configures and that hold nothing.
pub(super) fn warn_of_folders(compiler: &Compiler<'_>, seeds: &[Seed], faults: &mut Faults) {
    let project = compiler.packages.root();
    let is_snapshot = |draft: &&Draft| draft.materialized == Materialized::Snapshot;
    let (snapshots, models): (Vec<&Draft>, Vec<&Draft>) = compiler.drafts.values().partition(is_snapshot);
    let fqns = |drafts: Vec<&Draft>| drafts.into_iter().map(|draft| draft.fqn.clone()).collect::<Vec<_>>();
    let seeds: Vec<Vec<String>> = seeds.iter().map(|seed| seed.fqn.clone()).collect();
    let kinds = [
        ("models", &project.models, fqns(models)),
        ("snapshots", &project.snapshots, fqns(snapshots)),
        ("seeds", &project.seeds, seeds),
    ];
    for (kind, tree, fqns) in kinds {
        for folder in unused_folders(tree, &project.name, &fqns) {
            faults.warn(
                dbt_project::FILE,
                None,
                format!("{kind}.{}.{folder} configures a folder in which nothing is", project.name),
            );
        }
    }
}
