//! Exposures: who uses the tables, as property files say it.

use serde_json::Value as Json;

use super::error::Faults;
use super::models::Compiler;
use super::node::{NodeRef, Origin};
use super::properties::UnitEntry;
use super::resolve::Reading;
use super::values::{Config, text_of, texts_of};

/// Somebody who uses tables: a dashboard, an application.
#[derive(Debug, Clone, PartialEq)]
pub struct Exposure {
    /// Its name.
    pub name: String,
    /// The package in which it is written.
    pub package: String,
    /// All that is said of it, as written.
    pub body: Json,
    /// What it uses.
    pub depends_on: Vec<NodeRef>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Where it is written.
    pub origin: Origin,
}

/// Makes the exposure of an entry; `None` when it has no name. A ref to nothing is a fault.
pub(super) fn read(entry: &UnitEntry, compiler: &Compiler<'_>, faults: &mut Faults) -> Option<Exposure> {
    let name = entry.body.get("name").and_then(text_of)?;
    let Origin { file, line } = &entry.origin;
    let what = format!("exposure \"{name}\"");
    let mut depends_on = Vec::new();
    for used in entry.body.get("depends_on").map(texts_of).unwrap_or_default() {
        // Metrics are no tables.
        if !["ref", "source"].iter().any(|call| used.trim().starts_with(call)) {
            continue;
        }
        let session = compiler.test_session(&entry.package, Config::new());
        match compiler.engine.evaluate(file, &used, session) {
            Ok((_, recorded)) => {
                let reading = Reading { file, text: "", line: *line, what: &what };
                depends_on.extend(compiler.names.resolve(&entry.package, &recorded, reading, faults));
            }
            Err(mut error) => {
                error.line = *line;
                faults.push(error);
            }
        }
    }
    let tags = [entry.body.get("tags"), entry.body.get("config").and_then(|config| config.get("tags"))];
    Some(Exposure {
        name,
        package: entry.package.clone(),
        body: entry.body.clone(),
        depends_on,
        tags: tags.into_iter().flatten().flat_map(texts_of).collect(),
        origin: entry.origin.clone(),
    })
}
