//! Tables that are replaced as a whole, and reading through DataFusion.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::prelude::SessionContext;

use super::table::{Lake, counted, rows, table};
use crate::sink::delta::{DeltaConfig, WriteMode, committed_version, overwrite};
use crate::store::{open_table, provider};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("place", DataType::Utf8View, true), Field::new("n", DataType::Int64, true)]))
}

fn some(place: &[&str], n: &[i64]) -> RecordBatch {
    let place = arrow::compute::cast(&StringArray::from(place.to_vec()), &DataType::Utf8View).unwrap();
    RecordBatch::try_new(schema(), vec![place, Arc::new(Int64Array::from(n.to_vec()))]).unwrap()
}

fn config(lake: &Lake) -> DeltaConfig {
    lake.config(&schema(), WriteMode::Append).partitioned_by(["place"])
}

/// Each version holds its own rows and no others; a version that comes again changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_content_is_replaced() {
    let lake = Lake::new();
    let config = config(&lake);
    assert!(open_table(&lake.store, "gold/t").await.unwrap().is_none());
    assert_eq!(committed_version(&config).await.unwrap(), None);
    overwrite(&config, 1, [Ok(some(&["a", "b"], &[1, 2])), Ok(some(&["a"], &[3]))]).await.unwrap();
    assert_eq!(table(&lake.store).await, (1, rows(&["a|1", "b|2", "a|3"])));
    overwrite(&config, 1, [Ok(some(&["c"], &[9]))]).await.unwrap();
    overwrite(&config, 2, [Ok(some(&["b"], &[4]))]).await.unwrap();
    assert_eq!(table(&lake.store).await, (2, rows(&["b|4"])));
    overwrite(&config, 3, []).await.unwrap();
    assert_eq!(table(&lake.store).await, (3, rows(&[])));
    assert_eq!(committed_version(&config).await.unwrap(), Some(3));
}

/// DataFusion sees the same rows, finds files by partition and by statistics, and sees later versions when asked again.
#[tokio::test(flavor = "multi_thread")]
async fn queries_read_the_table() {
    let lake = Lake::new();
    let config = config(&lake);
    overwrite(&config, 1, [Ok(some(&["a b", "é%", ""], &[1, 2, 3]))]).await.unwrap();
    let query = async |sql: &str| {
        let ctx = SessionContext::new();
        ctx.register_table("t", provider(&lake.store, "gold/t").await.unwrap()).unwrap();
        counted(&ctx.sql(sql).await.unwrap().collect().await.unwrap())
    };
    assert_eq!(query("SELECT place, n FROM t").await, rows(&["a b|1", "é%|2", "NULL|3"]));
    assert_eq!(query("SELECT n FROM t WHERE place = 'é%'").await, rows(&["2"]));
    assert_eq!(query("SELECT n FROM t WHERE n > 2 AND place IS NULL").await, rows(&["3"]));
    overwrite(&config, 2, [Ok(some(&["x"], &[7]))]).await.unwrap();
    assert_eq!(query("SELECT count(*) FROM t").await, rows(&["1"]));
}
