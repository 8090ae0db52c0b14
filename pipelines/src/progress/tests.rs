//! What a run looks like on a terminal and in a file.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use expect_test::expect;

use super::*;

fn snapshot() -> Snapshot {
    let source = |name: &str, rows, lag_rows| SourceProgress { name: name.into(), rows, lag_rows };
    let table = |name: &str, rows| TableProgress { name: name.into(), rows };
    Snapshot {
        title: "demo".into(),
        elapsed: Duration::from_millis(12_340),
        rows: 12_412_345,
        rates: Rates { now: 1_204_000.4, average: 1_005_862.6 },
        epoch: 3,
        sources: vec![source("orders", 12_400_000, Some(1_250)), source("clicks", 12_345, None)],
        tables: vec![table("bronze.orders", 12_400_000), table("gold.best_sellers", 987)],
        top: Some(Top {
            title: "best sellers".into(),
            entries: vec![("日本の茶".into(), 4_321), ("a \"cup\"\u{1b}[2J".into(), 12)],
        }),
    }
}

fn text(lines: &[String]) -> String {
    lines.iter().map(|l| format!("{l}\n")).collect()
}

const WIDE: Size = Size { columns: 80, rows: 24 };

/// The block while rows flow; what would command the terminal is spelled out.
#[test]
fn the_block_of_a_run() {
    expect![[r#"
        demo  12.3 s  epoch 3
          12.4 M rows  1.2 M/s now  1.0 M/s average
          sources                   rows        lag
            orders                12.4 M      1,250
            clicks                12.3 k          -
          tables                    rows
            bronze.orders         12.4 M
            gold.best_sellers        987
          best sellers
             1  日本の茶           4,321
             2  a "cup"…              12
    "#]]
    .assert_eq(&text(&block::running(&snapshot(), WIDE)));
}

/// The block that stays at the end.
#[test]
fn the_block_of_the_end() {
    expect![[r#"
        demo  done in 12.3 s  epoch 3
          12.4 M rows  1.0 M/s average
          sources                   rows        lag
            orders                12.4 M      1,250
            clicks                12.3 k          -
          tables                    rows
            bronze.orders         12.4 M
            gold.best_sellers        987
          best sellers
             1  日本の茶           4,321
             2  a "cup"…              12
    "#]]
    .assert_eq(&text(&block::done(&snapshot(), WIDE)));
}

/// A small screen: lines are cut, and the block leaves a row for the cursor.
#[test]
fn the_block_fits_the_screen() {
    let lines = block::running(&snapshot(), Size { columns: 30, rows: 6 });
    expect![[r#"
        demo  12.3 s  epoch 3
          12.4 M rows  1.2 M/s now  …
          sources                   …
            orders                12…
            clicks                12…
    "#]]
    .assert_eq(&text(&lines));
    assert_eq!(lines.len(), 5);
    assert!(lines.iter().all(|l| crate::table_text::columns_of(l) < 30));
}

/// Many tables are counted, not shown.
#[test]
fn many_tables_are_counted() {
    let tables = (0..30).map(|i| TableProgress { name: format!("t{i}"), rows: i }).collect();
    let lines = block::done(&Snapshot { tables, ..Snapshot::default() }, WIDE);
    assert_eq!(lines.last().map(String::as_str), Some("    and 18 more"));
}

/// The lines of a run and of its end.
#[test]
fn the_lines() {
    expect![[r#"
        progress elapsed_s=12.3 rows=12412345 rows_per_s=1204000 rows_per_s_average=1005863 epoch=3 source.orders.rows=12400000 source.orders.lag_rows=1250 source.clicks.rows=12345 table.bronze.orders.rows=12400000 table.gold.best_sellers.rows=987
    "#]].assert_eq(&lines::running(&snapshot()));
    expect![[r#"
        done elapsed_s=12.3 rows=12412345 rows_per_s=1204000 rows_per_s_average=1005863 epoch=3 source.orders.rows=12400000 source.orders.lag_rows=1250 source.clicks.rows=12345 table.bronze.orders.rows=12400000 table.gold.best_sellers.rows=987
        top title="best sellers" place=1 count=4321 name="日本の茶"
        top title="best sellers" place=2 count=12 name="a \"cup\"\u001b[2J"
    "#]].assert_eq(&lines::done(&snapshot()));
}

/// A place to write that the test can read.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }

    fn progress(&self, output: Output, quiet: bool) -> Progress {
        Progress::on(Terminal::new(Box::new(self.clone())), output, quiet)
    }
}

fn at(ms: u64) -> Snapshot {
    Snapshot { title: "demo".into(), elapsed: Duration::from_millis(ms), ..Snapshot::default() }
}

/// A block is drawn over the last one, a log line goes above it, and the end stays.
#[test]
fn the_block_is_drawn_in_place() {
    let written = Written::default();
    let mut progress = written.progress(Output::Block { size: || WIDE }, false);
    progress.show(&at(0));
    expect![[r#"
        "demo  0.0 s  epoch 0\u{1b}[K\n  0 rows  0/s now  0/s average\u{1b}[K\n\u{1b}[J"
    "#]]
    .assert_debug_eq(&written.take());
    progress.show(&at(250));
    expect![[r#"
        "\r\u{1b}[2Ademo  0.2 s  epoch 0\u{1b}[K\n  0 rows  0/s now  0/s average\u{1b}[K\n\u{1b}[J"
    "#]]
    .assert_debug_eq(&written.take());
    progress.terminal().write_all(b"WARN slow\n").unwrap();
    expect![[r#"
        "\r\u{1b}[2A\u{1b}[JWARN slow\ndemo  0.2 s  epoch 0\u{1b}[K\n  0 rows  0/s now  0/s average\u{1b}[K\n\u{1b}[J"
    "#]]
    .assert_debug_eq(&written.take());
    progress.finish(&at(260));
    expect![[r#"
        "\r\u{1b}[2Ademo  done in 0.2 s  epoch 0\u{1b}[K\n  0 rows  0/s average\u{1b}[K\n\u{1b}[J"
    "#]]
    .assert_debug_eq(&written.take());
}

/// A block is drawn at most four times a second, a line is written at most every two.
#[test]
fn snapshots_that_come_too_fast_are_skipped() {
    for (output, every_ms) in [(Output::Block { size: || WIDE }, 250), (Output::Lines, 2000)] {
        let written = Written::default();
        let mut progress = written.progress(output, false);
        let mut shown = Vec::new();
        for ms in (0..6000).step_by(50) {
            assert_eq!(progress.is_due(at(ms).elapsed), ms % every_ms == 0);
            progress.show(&at(ms));
            if !written.take().is_empty() {
                shown.push(ms);
            }
        }
        assert_eq!(shown, (0..6000).step_by(every_ms as usize).collect::<Vec<_>>());
    }
}

/// Quiet means nothing but what somebody said on purpose.
#[test]
fn quiet_is_quiet() {
    let written = Written::default();
    let mut progress = written.progress(Output::Lines, true);
    progress.show(&at(0));
    progress.note("the tables are in ./lake");
    progress.finish(&at(10));
    assert_eq!(written.take(), "the tables are in ./lake\n");
}
