//! The start of a table's life in a run: it is made, or checked against the model, and the last epoch committed again.

use std::collections::HashMap;

use deltalake::kernel::{Action, Metadata, MetadataExt, Protocol, StructType, new_metadata};
use deltalake::protocol::{DeltaOperation, SaveMode};
use serde_json::json;
use sluice_engine::{Committer, Error, Result, Token};

use super::committer::DeltaCommitter;
use super::config::WriteMode;
use super::log::Appended;
use super::log_state::LogState;
use super::schema::{SchemaChange, compare};
use super::upkeep::CHECKPOINT_EVERY_COMMITS;

/// Tries to make a table, or to add columns to it, before giving up.
const CREATE_TRIES_MAX: u32 = 4;
/// How a table is made anew. To move it away alone would lose its rows: the epochs that are committed do not come again.
pub(super) const ANEW: &str = "To make all tables anew from what the sources still hold, name another folder as `lake`, or delete \
     everything in this one (the tables and _sluice). Only a table that is refreshed by full queries, or that no run of \
     this pipeline has written, may be moved away alone";
/// The table's property that says who has made it.
pub(super) const OWNER: &str = "sluice.appId";
/// Table features that need nothing of a writer like this one.
const FEATURES_KNOWN: [&str; 3] = ["appendOnly", "invariants", "timestampNtz"];

impl DeltaCommitter {
    pub(super) async fn recover_table(&mut self, last: Option<(u64, Token)>) -> Result<()> {
        if let Some(newest) = self.config.begins_after {
            // What the epoch before did to it is of no consequence any more.
            return self.ready_to_begin_anew(newest).await;
        }
        if let Some((epoch, token)) = &last {
            self.begin_if_interrupted(*epoch, token).await?;
        }
        self.make_or_check().await?;
        self.check_epochs(last.as_ref().map(|(epoch, _)| *epoch))?;
        if let Some((epoch, token)) = last {
            self.commit(epoch, &token).await?;
        }
        let swept = self.config.store.sweep_temp(&self.config.path).await?;
        if swept > 0 {
            tracing::info!(table = %self.config.path, files = swept, "left-over temporary files were removed");
        }
        Ok(())
    }

    /// After it the table is there and fits the model.
    pub(super) async fn make_or_check(&mut self) -> Result<()> {
        let mut last = None;
        for _ in 0..CREATE_TRIES_MAX {
            let outcome = if !self.log.refresh().await? {
                self.create().await?
            } else {
                match self.schema_change()? {
                    SchemaChange::Added(names) => self.add_columns(&names).await?,
                    _ => {
                        self.check_table()?;
                        match self.set_properties().await? {
                            None => return Ok(()),
                            Some(outcome) => outcome,
                        }
                    }
                }
            };
            if let Appended::Unknown(e) = outcome {
                last = Some(e);
            }
        }
        self.log.refresh().await?;
        self.check_table().map_err(|e| match last {
            Some(reason) => reason,
            None => e,
        })
    }

    async fn create(&mut self) -> Result<Appended> {
        let metadata = self.new_table_metadata()?;
        let protocol: Protocol = serde_json::from_value(json!({ "minReaderVersion": 1, "minWriterVersion": 2 }))
            .map_err(|e| Error::bug("the table's protocol cannot be written").because(e))?;
        let operation = DeltaOperation::Create {
            mode: SaveMode::ErrorIfExists,
            location: self.config.store.table_url(&self.config.path)?,
            protocol: protocol.clone(),
            metadata: metadata.clone(),
        };
        let actions = vec![Action::Protocol(protocol), Action::Metadata(metadata)];
        Ok(self.log.append(actions, operation, None, HashMap::new()).await)
    }

    pub(super) fn new_table_metadata(&self) -> Result<Metadata> {
        let partition_by = self.config.partition_by.iter();
        let properties =
            [("delta.checkpointInterval", CHECKPOINT_EVERY_COMMITS.to_string()), (OWNER, self.config.app_id.clone())];
        let properties = properties.into_iter().chain(self.config.keep.properties());
        let metadata = new_metadata(&self.schema.delta, partition_by, properties);
        let bug = |e| Error::bug("the table's metadata cannot be written").because(e);
        match &self.config.description {
            None => metadata.map_err(bug),
            Some(text) => metadata.and_then(|m| m.with_description(text.clone())).map_err(bug),
        }
    }

    /// Columns that the model has gained are null in the rows that are there.
    async fn add_columns(&mut self, names: &[String]) -> Result<Appended> {
        let state = self.log.state().ok_or_else(|| Error::bug("columns are added to a table that is not there"))?;
        tracing::info!(table = %self.config.path, columns = names.join(", "), "columns are added to the table");
        let fields: Vec<_> = self.schema.delta.fields().filter(|f| names.contains(f.name())).cloned().collect();
        let there = table_schema(state)?;
        let bug = |e| Error::bug("the table's metadata cannot be written").because(e);
        let all = StructType::try_new(there.fields().cloned().chain(fields.clone()))
            .map_err(|e| Error::bug("the added columns make no schema").because(e))?;
        let metadata = state.metadata.clone().with_schema(&all).map_err(bug)?;
        let operation = DeltaOperation::AddColumn { fields };
        Ok(self.log.append(vec![Action::Metadata(metadata)], operation, None, HashMap::new()).await)
    }

