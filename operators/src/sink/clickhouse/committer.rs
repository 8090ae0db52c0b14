//! The table's half: makes the table and its view, and sets right after a crash what was shown too early.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sluice_engine::{Committer, Error, Part, Result, Token};

use super::check::check_target;
use super::client::Client;
use super::config::ClickHouseConfig;
use super::settle::{Settled, refuse_later_rows, settle};
use super::sink::Written;
use super::target::Target;
use super::version::Stamp;

/// The format of the token.
const TOKEN_VERSION: u32 = 1;

/// What the manifest keeps of an epoch: only counts, because its rows are visible already.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    version: u32,
    rows: u64,
    tombstones: u64,
}

/// The table's half of the sink.
pub struct ClickHouseCommitter {
    target: Arc<Target>,
    client: Client,
    generation: u64,
    settled: Option<Box<dyn Settled>>,
}

impl ClickHouseCommitter {
    /// `generation` is that of the sinks' context. `settled` reads rows as they were when an epoch was committed (from
    /// the model's Delta table); without it, rows that a crash left shown too early are right again only when their
    /// keys change again.
    ///
    /// # Errors
    /// `Config` when the model cannot be a ClickHouse table.
    pub fn new(config: ClickHouseConfig, generation: u64, settled: Option<Box<dyn Settled>>) -> Result<Self> {
        let client = Client::new(&config)?;
        Ok(Self { target: Arc::new(Target::new(config)?), client, generation, settled })
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
        settle(&self.client, &self.target, stamp, last, self.settled.as_deref_mut()).await
    }
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

    fn seal<'a>(&'a mut self, _epoch: u64, parts: Vec<Part>) -> BoxFuture<'a, Result<Token>> {
        Box::pin(async move {
            let mut sealed = Sealed { version: TOKEN_VERSION, rows: 0, tombstones: 0 };
            for part in parts {
                let written =
                    part.downcast::<Written>().map_err(|_| Error::bug("a part of another sink came to clickhouse"))?;
                sealed.rows += written.rows;
                sealed.tombstones += written.tombstones;
            }
            serde_json::to_value(sealed).map_err(|e| Error::bug("a clickhouse token cannot be written").because(e))
        })
    }

    /// Nothing to do: the rows have been visible since they were inserted, and the token holds only counts.
    fn commit<'a>(&'a mut self, _epoch: u64, _token: &'a Token) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn recover<'a>(&'a mut self, last: Option<(u64, Token)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let at = |e: Error| e.at(format!("clickhouse table {}", self.target.shown()));
            if let Some((_, token)) = &last {
                let sealed = Sealed::deserialize(token);
                let version = sealed.as_ref().map(|s| s.version).unwrap_or_default();
                if version != TOKEN_VERSION {
                    return Err(at(Error::config(format!(
                        "the manifest's token is of version {version}, this program knows {TOKEN_VERSION}; \
                         start the version that wrote it"
                    ))));
                }
            }
            self.start(last.map(|(epoch, _)| epoch)).await
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
        assert_eq!(token, serde_json::json!({"version": 1, "rows": 42, "tombstones": 1}));
        committer.commit(3, &token).await.unwrap();
        assert_eq!(committer.seal(3, vec![Box::new("?")]).await.unwrap_err().kind(), sluice_engine::ErrorKind::Bug);
    }

    /// Shows that a token of a later program is refused before anything is touched.
    #[tokio::test]
    async fn a_later_token_is_refused() {
        let mut committer = ClickHouseCommitter::new(config(), 1, None).unwrap();
        let token = serde_json::json!({"version": 2, "rows": 1, "tombstones": 0});
        let error = committer.recover(Some((7, token))).await.unwrap_err().to_string();
        assert!(error.contains("version 2, this program knows 1"), "{error}");
    }
}
