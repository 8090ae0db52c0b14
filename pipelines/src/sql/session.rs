//! A DataFusion session that speaks Spark SQL.

use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::optimizer::analyzer::resolve_grouping_function::ResolveGroupingFunction;
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion::optimizer::optimizer::Optimizer;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_spark::SessionStateBuilderSpark;

use super::casts::CastsOfSpark;
use super::coercion::TypesOfSpark;
use super::functions;
use super::operators::SparkOperators;
use super::types::SparkTypes;

/// Rules that rewrite what our operators do better as it stands.
const RULES_LEFT_OUT: &[&str] = &["single_distinct_aggregation_to_group_by"];

/// A session without tables, with the given layers (schemas) to put tables in.
pub fn spark_session<'a>(layers: impl IntoIterator<Item = &'a str>) -> SessionContext {
    let context = SessionContext::new_with_state(state());
    let catalog = Arc::new(MemoryCatalogProvider::new());
    for layer in layers.into_iter().chain(["default"]) {
        if catalog.schema(layer).is_none() {
            // A memory catalog takes any schema.
            let _ = catalog.register_schema(layer, Arc::new(MemorySchemaProvider::new()));
        }
    }
    context.register_catalog("sluice", catalog);
    context
}

fn state() -> SessionState {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema("sluice", "default")
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false)
        .with_target_partitions(1);
    let options = config.options_mut();
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.parse_float_as_decimal = true;
    // ASC is NULLS FIRST, DESC is NULLS LAST.
    options.sql_parser.default_null_ordering = "nulls_min".into();
    options.execution.time_zone = Some("UTC".into());
    options.execution.parquet.schema_force_view_types = false;
    let rules = Optimizer::new().rules.into_iter().filter(|r| !RULES_LEFT_OUT.contains(&r.name()));
    let rules = rules.collect();
    let mut builder = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_spark_features()
        .with_type_planner(Arc::new(SparkTypes))
        .with_analyzer_rules(vec![
            Arc::new(ResolveGroupingFunction::new()),
            Arc::new(TypesOfSpark),
            Arc::new(TypeCoercion::new()),
            Arc::new(CastsOfSpark::default()),
        ])
        .with_optimizer_rules(rules);
    builder.expr_planners().get_or_insert_default().insert(0, Arc::new(SparkOperators));
    builder.scalar_functions().get_or_insert_default().extend(functions::scalar());
    builder.aggregate_functions().get_or_insert_default().extend(functions::aggregate());
    builder.build()
}
