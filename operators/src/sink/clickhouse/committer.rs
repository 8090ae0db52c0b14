//! The table's half: makes the table and its view, and sets right after a crash what was shown too early.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sluice_engine::{Committer, Error, Part, Result, Token};

use super::check::check_target;
use super::client::Client;
use super::config::ClickHouseConfig;
use super::refill::Refill;
use super::runs::Runs;
use super::settle::{Settle, Settled, empty, refuse_later_rows, shown_rows};
use super::sink::Written;
use super::target::Target;
use super::version::Stamp;

/// The format of the token. Version 1 had no `runs`.
const TOKEN_VERSION: u32 = 2;

/// Time between two looks for rows that an overtaken run shows late.
const LATE_LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long such a look may take: the next epoch waits for it.
const LATE_LOOK_MAX: Duration = Duration::from_secs(5);

/// What the manifest keeps of an epoch: counts, because its rows are visible already, and who has committed what.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    version: u32,
    rows: u64,
    tombstones: u64,
    #[serde(default)]
    runs: Runs,
}

/// The table's half of the sink.
pub struct ClickHouseCommitter {
    target: Arc<Target>,
    client: Client,
    generation: u64,
    settled: Option<Box<dyn Settled>>,
    runs: Runs,
    late_look_every: Duration,
    looked_at: Instant,
    looks: u64,
    /// Tells the rows of no committed epoch that were there at the last look; all of them had been set back.
    known: u64,
}

impl ClickHouseCommitter {
    /// `generation` is that of the sinks' context. `settled` reads rows as they were when an epoch was committed (from
    /// the model's Delta table); without it, rows that a crash left shown too early are right again only when their
    /// keys change again, and a table that was emptied stays empty.
    ///
    /// # Errors
    /// `Config` when the model cannot be a ClickHouse table.
    pub fn new(config: ClickHouseConfig, generation: u64, settled: Option<Box<dyn Settled>>) -> Result<Self> {
        let client = Client::new(&config)?;
        Ok(Self {
            target: Arc::new(Target::new(config)?),
            client,
            generation,
            settled,
            runs: Runs::default(),
            late_look_every: LATE_LOOK_EVERY,
            looked_at: Instant::now(),
            looks: 0,
            known: 0,
        })
    }

    /// The same, with another time between two looks for rows that an overtaken run shows late.
    pub fn look_every(mut self, every: Duration) -> Self {
        self.late_look_every = every;
        self
    }

    /// Makes the table ready for `replace_all` at a committed epoch: what is missing is made.
    ///
    /// # Errors
    /// As `Committer::recover`.
    pub async fn ready(&mut self, epoch: u64) -> Result<()> {
        let table = format!("clickhouse table {}", self.target.shown());
        self.start(Some(epoch)).await.map_err(|e| e.at(table))
    }

    async fn start(&mut self, last: Option<u64>) -> Result<()> {
        create(&self.client, &self.target).await?;
        let stamp = Stamp { generation: self.generation, sequence: 0, epoch: last.unwrap_or(0) };
        refuse_later_rows(&self.client, &self.target, stamp).await?;
        match last {
            None => empty(&self.client, &self.target, stamp).await?,
            Some(last) => self.settle(stamp, last).await?,
        }
        self.looked_at = Instant::now();
        self.fill_if_incomplete(stamp).await
    }

    async fn settle(&mut self, stamp: Stamp, last: u64) -> Result<()> {
        let (client, target, runs) = (&self.client, &self.target, &self.runs);
        let settle = Settle { client, target, stamp, runs, last, before: None, label: "recovery".into() };
        self.known = settle.fingerprint().await?;
        if self.known == 0 {
            return Ok(());
        }
        let table = target.shown();
        let Some(settled) = self.settled.as_deref_mut() else {
            tracing::warn!(
                table,
                last,
                "clickhouse shows rows of an epoch that was not committed; each is right again when it changes"
            );
            return Ok(());
        };
        let keys = settle.set_back(settled).await?;
        tracing::info!(table, keys, last, "clickhouse: rows of an epoch that was not committed are set back");
        Ok(())
    }