    /// Tells other programs by the table's properties how long things are kept; nothing when they say so already.
    async fn set_properties(&mut self) -> Result<Option<Appended>> {
        let state = self.log.state().ok_or_else(|| Error::bug("properties are set on a table that is not there"))?;
        let there = state.metadata.configuration();
        let wanted = self.config.keep.properties().into_iter();
        let wanted: HashMap<String, String> =
            wanted.filter(|(key, value)| there.get(*key) != Some(value)).map(|(k, v)| (k.to_string(), v)).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        let mut metadata = state.metadata.clone();
        for (key, value) in &wanted {
            metadata = metadata
                .add_config_key(key.clone(), value.clone())
                .map_err(|e| Error::bug("the table's metadata cannot be written").because(e))?;
        }
        let operation = DeltaOperation::SetTableProperties { properties: wanted };
        Ok(Some(self.log.append(vec![Action::Metadata(metadata)], operation, None, HashMap::new()).await))
    }

    pub(super) fn schema_change(&self) -> Result<SchemaChange> {
        let state = self.log.state().ok_or_else(|| Error::bug("a table that is not there is compared"))?;
        Ok(compare(&self.schema.delta, &table_schema(state)?))
    }

    /// Checks that the table can be written by this program and fits the model; once for each change of its metadata.
    pub(super) fn check_table(&mut self) -> Result<()> {
        let Some(state) = self.log.state() else {
            return Err(Error::transient("the table could not be made"));
        };
        if state.checked {
            return Ok(());
        }
        check_features(state, self.config.mode)?;
        let there: Vec<&str> = state.metadata.partition_columns().iter().map(String::as_str).collect();
        let wanted: Vec<&str> = self.config.partition_by.iter().map(String::as_str).collect();
        if there != wanted {
            return Err(misfit(&[format!(
                "the table is partitioned by ({}) and the model by ({})",
                there.join(", "),
                wanted.join(", ")
            )]));
        }
        match self.schema_change()? {
            SchemaChange::None => {}
            SchemaChange::Added(names) => {
                let line = format!("the table has lost the columns {}", names.join(", "));
                return Err(misfit(&[line]));
            }
            SchemaChange::Misfit(lines) => return Err(misfit(&lines)),
        }
        if let Some(state) = self.log.state_mut() {
            state.checked = true;
        }
        Ok(())
    }

    /// The table may not be ahead of the manifests: epochs that come again would be taken for done.
    fn check_epochs(&self, last: Option<u64>) -> Result<()> {
        let Some(committed) = self.log.state().and_then(|s| s.epoch) else { return Ok(()) };
        match last {
            Some(epoch) if i64::try_from(epoch).is_ok_and(|e| e >= committed) => Ok(()),
            _ => Err(Error::config(format!(
                "the table holds epoch {committed} of \"{}\", but the newest manifest {}; \
                 restore the pipeline's manifests (`_sluice` in the lake). {ANEW}",
                self.config.app_id,
                last.map_or("is missing".to_string(), |e| format!("is of epoch {e}")),
            ))),
        }
    }
}

fn table_schema(state: &LogState) -> Result<StructType> {
    state.metadata.parse_schema().map_err(|e| Error::config("the table's schema cannot be read").because(e))
}

fn misfit(lines: &[String]) -> Error {
    Error::config(format!(
        "the table that is there does not fit the model: {}; change the model back (new columns may be added at the end). \
         {ANEW}",
        lines.join("; ")
    ))
}

pub(super) fn check_features(state: &LogState, mode: WriteMode) -> Result<()> {
    let protocol = serde_json::to_value(&state.protocol)
        .map_err(|e| Error::bug("the table's protocol cannot be read").because(e))?;
    let version = |name: &str| protocol.get(name).and_then(serde_json::Value::as_i64).unwrap_or_default();
    let listed = |name: &str| protocol.get(name).and_then(|f| f.as_array()).cloned().unwrap_or_default();
    let mut unknown: Vec<String> = listed("readerFeatures")
        .iter()
        .chain(&listed("writerFeatures"))
        .filter_map(|f| f.as_str())
        .filter(|f| !FEATURES_KNOWN.contains(f))
        .map(String::from)
        .collect();
    unknown.sort();
    unknown.dedup();
    let (reader, writer) = (version("minReaderVersion"), version("minWriterVersion"));
    if !matches!(reader, 1 | 3) || !matches!(writer, 1 | 2 | 7) {
        unknown.push(format!("protocol version {reader}/{writer}"));
    }
    let properties = state.metadata.configuration();
    let set = |name: &str| properties.get(name).is_some_and(|v| v.eq_ignore_ascii_case("true"));
    for name in ["delta.enableDeletionVectors", "delta.enableChangeDataFeed"] {
        if set(name) {
            unknown.push(name.to_string());
        }
    }
    if properties.get("delta.columnMapping.mode").is_some_and(|m| m != "none") {
        unknown.push("delta.columnMapping.mode".to_string());
    }
    if !unknown.is_empty() {
        return Err(Error::config(format!(
            "the table uses what this program does not write ({}); drop those features (`ALTER TABLE ... DROP FEATURE`), \
             or change the model's name. {ANEW}",
            unknown.join(", ")
        )));
    }
    if set("delta.appendOnly") && mode != WriteMode::Append {
        return Err(Error::config(
            "the table is append-only (`delta.appendOnly`) and the model takes rows back; unset it",
        ));
    }
    Ok(())
}
