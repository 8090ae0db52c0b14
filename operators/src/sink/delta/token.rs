//! What the commit of an epoch needs, as it stands in the manifest.

use deltalake::kernel::{Add, Metadata, Remove};
use serde::{Deserialize, Serialize};
use sluice_engine::{Error, Result, Token};

/// The newest version of the token that this program writes. Older ones must stay readable.
///
/// 2: `anew`. A token without it is written as version 1.
const TOKEN_VERSION: u32 = 2;

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
    /// The table begins again with this metadata: all files go that are there when it is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) anew: Option<Metadata>,
}

/// Rows that an epoch adds to a table and takes out of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RowCounts {
    pub(super) added: u64,
    pub(super) removed: u64,
}

/// What an epoch changes in a table, as its token says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EpochChange {
    /// Rows that come.
    pub rows_added: u64,
    /// Rows that go.
    pub rows_removed: u64,
    /// Paths of files that come.
    pub files_added: Vec<String>,
    /// Paths of files that go.
    pub files_removed: Vec<String>,
    /// True when the table began again: everything that was there has gone too.
    pub anew: bool,
}

impl EpochChange {
    /// Reads the token of a Delta table's sink.
    ///
    /// # Errors
    /// `Config` or `Data` when it is not one that this program can read.
    pub fn of_token(token: &Token) -> Result<Self> {
        Ok(CommitToken::from_json(token)?.change())
    }
}

impl CommitToken {
    pub(super) fn change(&self) -> EpochChange {
        EpochChange {
            rows_added: self.rows.added,
            rows_removed: self.rows.removed,
            files_added: self.adds.iter().map(|add| add.path.clone()).collect(),
            files_removed: self.removes.iter().map(|remove| remove.path.clone()).collect(),
            anew: self.anew.is_some(),
        }
    }

    pub(super) fn new(adds: Vec<Add>, removes: Vec<Remove>, rows: RowCounts) -> Self {
        Self { version: 1, adds, removes, rows, anew: None }
    }

    /// The same, of a table that begins again with this metadata.
    pub(super) fn begin_anew(self, metadata: Metadata) -> Self {
        Self { version: TOKEN_VERSION, anew: Some(metadata), ..self }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.adds.is_empty() && self.removes.is_empty() && self.anew.is_none()
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
