//! A changed project goes on in the same lake: what has changed is made anew from the tables below it, in one epoch, and the
//! rest stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sluice_engine::checkpoint::Manifest;
use sluice_engine::graph::Graph;
use sluice_engine::runtime::{Claim, Observer, Rebuild, RunConfig, Summary, run};
use sluice_engine::{Committer, Error, Result, SinkContext, Token};
use sluice_operators::sink::clickhouse::drop_misfit;
use sluice_operators::sink::delta::is_partitioned_otherwise;
use sluice_operators::store::Store;

use crate::compile::{Changes, GraphContext, How, Pipeline, Why, build_part, clickhouse_config};

/// What of the lake is to be made anew before a run goes on from `manifest`; `whole` is the pipeline's graph. Tables in
/// `asked` are made anew though nothing has changed.
///
/// # Errors
/// `Config` when the change is one that is refused, `Transient` when the lake is away.
pub async fn find_changes(
    pipeline: &Pipeline,
    store: &Store,
    whole: &Graph,
    manifest: &Manifest,
    asked: &BTreeSet<String>,
) -> Result<Changes> {
    let streamed = pipeline.models.values().filter(|m| matches!(m.how, How::Stream(_)));
    let looks = streamed.map(|model| {
        let config = pipeline.model_table(store, model);
        async move { Ok::<_, Error>((model.table.clone(), is_partitioned_otherwise(&config).await?)) }
    });
    let mut partitioned = BTreeSet::new();
    for look in looks {
        let (table, is_otherwise) = look.await?;
        partitioned.extend(is_otherwise.then_some(table));
    }
    Changes::of(pipeline, whole, manifest, &partitioned, asked)
}

/// Makes anew what has changed, and commits it as the next epoch. Until then nothing of it is visible, and a start after a
/// crash begins again.
///
/// # Errors
/// Those of a run; `Transient` when it is stopped before the end.
pub async fn rebuild(
    pipeline: &Pipeline,
    context: &GraphContext,
    (whole, changes): (&Graph, &Changes),
    claim: Claim,
    config: RunConfig,
    observer: Box<dyn Observer>,
) -> Result<Summary> {
    let manifest = claim.manifest().ok_or_else(|| Error::bug("a lake without an epoch has changed"))?;
    tell(pipeline, changes, manifest.epoch);
    let part = build_part(pipeline, changes, manifest.epoch, context)?;
    let mut sinks = settle_tables(pipeline, context, &part, manifest).await?;
    sinks.extend(databases(pipeline, changes, manifest));
    let rebuild = Rebuild::new(whole, &part, manifest, sinks);
    let config = RunConfig { rebuild: Some(Arc::new(rebuild)), ..config };
    let summary = run(part, claim, Arc::new(context.store.clone()), config, observer).await?;
    tracing::info!(epoch = summary.epoch, rows = summary.rows, "the changed tables are rebuilt; the run goes on");
    Ok(summary)
}

/// Says in the log what happens, as it may take its time.
fn tell(pipeline: &Pipeline, changes: &Changes, epoch: u64) {
    for (table, rebuilt) in &changes.rebuilt {
        let from = rebuilt.from.iter().cloned().collect::<Vec<_>>().join(", ");
        tracing::info!(epoch, from, "{table} is rebuilt: {}", rebuilt.why);
    }
    for table in gone(pipeline, changes) {
        tracing::info!(epoch, "{table} is no longer written; its state is dropped, and its table stays in the lake");
    }
    for table in &changes.new_streams {
        tracing::info!(epoch, "{table} is a new stream; it is read from its beginning");
    }
    if !changes.rebuilt.is_empty() {
        tracing::info!(epoch, tables = changes.rebuilt.len(), "streams wait until the changed tables are rebuilt");
    }
}

/// Tables that nothing writes any more.
fn gone<'a>(pipeline: &Pipeline, changes: &'a Changes) -> impl Iterator<Item = &'a String> {
    let refreshed: BTreeSet<String> = pipeline.refreshed().map(|m| m.table.clone()).collect();
    changes.gone.iter().filter(move |table| !refreshed.contains(*table))
}

/// Brings the tables that stay to the manifest's epoch, as a crash may have kept them from it; gives for each the token of an
/// epoch that changes nothing.
async fn settle_tables(
    pipeline: &Pipeline,
    context: &GraphContext,
    part: &Graph,
    manifest: &Manifest,
) -> Result<BTreeMap<String, Token>> {
    let tables = pipeline.lake_tables(&context.store).into_iter();
    let stay = tables.filter_map(|table| Some((table.sink?, table.config)));
    let stay = stay.filter(|(sink, _)| !part.nodes().iter().any(|node| node.name == *sink));
    let settled = stay.map(|(sink, config)| async move {
        let last = manifest.sinks.get(&sink).map(|token| (manifest.epoch, token.clone()));
        let mut committer = config.committer(&SinkContext {
            name: sink.clone(),
            worker: 0,
            workers: 1,
            generation: context.generation,
            runtime: context.runtime.clone(),
        })?;
        committer.recover(last).await?;
        committer.end().await;
        let token = committer.seal(manifest.epoch + 1, vec![]).await?;
        Ok::<_, Error>((sink, token))
    });
    let mut tokens = BTreeMap::new();
    for table in settled {
        tokens.extend([table.await?]);
    }
    Ok(tokens)
}

/// Tokens of tables in databases that go on. Those of tables that are made anew are dropped: such a table is filled from the
/// lake at the next start.
fn databases(pipeline: &Pipeline, changes: &Changes, manifest: &Manifest) -> BTreeMap<String, Token> {
    let stay = pipeline.models.values().filter(|m| m.clickhouse && !changes.rebuilt.contains_key(&m.table));
    let names = stay.map(|m| format!("clickhouse/{}", m.table));
    names.filter_map(|name| Some((name.clone(), manifest.sinks.get(&name)?.clone()))).collect()
}

/// Drops tables in ClickHouse that are filled by the start that comes, and do not fit their models any more.
///
/// # Errors
/// `Transient` when ClickHouse is away.
pub async fn drop_outdated(pipeline: &Pipeline, manifest: &Manifest) -> Result<()> {
    for model in pipeline.models.values().filter(|m| m.clickhouse && matches!(m.how, How::Stream(_))) {
        if manifest.sinks.contains_key(&format!("clickhouse/{}", model.table)) {
            continue;
        }
        if let Some(config) = clickhouse_config(pipeline, model) {
            drop_misfit(&config).await?;
        }
    }
    Ok(())
}

/// What happens to each table of a changed project, in words: table and what becomes of it.
pub fn in_words(pipeline: &Pipeline, changes: &Changes) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for (table, _) in pipeline.tables() {
        let is_refreshed = pipeline.refreshed().any(|m| m.table == table);
        let text = match changes.rebuilt.get(&table) {
            Some(rebuilt) if rebuilt.from.is_empty() => format!("rebuilt from the project: {}", rebuilt.why),
            Some(rebuilt) => {
                let from = rebuilt.from.iter().cloned().collect::<Vec<_>>().join(", ");
                let what = if rebuilt.why == Why::New { "new, filled" } else { "rebuilt" };
                format!("{what} from {from}: {}", rebuilt.why)
            }
            None if changes.new_streams.contains(&table) => "new, read from its beginning".to_owned(),
            None if is_refreshed => "made anew by a full query, as ever".to_owned(),
            None => "keeps its state".to_owned(),
        };
        lines.push((table, text));
    }
    let gone = gone(pipeline, changes).map(|table| (table.clone(), "no longer written; its table stays".to_owned()));
    lines.into_iter().chain(gone).collect()
}
