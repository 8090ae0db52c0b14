//! What the commit of an epoch needs, as it stands in the manifest.

use deltalake::kernel::{Add, Remove};
use serde::{Deserialize, Serialize};
use sluice_engine::{Error, Result, Token};

/// The version of the token that this program writes. Older ones must stay readable.
const TOKEN_VERSION: u32 = 1;

/// The actions of an epoch.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommitToken {
    version: u32,
    /// New files.
    pub(super) adds: Vec<Add>,
    /// Files whose rows are in new files, or gone.
    pub(super) removes: Vec<Remove>,
    /// For people and metrics.
    pub(super) rows: RowCounts,
}

/// Rows that an epoch adds to a table and takes out of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RowCounts {
    pub(super) added: u64,
    pub(super) removed: u64,
}

impl CommitToken {
    pub(super) fn new(adds: Vec<Add>, removes: Vec<Remove>, rows: RowCounts) -> Self {
        Self { version: TOKEN_VERSION, adds, removes, rows }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.adds.is_empty() && self.removes.is_empty()
    }

    pub(super) fn to_json(&self) -> Result<Token> {
        serde_json::to_value(self).map_err(|e| Error::bug("a commit token cannot be written").because(e))
    }

    pub(super) fn from_json(token: &Token) -> Result<Self> {
        if let Some(version) = token.get("version").and_then(Token::as_u64)
            && version > u64::from(TOKEN_VERSION)
        {
            return Err(Error::config(format!(
                "the manifest's commit token has version {version} and this program reads {TOKEN_VERSION}; \
                 use the sluice that wrote it, or a newer one"
            )));
        }
        Self::deserialize(token).map_err(|e| Error::data("the manifest's commit token cannot be read").because(e))
    }
}
