//! Streams and seeds: the tables that no model makes.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use sluice_engine::Result;
use sluice_operators::decode::json::{DecodeJson, DecodeSpec, Field, bronze_schema};

use crate::project::{PartitionBy, ProjectError, Seed, SourceTable};
use crate::sql::fingerprint;
use crate::sql::model::lower_case;
use crate::sql::session::spark_session;
use crate::sql::{plan_query, types};

/// The watermark of a stream that declares none.
const WATERMARK: Duration = Duration::from_secs(600);

/// A source's table that is read as a stream.
#[derive(Clone)]
pub struct Stream {
    /// The dbt source.
    pub source: String,
    /// Its table's name.
    pub name: String,
    /// The bronze table, `layer.name`, in lower case.
    pub table: String,
    /// Its folder below the lake.
    pub path: String,
    /// The topic, or whatever the source calls it.
    pub topic: String,
    /// The declared fields.
    pub fields: Vec<Field>,
    /// The bronze table's columns.
    pub schema: SchemaRef,
    /// The event time over these columns.
    pub event_time: Option<Arc<dyn PhysicalExpr>>,
    /// How much older than the newest row of its partition a row may be before it is late.
    pub watermark: Duration,
    /// The bronze table's partition columns.
    pub partition_by: Vec<String>,
    /// The largest record that is decoded, in bytes; the decoder's default when none. It changes no row, only which records
    /// are rejected, so it is not part of the fingerprint.
    pub record_bytes_max: Option<usize>,
    /// What it is.
    pub description: String,
}

fn fault(table: &SourceTable, line: Option<usize>, what: String, way_out: &str) -> ProjectError {
    ProjectError { file: table.origin.file.clone(), line, what, way_out: way_out.into() }
}