    /// A table that shows another number of rows than the lake's has been dropped, emptied, or brought back from somewhere;
    /// or ClickHouse is new to a lake with history. It is filled from there.
    async fn fill_if_incomplete(&mut self, stamp: Stamp) -> Result<()> {
        let Some(settled) = self.settled.as_deref_mut() else { return Ok(()) };
        let Some(rows) = settled.count().await? else { return Ok(()) };
        let table = self.target.shown();
        let shown = match shown_rows(&self.client, &self.target).await {
            Ok(shown) if shown == rows => return Ok(()),
            Ok(shown) => shown,
            Err(e) => {
                tracing::warn!(table, error = %e, "the rows that clickhouse shows cannot be counted; it is taken to have all");
                return Ok(());
            }
        };
        tracing::warn!(
            table,
            shown,
            rows,
            "clickhouse shows another number of rows than the lake's table: it is filled"
        );
        let all = settled.all(stamp.epoch).await?;
        let written = Refill::begin(self.target.config.clone(), stamp).await?.write_all(all).await?;
        tracing::info!(table, rows = written.rows, "clickhouse: the table is filled from the lake");
        Ok(())
    }

    /// Sets back what an overtaken run has shown since the last look. What fails is looked for again: the rows stay.
    async fn look_for_late_rows(&mut self, epoch: u64) {
        if self.looked_at.elapsed() < self.late_look_every {
            return;
        }
        self.looked_at = Instant::now();
        self.looks += 1;
        let stamp = Stamp { generation: self.generation, sequence: 0, epoch };
        let settle = Settle {
            client: &self.client,
            target: &self.target,
            stamp,
            runs: &self.runs,
            last: epoch,
            before: Some(self.generation),
            label: format!("late-{}", self.looks),
        };
        let Some(settled) = self.settled.as_deref_mut() else { return };
        let known = self.known;
        let look = async {
            let there = settle.fingerprint().await?;
            let keys = if there == 0 || there == known { 0 } else { settle.set_back(settled).await? };
            Ok::<_, Error>((there, keys))
        };
        let table = self.target.shown();
        match tokio::time::timeout(LATE_LOOK_MAX, look).await {
            Ok(Ok((there, keys))) => {
                self.known = there;
                if keys > 0 {
                    tracing::warn!(table, keys, "clickhouse: rows that an overtaken run had shown are set back");
                }
            }
            Ok(Err(e)) => tracing::debug!(table, error = %e, "late rows are looked for later"),
            Err(_) => tracing::debug!(table, "clickhouse is slow; late rows are looked for later"),
        }
    }
}

