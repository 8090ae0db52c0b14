//! A pipeline's tables as the Delta sink takes them: the one place that says what a table's folder, columns, write mode,
//! partitions, key and upkeep are, and which node of the graph writes it.

use std::time::Duration;

use datafusion::arrow::datatypes::SchemaRef;
use sluice_operators::decode::json::rejects_schema;
use sluice_operators::sink::delta::{self, DeltaConfig, Keep, WriteMode};
use sluice_operators::store::{OWN_FOLDER, Store};

use super::plan::{How, ModelPlan, Pipeline};
use super::streams::{SeedTable, Stream};
use crate::project::{KEEP_LOG_MIN, KEEP_REMOVED_FILES_MIN};
use crate::sql::op::Retractions;

const fn same(one: Duration, other: Duration) -> bool {
    one.as_secs() == other.as_secs()
}
const _: () = assert!(same(KEEP_LOG_MIN, delta::KEEP_LOG_MIN), "settings and tables have one bound");
const _: () =
    assert!(same(KEEP_REMOVED_FILES_MIN, delta::KEEP_REMOVED_FILES_MIN), "settings and tables have one bound");

/// The name of the table of rejects, beside the others' `layer.name`.
pub const REJECTS: &str = "rejects";

/// What the table of rejects is, for people.
const ABOUT_REJECTS: &str = "records that could not be decoded and rows for which an expression fails, with the reason";

/// A table of the lake.
pub struct LakeTable {
    /// Its name, `layer.name`.
    pub name: String,
    /// How it is written.
    pub config: DeltaConfig,
    /// The graph's node that writes it; none when its model is refreshed.
    pub sink: Option<String>,
}

impl LakeTable {
    fn written(name: &str, config: DeltaConfig) -> LakeTable {
        LakeTable { name: name.to_owned(), config, sink: Some(delta_node(name)) }
    }
}

/// The graph's node that writes a table of the lake.
pub(super) fn delta_node(table: &str) -> String {
    format!("delta/{table}")
}

impl Pipeline {
    /// All tables in the lake: streams, seeds, models, rejects.
    pub fn lake_tables(&self, store: &Store) -> Vec<LakeTable> {
        let streams = self.streams.iter().map(|s| LakeTable::written(&s.table, self.stream_table(store, s)));
        let seeds = self.seeds.iter().map(|s| LakeTable::written(&s.table, self.seed_table(store, s)));
        let models = self.models.values().map(|m| LakeTable {
            name: m.table.clone(),
            config: self.model_table(store, m),
            sink: matches!(m.how, How::Stream(_)).then(|| delta_node(&m.table)),
        });
        let rejects = LakeTable::written(REJECTS, self.rejects_table(store));
        streams.chain(seeds).chain(models).chain([rejects]).collect()
    }

    /// A stream's bronze table.
    pub fn stream_table(&self, store: &Store, stream: &Stream) -> DeltaConfig {
        let table = TableName { path: &stream.path, name: &stream.table, about: &stream.description };
        self.delta_table(store, table, stream.schema.clone(), WriteMode::Append).partitioned_by(&stream.partition_by)
    }

    /// A seed's table.
    pub fn seed_table(&self, store: &Store, seed: &SeedTable) -> DeltaConfig {
        let table = TableName { path: &seed.path, name: &seed.table, about: &seed.description };
        self.delta_table(store, table, seed.rows.schema(), WriteMode::Append)
    }

    /// A model's table. One that is refreshed is replaced whole, and has no key.
    pub fn model_table(&self, store: &Store, model: &ModelPlan) -> DeltaConfig {
        let (mode, key) = match (&model.how, model.retractions) {
            (How::Refresh { .. }, _) => (WriteMode::Changes, &[][..]),
            (How::Stream(_), Retractions::None) => (WriteMode::Append, &model.key[..]),
            (How::Stream(_), Retractions::Rare) => (WriteMode::Changes, &model.key[..]),
            (How::Stream(_), Retractions::Frequent) => (WriteMode::Upsert, &model.key[..]),
        };
        let table = TableName { path: &model.path, name: &model.table, about: &model.description };
        let table = self.delta_table(store, table, model.schema.clone(), mode);
        table.partitioned_by(&model.partition_by).keyed_by(key)
    }

