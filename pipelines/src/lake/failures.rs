//! Which refreshed models could not be computed when that was last tried. A run knows it for its end and its HTTP server;
//! a file in the lake tells `sluice status`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sluice_engine::{Error, Result};
use sluice_operators::store::{OWN_FOLDER, Store};

/// The version of the file's format.
const VERSION: u32 = 1;

/// Why a model's table is older than the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshFailure {
    /// The epoch at which it was tried.
    pub epoch: u64,
    /// What was wrong.
    pub error: String,
}

/// The models whose last refresh failed, by name. Cheap to clone: all clones are one.
#[derive(Debug, Clone, Default)]
pub struct RefreshFailures {
    now: Arc<Mutex<BTreeMap<String, RefreshFailure>>>,
}

impl RefreshFailures {
    /// The failures now.
    pub fn now(&self) -> BTreeMap<String, RefreshFailure> {
        self.lock().clone()
    }

    /// All of them as one error; none when every table is up to date.
    pub fn error(&self) -> Option<Error> {
        let now = self.lock();
        let told = now.iter().map(|(model, failure)| format!("model {model:?} is not up to date: {}", failure.error));
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| Error::data(told.join("\n")))
    }

    pub(super) fn set(&self, failures: BTreeMap<String, RefreshFailure>) {
        *self.lock() = failures;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, RefreshFailure>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    models: BTreeMap<String, RefreshFailure>,
}

fn path(pipeline: &str) -> String {
    format!("{OWN_FOLDER}/{pipeline}/refresh_failures.json")
}

/// What the last run of a pipeline has left in the lake.
///
/// # Errors
/// `Transient` when the lake is away. A file that cannot be read says nothing: it is written anew by the next refresh.
pub async fn read_failures(store: &Store, pipeline: &str) -> Result<BTreeMap<String, RefreshFailure>> {
    let Some(bytes) = store.get(&path(pipeline)).await? else { return Ok(BTreeMap::new()) };
    let content: Option<Content> = serde_json::from_slice(&bytes).ok();
    Ok(content.filter(|c| c.version <= VERSION).map(|c| c.models).unwrap_or_default())
}

/// Leaves the failures in the lake; no file when there are none.
pub(super) async fn write_failures(
    store: &Store,
    pipeline: &str,
    models: &BTreeMap<String, RefreshFailure>,
) -> Result<()> {
    if models.is_empty() {
        return store.delete(&path(pipeline)).await;
    }
    let content = Content { version: VERSION, models: models.clone() };
    let bytes = serde_json::to_vec(&content).map_err(|e| Error::bug("failures have no JSON form").because(e))?;
    store.put(&path(pipeline), bytes).await
}