/// Fills a model's table with what `settled` says it holds, whatever is there: for a pipeline that does not run. `generation` is
/// one that nothing else has written under, `epoch` the newest committed one. What is missing in ClickHouse is made.
///
/// # Errors
/// `Config` when what is there does not fit the model, `Data` when a key comes twice, `Transient` when ClickHouse is away.
pub async fn fill(
    config: ClickHouseConfig,
    generation: u64,
    epoch: u64,
    settled: &mut (dyn Settled + 'static),
) -> Result<Written> {
    let (client, target) = (Client::new(&config)?, Target::new(config.clone())?);
    let table = format!("clickhouse table {}", target.shown());
    let filled = async {
        create(&client, &target).await?;
        let stamp = Stamp { generation, sequence: 0, epoch };
        refuse_later_rows(&client, &target, stamp).await?;
        let all = settled.all(epoch).await?;
        Refill::begin(config, stamp).await?.write_all(all).await
    };
    filled.await.map_err(|e| e.at(table))
}

/// Makes what is missing.
async fn create(client: &Client, target: &Target) -> Result<()> {
    let plan = check_target(client, target).await?;
    if plan.statements.is_empty() {
        return Ok(());
    }
    for statement in &plan.statements {
        client.execute(statement).await?;
        tracing::info!(table = target.shown(), statement, "clickhouse: done");
    }
    // What was made is read back, so that a difference shows now and not at the next start.
    let left = check_target(client, target).await?;
    match left.statements.first() {
        None => Ok(()),
        Some(statement) => {
            let text = format!("clickhouse table {}: this has no effect: {statement}", target.shown());
            Err(Error::config(format!("{text}; give user \"{}\" the rights to create and see it", target.config.user)))
        }
    }
}

impl Committer for ClickHouseCommitter {
    fn shows_early(&self) -> bool {
        true
    }

    fn seal<'a>(&'a mut self, epoch: u64, parts: Vec<Part>) -> BoxFuture<'a, Result<Token>> {
        Box::pin(async move {
            let mut runs = self.runs.clone();
            runs.commits(self.generation, epoch);
            let mut sealed = Sealed { version: TOKEN_VERSION, rows: 0, tombstones: 0, runs };
            for part in parts {
                let written =
                    part.downcast::<Written>().map_err(|_| Error::bug("a part of another sink came to clickhouse"))?;
                sealed.rows += written.rows;
                sealed.tombstones += written.tombstones;
            }
            serde_json::to_value(sealed).map_err(|e| Error::bug("a clickhouse token cannot be written").because(e))
        })
    }

    /// The rows have been visible since they were inserted; what is left is to look for those of others.
    fn commit<'a>(&'a mut self, epoch: u64, _token: &'a Token) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.runs.commits(self.generation, epoch);
            self.look_for_late_rows(epoch).await;
            Ok(())
        })
    }

    /// Filled from the lake's table, which has the history.
    fn fills_itself(&self) -> bool {
        self.settled.is_some()
    }

    fn recover<'a>(&'a mut self, last: Option<(u64, Token)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let at = |e: Error| e.at(format!("clickhouse table {}", self.target.shown()));
            if let Some((_, token)) = &last {
                let version = token.get("version").and_then(Token::as_u64).unwrap_or_default();
                if version == 0 || version > u64::from(TOKEN_VERSION) {
                    return Err(at(Error::config(format!(
                        "the manifest's token is of version {version}, this program knows {TOKEN_VERSION}; \
                         start the version that wrote it"
                    ))));
                }
                let sealed = Sealed::deserialize(token);
                self.runs = sealed.map_err(|e| at(Error::data("the manifest's token cannot be read").because(e)))?.runs;
            }
            let table = format!("clickhouse table {}", self.target.shown());
            self.start(last.map(|(epoch, _)| epoch)).await.map_err(|e| e.at(table))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::target::tests::config;
    use super::*;

    /// Shows that a token adds up the workers' parts, carries its version, and that another sink's part is a bug and
    /// not a panic.
    #[tokio::test]
    async fn a_token_adds_up_the_parts() {
        let mut committer = ClickHouseCommitter::new(config(), 1, None).unwrap();
        let part = |rows, tombstones| Box::new(Written { rows, tombstones }) as Part;
        let token = committer.seal(3, vec![part(2, 1), part(40, 0)]).await.unwrap();
        assert_eq!(token, serde_json::json!({"version": 2, "rows": 42, "tombstones": 1, "runs": [[1, 3]]}));
        committer.commit(3, &token).await.unwrap();
        assert_eq!(committer.seal(3, vec![Box::new("?")]).await.unwrap_err().kind(), sluice_engine::ErrorKind::Bug);
    }

    /// Shows that a token of a later program is refused before anything is touched.
    #[tokio::test]
    async fn a_later_token_is_refused() {
        let mut committer = ClickHouseCommitter::new(config(), 1, None).unwrap();
        let token = serde_json::json!({"version": 3, "rows": 1, "tombstones": 0});
        let error = committer.recover(Some((7, token))).await.unwrap_err().to_string();
        assert!(error.contains("version 3, this program knows 2"), "{error}");
    }
}
