//! What ClickHouse shows of a model, as the lines of `compare`.

use anyhow::{Context, bail};
use arrow::datatypes::DataType;
use sluice_pipelines::compile::ModelPlan;
use sluice_tests::compare::{self, Line};
use sluice_tests::services::ClickHouse;

/// The rows of a model's view. Values come in forms that lose nothing: doubles as their bits, texts in hexadecimal.
pub fn rows(clickhouse: &ClickHouse, database: &str, model: &ModelPlan) -> anyhow::Result<Vec<String>> {
    let fields = model.schema.fields();
    let columns: anyhow::Result<Vec<String>> = fields.iter().map(|f| exact(f.name(), f.data_type())).collect();
    let table = model.path.rsplit('/').next().unwrap_or(&model.name);
    let sql = format!("SELECT {} FROM {database}.{table} FORMAT TSV", columns?.join(", "));
    let answer = clickhouse.query(&sql)?;
    let line = |row: &str| {
        let mut line = Line::default();
        let mut cells = row.split('\t');
        for field in fields {
            let cell = cells.next().with_context(|| format!("{table}: a row without {}", field.name()))?;
            let value = if cell == "\\N" { None } else { Some(json(cell, field.data_type())?) };
            line.push(field.name(), value.as_deref());
        }
        Ok(line.finish())
    };
    answer.lines().map(line).collect()
}

fn exact(name: &str, data_type: &DataType) -> anyhow::Result<String> {
    Ok(match data_type {
        DataType::Int32 | DataType::Int64 => format!("`{name}`"),
        DataType::Boolean => format!("if(isNull(`{name}`), NULL, if(`{name}`, 'true', 'false'))"),
        DataType::Float64 => format!("reinterpretAsUInt64(`{name}`)"),
        DataType::Utf8 => format!("concat('x', hex(`{name}`))"),
        DataType::Date32 => format!("toString(`{name}`)"),
        DataType::Timestamp(..) => format!("toUnixTimestamp64Micro(`{name}`)"),
        other => bail!("column {name} has type {other}, which is not compared yet"),
    })
}

fn json(cell: &str, data_type: &DataType) -> anyhow::Result<String> {
    Ok(match data_type {
        DataType::Float64 => compare::double(f64::from_bits(cell.parse()?)),
        DataType::Utf8 => {
            let digits = cell.get(1..).unwrap_or_default();
            let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2).unwrap_or_default(), 16);
            let bytes = (0..digits.len()).step_by(2).map(byte).collect::<Result<Vec<u8>, _>>()?;
            compare::text(&String::from_utf8(bytes)?)
        }
        DataType::Date32 => compare::text(cell),
        DataType::Timestamp(..) => compare::timestamp(cell.parse()?)?,
        _ => cell.to_owned(),
    })
}