    /// The table of what could not be processed.
    pub fn rejects_table(&self, store: &Store) -> DeltaConfig {
        let taken_back = |m: &ModelPlan| matches!(&m.how, How::Stream(op) if op.rejects_taken_back());
        let mode = if self.models.values().any(taken_back) { WriteMode::Changes } else { WriteMode::Append };
        let path = format!("{OWN_FOLDER}/rejects");
        let table = TableName { path: &path, name: REJECTS, about: ABOUT_REJECTS };
        self.delta_table(store, table, rejects_schema(), mode)
    }

    /// A table of the pipeline, neither divided nor keyed yet.
    pub fn delta_table(&self, store: &Store, table: TableName<'_>, schema: SchemaRef, mode: WriteMode) -> DeltaConfig {
        let app_id = format!("{}/{}", self.project.name, table.name);
        let mut config = DeltaConfig::new(store.clone(), table.path, app_id, schema, mode);
        let tables = self.project.settings.tables;
        config.keep = Keep { log: tables.keep_log, removed_files: tables.keep_removed_files };
        config.description = (!table.about.is_empty()).then(|| table.about.to_owned());
        config
    }
}

/// What a table is called.
pub struct TableName<'a> {
    /// Its folder below the lake.
    pub path: &'a str,
    /// Its name in SQL.
    pub name: &'a str,
    /// What it is, for people; empty when nobody says.
    pub about: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::plan_project;
    use crate::project::{Embedded, Project};

    const SOURCES: &str = "sources:\n  - name: shop\n    schema: bronze\n    tables:\n      - name: orders\n        \
        meta: { stream: { event_time: \"timestamp_millis(ts)\" } }\n        columns:\n          \
        - { name: id, data_type: bigint }\n          - { name: ts, data_type: bigint }\n";

    const COPY: (&str, &str) =
        ("models/copy.sql", "{{ config(partition_by='id') }}\nselect * from {{ source('shop', 'orders') }}");
    const SUMS: (&str, &str) = (
        "models/sums.sql",
        "{{ config(unique_key='id') }}\nselect id, sum(ts) as s from {{ ref('copy') }} group by id",
    );
    const RANKED: (&str, &str) =
        ("models/ranked.sql", "select id, rank() over (order by s) as r from {{ ref('sums') }}");

    const ASKED: (&str, &str) = ("models/asked.sql", "select id, current_timestamp() as at from {{ ref('sums') }}");

    fn tables(models: &[(&'static str, &'static str)]) -> Vec<String> {
        let dbt = "name: shop\nversion: '1.0'\nmodels: { +schema: gold }\nseeds: { +schema: silver }\n";
        let usual = [
            ("dbt_project.yml", dbt),
            ("sluice.yml", "version: 1\nsources: { shop: { files: { path: . } } }\nlake: ./lake\n"),
            ("models/sources.yml", SOURCES),
            ("seeds/kinds.csv", "kind\n1\n"),
        ];
        let files = [&usual, models].concat();
        let project = Project::load_files(&Embedded(&files), |_| None).unwrap_or_else(|faults| panic!("{faults}"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let pipeline = runtime.block_on(plan_project(project)).unwrap_or_else(|faults| panic!("{faults}"));
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().to_string_lossy()).expect("a lake");
        let line = |t: DeltaConfig| {
            format!("{} {} {:?} by ({}) key ({})", t.path, t.app_id, t.mode, t.partition_by.join(","), t.key.join(","))
        };
        pipeline.lake_tables(&store).into_iter().map(|t| line(t.config)).collect()
    }

    /// Each kind of table has its folder, writer, mode, partitions and key; rejects are taken back only where a row for
    /// which an expression fails can be.
    #[test]
    fn each_kind_of_table() {
        let usual = [
            "bronze/orders shop/bronze.orders Append by (_date) key ()",
            "silver/kinds shop/silver.kinds Append by () key ()",
            "gold/copy shop/gold.copy Append by (id) key ()",
        ];
        let append = [usual.as_slice(), &["_sluice/rejects shop/rejects Append by () key ()"]].concat();
        assert_eq!(tables(&[COPY]), append);
        let changing = [
            "gold/sums shop/gold.sums Upsert by () key (id)",
            "gold/asked shop/gold.asked Changes by () key ()",
            "gold/ranked shop/gold.ranked Upsert by () key ()",
            "_sluice/rejects shop/rejects Changes by () key ()",
        ];
        assert_eq!(tables(&[COPY, SUMS, RANKED, ASKED]), [usual.as_slice(), &changing].concat());
    }
}
