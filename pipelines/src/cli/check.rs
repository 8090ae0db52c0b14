//! `sluice check`.

use std::collections::BTreeSet;

use clap::Args;
use sluice_engine::{Error, ErrorKind};
use sluice_operators::sink::clickhouse::check as check_clickhouse;
use sluice_operators::source::kafka::check_topic;

use super::{Failure, Outcome, ProjectDir, opened, output, without_effect};
use crate::admin::check_listen;
use crate::compile::{Changes, How, ModelPlan, Pipeline, clickhouse_config};
use crate::lake::{data_test_faults, lake_changes, run_faults};
use crate::project::{Materialized, Model, NodeRef, SourceSettings};
use crate::sources::{Sources, kafka_config};
use crate::sql::op::Retractions;

/// Everything that can be known before running.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    project: ProjectDir,
    /// Do not ask Kafka and ClickHouse, and do not look into the lake.
    #[arg(long)]
    offline: bool,
}

pub async fn check(args: CheckArgs) -> Outcome {
    let pipeline = opened::open(&args.project).await?;
    without_effect::warn(&pipeline.project);
    pasts_lost(&pipeline).iter().for_each(|w| output::warning(w));
    let mut faults: Vec<Error> = Vec::new();
    faults.extend(Sources::of(&pipeline.project).err());
    let listen = pipeline.project.settings.admin.as_ref().map(|admin| check_listen(&admin.listen));
    faults.extend(listen.and_then(Result::err));
    match data_test_faults(&pipeline).await {
        Ok(wrong) => faults.extend(wrong.iter().map(|fault| Error::config(fault.to_string()))),
        Err(fault) => faults.push(fault),
    }
    if !args.offline {
        check_topics(&pipeline, &mut faults).await;
        check_lake(&pipeline, &mut faults).await;
        check_tables(&pipeline, &mut faults).await;
    }
    if !faults.is_empty() {
        // Several streams or tables may have the same fault: it is one thing to mend.
        let told: BTreeSet<String> = faults.iter().map(|f| f.to_string()).collect();
        told.iter().for_each(|f| output::error(f));
        let away = faults.iter().any(|f| f.kind() != ErrorKind::Config);
        return Err(if away { Failure::Told } else { Failure::ToldWrong });
    }
    let refreshed = pipeline.models.values().filter(|m| matches!(m.how, How::Refresh { .. })).count();
    output::say(&format!(
        "ok: {} streams, {} seeds, {} models ({} as streams, {refreshed} by refresh), {} data tests, {} unit tests",
        pipeline.streams.len(),
        pipeline.seeds.len(),
        pipeline.models.len(),
        pipeline.models.len() - refreshed,
        pipeline.project.tests.len(),
        pipeline.project.unit_tests.len()
    ));
    Ok(())
}

/// Snapshots of models whose rows are replaced: what such a model held is known to nobody.
fn pasts_lost(pipeline: &Pipeline) -> Vec<String> {
    let is_snapshot = |m: &&Model| m.materialized == Materialized::Snapshot;
    let replaced = |node: &NodeRef| match node {
        NodeRef::Model(name) => {
            let plan = pipeline.models.get(name);
            plan.filter(|plan| plan.retractions == Retractions::Frequent).map(|plan| plan.name.clone())
        }
        _ => None,
    };
    let warning = |snapshot: &Model| {
        let read = snapshot.depends_on.iter().find_map(replaced)?;
        Some(format!(
            "{}: snapshot {:?} reads model {read:?}, whose rows are replaced as they change: it knows their newest values \
             only; read what comes instead",
            snapshot.path, snapshot.name
        ))
    };
    pipeline.project.models.values().filter(is_snapshot).filter_map(warning).collect()
}

async fn check_topics(pipeline: &Pipeline, faults: &mut Vec<Error>) {
    for stream in &pipeline.streams {
        let Some(SourceSettings::Kafka(kafka)) = pipeline.project.settings.sources.get(&stream.source) else {
            continue;
        };
        let config = kafka_config(kafka, &stream.source, &stream.topic, &pipeline.project.name);
        let asked = tokio::task::spawn_blocking(move || check_topic(&config)).await;
        match asked {
            Ok(Ok(_)) => {}
            Ok(Err(fault)) => {
                let away = fault.kind() == ErrorKind::Transient;
                faults.push(fault);
                // The other streams would wait for the same brokers, and say the same.
                if away {
                    return;
                }
            }
            Err(e) => faults.push(Error::bug("asking Kafka panicked").because(e)),
        }
    }
}

async fn check_lake(pipeline: &Pipeline, faults: &mut Vec<Error>) {
    match opened::lake(pipeline) {
        Ok(store) => faults.extend(run_faults(pipeline, &store).await),
        Err(fault) => faults.push(fault),
    }
}

async fn check_tables(pipeline: &Pipeline, faults: &mut Vec<Error>) {
    // What is rebuilt is made anew there too; a fault of the lake has been found before.
    let changes = match opened::lake(pipeline) {
        Ok(store) => lake_changes(pipeline, &store, &BTreeSet::new()).await.ok().flatten().unwrap_or_default(),
        Err(_) => Changes::default(),
    };
    let stays = |m: &&ModelPlan| m.clickhouse && !changes.rebuilt.contains_key(&m.table);
    for model in pipeline.models.values().filter(stays) {
        let Some(config) = clickhouse_config(pipeline, model) else { continue };
        if let Err(fault) = check_clickhouse(&config).await {
            let away = fault.kind() == ErrorKind::Transient;
            faults.push(fault);
            if away {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::plan_project;
    use crate::project::{Embedded, Project};

    /// A snapshot of an aggregate knows its newest values only; one of what comes knows all.
    #[test]
    fn snapshots_of_rows_that_are_replaced() {
        let sources = "sources:\n  - name: shop\n    tables:\n      - name: orders\n        meta: { stream: {} }\n        \
                       columns: [ { name: id, data_type: bigint }, { name: at, data_type: timestamp } ]\n";
        let snapshot = |name: &str, reads: &str| {
            format!(
                "{{% snapshot {name} %}}{{{{ config(strategy='timestamp', unique_key='id', updated_at='at') }}}}\n\
                 select * from {reads}{{% endsnapshot %}}"
            )
        };
        let files = [
            ("dbt_project.yml", "name: shop\nversion: '1.0'\n"),
            ("sluice.yml", "version: 1\nsources: { shop: { files: { path: . } } }\nlake: ./lake\n"),
            ("models/sources.yml", sources),
            ("models/newest.sql", "select id, max(at) as at from {{ source('shop', 'orders') }} group by id"),
            ("snapshots/a.sql", &snapshot("of_newest", "{{ ref('newest') }}")),
            ("snapshots/b.sql", &snapshot("of_orders", "{{ source('shop', 'orders') }}")),
        ];
        let project = Project::load_files(&Embedded(&files), |_| None).unwrap_or_else(|faults| panic!("{faults}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let pipeline = runtime.block_on(plan_project(project)).unwrap_or_else(|faults| panic!("{faults}"));
        let warnings = pasts_lost(&pipeline);
        assert_eq!(warnings.len(), 1);
        let begin = "snapshots/a.sql: snapshot \"of_newest\" reads model \"newest\", whose rows are replaced";
        assert!(warnings[0].starts_with(begin), "{warnings:?}");
    }
}