impl Stream {
    /// A stream from its declaration; none when the source's table is no stream.
    pub async fn of(table: &SourceTable) -> std::result::Result<Option<Stream>, Vec<ProjectError>> {
        let Some(meta) = &table.stream else { return Ok(None) };
        let mut faults = Vec::new();
        if meta.format != "json" {
            let what =
                format!("stream {}.{} has format {:?}, which is not known", table.source, table.name, meta.format);
            faults.push(fault(table, table.origin.line, what, "write `format: json`"));
        }
        let mut fields = Vec::new();
        for column in &table.columns {
            match types::parse(&column.data_type) {
                Some(data_type) => fields.push(Field { name: column.name.clone(), data_type }),
                None => faults.push(fault(
                    table,
                    column.origin.line,
                    format!("column {} of stream {}.{} has the type {:?}, which Spark SQL does not have",
                        column.name, table.source, table.name, column.data_type),
                    "use a Spark SQL type such as bigint, int, double, string, boolean, timestamp, date or decimal(10,2)",
                )),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let schema = bronze_schema(&fields);
        let event_time = match &meta.event_time {
            Some(text) => Some(event_time(text, &schema).await.map_err(|e| {
                let what = format!("event_time of stream {}.{}: {e}", table.source, table.name);
                vec![fault(
                    table,
                    table.origin.line,
                    what,
                    "write an expression over the stream's columns that gives a timestamp",
                )]
            })?),
            None => None,
        };
        let by_day = event_time.is_some() && meta.partition_by != Some(PartitionBy::None);
        Ok(Some(Stream {
            source: table.source.clone(),
            name: table.name.clone(),
            table: format!("{}.{}", table.schema, table.identifier).to_lowercase(),
            path: format!("{}/{}", table.schema, table.identifier),
            topic: meta.topic.clone(),
            fields,
            schema,
            event_time,
            watermark: meta.watermark.unwrap_or(WATERMARK),
            partition_by: if by_day { vec!["_date".into()] } else { vec![] },
            record_bytes_max: meta.record_bytes_max.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            description: table.description.clone(),
        }))
    }
}

impl Stream {
    /// What decodes it.
    ///
    /// # Errors
    /// `Config` when a field cannot be read from JSON.
    pub fn decoder(&self) -> Result<DecodeJson> {
        let spec = DecodeSpec {
            stream: self.name.clone(),
            fields: self.fields.clone(),
            event_time: self.event_time.clone(),
            watermark: self.watermark,
        };
        let decoder = DecodeJson::new(spec)?;
        Ok(match self.record_bytes_max {
            Some(bytes) => decoder.with_record_bytes_max(bytes),
            None => decoder,
        })
    }

    /// What its bronze rows depend on, as text.
    pub fn fingerprint(&self) -> String {
        let fields = self.fields.iter().map(|f| format!("{} {}", f.name, f.data_type));
        let event_time = self.event_time.as_ref().map_or_else(|| "none".into(), fingerprint::of_expression);
        let fields = fields.collect::<Vec<_>>().join(", ");
        fingerprint::short(format!("json v1 of {} at {event_time} [{fields}]", self.topic))
    }
}

/// Plans the event time as the one column of a query over the stream.
async fn event_time(text: &str, schema: &SchemaRef) -> std::result::Result<Arc<dyn PhysicalExpr>, String> {
    let lower = lower_case(schema);
    let context = spark_session([]);
    let table = Arc::new(EmptyTable::new(lower.clone()));
    context.register_table("stream", table).map_err(|e| e.to_string())?;
    let sql = format!("select cast({text} as timestamp) as event_time from stream");
    let planned = plan_query(&context, &sql).await.map_err(|e| e.to_string())?;
    if let Some(function) = planned.changing {
        return Err(format!("{function}() has another value each time, and the event time must not"));
    }
    let LogicalPlan::Projection(projection) = &planned.plan else {
        return Err(format!("{text} is too simple or too complex"));
    };
    let expr = projection.expr.first().ok_or("it has no column")?;
    // The plan's scan may have picked columns; the expression is made over all of them, by name.
    let whole = DFSchema::try_from_qualified_schema("stream", &lower).map_err(|e| e.to_string())?;
    let expr = expr.clone().unalias();
    create_physical_expr(&expr, &whole, &ExecutionProps::new(), &Default::default()).map_err(|e| e.to_string())
}

/// A seed as a table.
#[derive(Clone)]
pub struct SeedTable {
    /// `layer.name`, in lower case.
    pub table: String,
    /// Its folder below the lake.
    pub path: String,
    /// Its rows.
    pub rows: RecordBatch,
    /// What it is.
    pub description: String,
}

impl SeedTable {
    /// A seed's rows in the types that it declares.
    ///
    /// # Errors
    /// A type that Spark SQL does not have, or a value that does not fit its column's type.
    pub fn of(seed: &Seed) -> std::result::Result<SeedTable, ProjectError> {
        let fault = |what: String| ProjectError {
            file: seed.path.clone(),
            line: None,
            what,
            way_out: "correct the value, or the column's type under column_types".into(),
        };
        let mut fields = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (i, column) in seed.columns.iter().enumerate() {
            let data_type = types::parse(&column.data_type).ok_or_else(|| {
                fault(format!(
                    "column {} has the type {:?}, which Spark SQL does not have",
                    column.name, column.data_type
                ))
            })?;
            let text: StringArray = seed.rows.iter().map(|r| r.get(i).cloned().flatten()).collect();
            let options = CastOptions { safe: false, ..Default::default() };
            let values = cast_with_options(&text, &data_type, &options)
                .map_err(|e| fault(format!("column {}: {e}", column.name)))?;
            fields.push(ArrowField::new(&column.name, data_type, true));
            columns.push(values);
        }
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|e| fault(e.to_string()))?;
        Ok(SeedTable {
            table: format!("{}.{}", seed.schema, seed.alias).to_lowercase(),
            path: format!("{}/{}", seed.schema, seed.alias),
            rows,
            description: seed.description.clone(),
        })
    }
}
