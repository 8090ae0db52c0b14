//! A snapshot as a block of lines that fits the screen.

use super::human::{human_count, human_duration};
use super::terminal::Size;
use super::{Snapshot, Top};
use crate::table_text::{columns_of, cut, padded};

/// Most sources, tables and places that are shown; the rest is counted.
const SOURCES_SHOWN_MAX: usize = 8;
const TABLES_SHOWN_MAX: usize = 12;
const PLACES_SHOWN_MAX: usize = 10;
/// Columns for names at most.
const NAME_COLUMNS_MAX: usize = 40;
/// Columns for a number: `999.9 k/s` and a gap.
const NUMBER_COLUMNS: usize = 11;

/// The block while the run goes on.
pub(super) fn running(snapshot: &Snapshot, size: Size) -> Vec<String> {
    let now = format!("{}/s now", human_count(snapshot.rates.now.round() as u64));
    let head = format!("{}  {}  epoch {}", snapshot.title, human_duration(snapshot.elapsed), snapshot.epoch);
    // One row less than the screen: the cursor stands below the block.
    fitted(block(snapshot, head, &now), size, size.rows.saturating_sub(1).max(1))
}

/// The block that stays when the run is done.
pub(super) fn done(snapshot: &Snapshot, size: Size) -> Vec<String> {
    let time = human_duration(snapshot.elapsed);
    let head = format!("{}  done in {time}  epoch {}", snapshot.title, snapshot.epoch);
    fitted(block(snapshot, head, ""), size, usize::MAX)
}

fn fitted(mut lines: Vec<String>, size: Size, rows_max: usize) -> Vec<String> {
    lines.truncate(rows_max);
    // A full line would make some terminals wrap.
    lines.iter().map(|l| cut(l, size.columns.saturating_sub(1).max(1))).collect()
}

fn block(snapshot: &Snapshot, head: String, now: &str) -> Vec<String> {
    let name_columns = name_columns(snapshot);
    let row = |name: &str, numbers: &[String]| {
        let name = padded(&cut(name, name_columns), name_columns, false);
        let numbers: String = numbers.iter().map(|n| padded(n, NUMBER_COLUMNS, true)).collect();
        format!("    {name}{numbers}")
    };
    let heading = |name: &str, numbers: &[&str]| {
        let numbers: String = numbers.iter().map(|n| padded(n, NUMBER_COLUMNS, true)).collect();
        format!("  {}{numbers}", padded(name, name_columns + 2, false))
    };
    let more = |count: usize, shown: usize| (count > shown).then(|| format!("    and {} more", count - shown));

    let average = format!("{}/s average", human_count(snapshot.rates.average.round() as u64));
    let rates: Vec<&str> = [now, &average].into_iter().filter(|r| !r.is_empty()).collect();
    let mut lines = vec![head, format!("  {} rows  {}", human_count(snapshot.rows), rates.join("  "))];
    if !snapshot.sources.is_empty() {
        lines.push(heading("sources", &["rows", "lag"]));
        for source in snapshot.sources.iter().take(SOURCES_SHOWN_MAX) {
            let lag = source.lag_rows.map_or_else(|| "-".into(), human_count);
            lines.push(row(&source.name, &[human_count(source.rows), lag]));
        }
        lines.extend(more(snapshot.sources.len(), SOURCES_SHOWN_MAX));
    }
    if !snapshot.tables.is_empty() {
        lines.push(heading("tables", &["rows"]));
        let tables = snapshot.tables.iter().take(TABLES_SHOWN_MAX);
        lines.extend(tables.map(|t| row(&t.name, &[human_count(t.rows)])));
        lines.extend(more(snapshot.tables.len(), TABLES_SHOWN_MAX));
    }
    if let Some(Top { title, entries }) = &snapshot.top {
        lines.push(format!("  {title}"));
        let places = entries.iter().take(PLACES_SHOWN_MAX).enumerate();
        lines.extend(places.map(|(i, (name, count))| row(&format!("{:>2}  {name}", i + 1), &[human_count(*count)])));
    }
    lines
}

/// One width for all names, so that the numbers stand below each other and stay there from drawing to drawing.
fn name_columns(snapshot: &Snapshot) -> usize {
    let sources = snapshot.sources.iter().map(|s| columns_of(&s.name));
    let tables = snapshot.tables.iter().map(|t| columns_of(&t.name));
    let places = snapshot.top.iter().flat_map(|t| &t.entries).map(|(name, _)| columns_of(name) + 4);
    sources.chain(tables).chain(places).max().unwrap_or(0).min(NAME_COLUMNS_MAX)
}
