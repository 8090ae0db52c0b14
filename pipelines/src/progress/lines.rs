//! A snapshot as lines of `key=value`, whose keys stay.

use std::fmt::Write;

use super::Snapshot;

/// One line while the run goes on.
pub(super) fn running(snapshot: &Snapshot) -> String {
    line("progress", snapshot)
}

/// The last lines: the numbers, and the ranking if there is one.
pub(super) fn done(snapshot: &Snapshot) -> String {
    let mut text = line("done", snapshot);
    if let Some(top) = &snapshot.top {
        for (i, (name, count)) in top.entries.iter().enumerate() {
            let place = i + 1;
            let _ =
                writeln!(text, "top title={} place={place} count={count} name={}", quoted(&top.title), quoted(name));
        }
    }
    text
}

fn line(word: &str, snapshot: &Snapshot) -> String {
    let Snapshot { elapsed, rows, rates, epoch, .. } = snapshot;
    let mut text = format!(
        "{word} elapsed_s={:.1} rows={rows} rows_per_s={:.0} rows_per_s_average={:.0} epoch={epoch}",
        elapsed.as_secs_f64(),
        rates.now,
        rates.average,
    );
    for source in &snapshot.sources {
        let name = key(&source.name);
        let _ = write!(text, " source.{name}.rows={}", source.rows);
        if let Some(lag) = source.lag_rows {
            let _ = write!(text, " source.{name}.lag_rows={lag}");
        }
    }
    for table in &snapshot.tables {
        let _ = write!(text, " table.{}.rows={}", key(&table.name), table.rows);
    }
    text.push('\n');
    text
}

/// A name as part of a key: what would end the key becomes `_`.
fn key(name: &str) -> String {
    name.chars().map(|c| if c.is_whitespace() || c.is_control() || c == '=' { '_' } else { c }).collect()
}

/// A text as a JSON string: quotes and control characters are escaped.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
