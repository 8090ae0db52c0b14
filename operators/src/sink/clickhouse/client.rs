//! Talking to ClickHouse over HTTP, and what its errors mean.

use std::time::Duration;

use bytes::Bytes;
use clickhouse::Compression;
use clickhouse::error::Error as Cause;
use serde::de::DeserializeOwned;
use sluice_engine::{Error, ErrorKind, Result};

use super::config::ClickHouseConfig;

/// Longest time for a statement that is not an insert of a block.
const STATEMENT_SECONDS_MAX: u64 = 60;

/// Longest time for a statement that goes through a whole table.
const TABLE_SECONDS_MAX: u64 = 3_600;

/// Longest time for sending a block, and again for the answer; after it the same block is sent again, with the same token.
const INSERT_SECONDS_MAX: u64 = 60;

/// What an error of ClickHouse means for what was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// ClickHouse is away, busy or short of something: the same again, later.
    Away,
    /// It will not become better by itself.
    Refused,
    /// Not known: a few more tries, then `Refused`.
    Unclear,
}

/// An error and what it means.
#[derive(Debug)]
pub(super) struct Failure {
    pub fault: Fault,
    pub error: Error,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        failure.error
    }
}

/// A connection to one server, as one user.
#[derive(Clone)]
pub(super) struct Client {
    inner: clickhouse::Client,
    url: String,
    user: String,
}

impl Client {
    /// # Errors
    /// `Config` when the URL is none of ClickHouse's HTTP interface.
    pub(super) fn new(config: &ClickHouseConfig) -> Result<Self> {
        check_url(&config.url)?;
        let inner = clickhouse::Client::default()
            .with_url(&config.url)
            .with_user(&config.user)
            .with_password(&config.password)
            .with_compression(Compression::None)
            .with_product_info("sluice", env!("CARGO_PKG_VERSION"));
        Ok(Self { inner, url: config.url.clone(), user: config.user.clone() })
    }

    /// Runs a statement that answers nothing.
    ///
    /// # Errors
    /// `Transient` when ClickHouse is away, else `Config`.
    pub(super) async fn execute(&self, sql: &str) -> Result<()> {
        self.execute_within(STATEMENT_SECONDS_MAX, sql).await
    }

    /// Runs a statement that reads or writes a whole table.
    ///
    /// # Errors
    /// As `execute`.
    pub(super) async fn execute_on_table(&self, sql: &str) -> Result<()> {
        self.execute_within(TABLE_SECONDS_MAX, sql).await
    }

    async fn execute_within(&self, seconds: u64, sql: &str) -> Result<()> {
        let query = self.inner.query_raw(sql).with_setting("async_insert", "0").with_setting("wait_end_of_query", "1");
        Ok(self.limited(seconds, query.execute()).await?)
    }

    /// The rows that a query answers; its columns are `T`'s fields.
    ///
    /// # Errors
    /// As `execute`.
    pub(super) async fn rows<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>> {
        let body = self.bytes(sql, "JSONEachRow", &[]).await?;
        let parse = |line: &[u8]| {
            serde_json::from_slice(line).map_err(|e| {
                Error::config(format!(
                    "{} does not answer as clickhouse does; correct clickhouse.url in sluice.yml",
                    self.url
                ))
                .because(e)
            })
        };
        body.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(parse).collect()
    }

    /// What a query answers, in one of ClickHouse's formats.
    ///
    /// # Errors
    /// As `execute`.
    pub(super) async fn bytes(&self, sql: &str, format: &str, settings: &[(&str, &str)]) -> Result<Bytes> {
        self.bytes_within(STATEMENT_SECONDS_MAX, sql, format, settings).await
    }

    /// As `bytes`, for a query that goes through a whole table.
    ///
    /// # Errors
    /// As `execute`.
    pub(super) async fn bytes_of_table(&self, sql: &str, format: &str, settings: &[(&str, &str)]) -> Result<Bytes> {
        self.bytes_within(TABLE_SECONDS_MAX, sql, format, settings).await
    }

    async fn bytes_within(&self, seconds: u64, sql: &str, format: &str, settings: &[(&str, &str)]) -> Result<Bytes> {
        let query = settings.iter().fold(self.inner.query_raw(sql), |q, (name, value)| q.with_setting(*name, *value));
        let all = async { query.fetch_bytes(format)?.collect().await };
        Ok(self.limited(seconds, all).await?)
    }

    /// Inserts one block and waits until ClickHouse has it. `token` is the block's identity: of two inserts with one
    /// token the second does nothing.
    pub(super) async fn insert(&self, sql: &str, block: Bytes, token: &str) -> Result<(), Failure> {
        // The client's own deadlines end the request; ours alone would leave it behind, one more for each try.
        let deadline = Some(Duration::from_secs(INSERT_SECONDS_MAX));
        let mut insert = self
            .inner
            .insert_formatted_with(sql)
            .with_timeouts(deadline, deadline)
            .with_setting("async_insert", "0")
            .with_setting("wait_end_of_query", "1")
            .with_setting("insert_deduplicate", "1")
            .with_setting("insert_deduplication_token", token)
            .with_setting("input_format_null_as_default", "1")
            .with_setting("date_time_overflow_behavior", "saturate");
        let all = async {
            insert.send(block).await?;
            insert.end().await
        };
        self.limited(2 * INSERT_SECONDS_MAX + 1, all).await
    }

    async fn limited<T>(&self, seconds: u64, work: impl Future<Output = Result<T, Cause>>) -> Result<T, Failure> {
        match tokio::time::timeout(Duration::from_secs(seconds), work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(cause)) => Err(self.failure(cause)),
            Err(_) => Err(self.failure(Cause::TimedOut)),
        }
    }

    fn failure(&self, cause: Cause) -> Failure {
        let code = code_of(&cause);
        let fault = fault_of(&cause, code);
        // A table that has gone is made and filled by the next start.
        let gone = matches!(code, Some(60 | 81));
        let kind = if fault == Fault::Away || gone { ErrorKind::Transient } else { ErrorKind::Config };
        let (url, user) = (&self.url, &self.user);
        let text = match (&cause, code) {
            (Cause::Network(_) | Cause::TimedOut, _) => {
                format!("clickhouse at {url} does not answer; start it, or correct clickhouse.url in sluice.yml")
            }
            (_, Some(192 | 193 | 194 | 516)) => {
                format!(
                    "clickhouse at {url} does not let user \"{user}\" in; \
                     correct clickhouse.user and clickhouse.password in sluice.yml"
                )
            }
            (_, Some(291 | 497)) => {
                format!("clickhouse at {url}: user \"{user}\" lacks a grant; give it the one that is named here")
            }
            (_, Some(60 | 81)) => {
                format!("clickhouse at {url} has lost a table or its database; a start makes it anew and fills it")
            }
            (_, Some(252)) => format!("clickhouse at {url} has more parts than it can merge; it catches up by itself"),
            (_, Some(code)) => format!("clickhouse at {url} refused a statement (its code {code})"),
            (_, None) => format!(
                "clickhouse at {url} gave an answer that is not ClickHouse's; correct clickhouse.url in sluice.yml"
            ),
        };
        Failure { fault, error: Error::new(kind, text).because(cause) }
    }
}

fn check_url(url: &str) -> Result<()> {
    let wrong = |why: &str| Error::config(format!("clickhouse.url \"{url}\" {why}; write it as http://host:8123"));
    let parsed = url::Url::parse(url).map_err(|e| wrong("is not a URL").because(e))?;
    if parsed.username() != "" || parsed.password().is_some() {
        return Err(Error::config(
            "clickhouse.url holds a user or a password; put them into clickhouse.user and clickhouse.password",
        ));
    }
    match parsed.scheme() {
        "http" => Ok(()),
        "https" => Err(wrong("is https, which this build cannot speak: put a TLS proxy in front")),
        _ => Err(wrong("is not http")),
    }
}

/// The code in "Code: 516. DB::Exception: ...", which is how every error of ClickHouse begins.
fn code_of(cause: &Cause) -> Option<u32> {
    let Cause::BadResponse(text) = cause else { return None };
    let digits = text.strip_prefix("Code: ")?;
    digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())].parse().ok()
}

fn fault_of(cause: &Cause, code: Option<u32>) -> Fault {
    match (cause, code) {
        (Cause::Network(_) | Cause::TimedOut, _) => Fault::Away,
        (_, Some(code)) => fault_of_code(code),
        // A proxy in front that has lost its server: "502 Bad Gateway", or a page that says so.
        (Cause::BadResponse(text), None) if ["502", "503", "504", "429"].iter().any(|s| text.contains(s)) => {
            Fault::Away
        }
        (Cause::BadResponse(_) | Cause::Custom(_) | Cause::Other(_), None) => Fault::Unclear,
        _ => Fault::Refused,
    }
}

/// Codes of ClickHouse's `ErrorCodes.cpp`.
fn fault_of_code(code: u32) -> Fault {
    match code {
        // timeout, sockets, network, all connections tried
        159 | 209 | 210 | 279 => Fault::Away,
        // too many queries, parts, memory, disk, aborted, cancelled, shutting down
        202 | 252 | 241 | 243 | 236 | 394 | 439 | 473 | 735 | 745 => Fault::Away,
        // replicas and keeper: read only, no keeper, too few replicas, unknown status of an insert, quorum
        242 | 225 | 285 | 286 | 289 | 319 | 305 | 999 => Fault::Away,
        // logical error, POCO and standard exceptions, unknown
        49 | 74 | 75 | 1000 | 1001 | 1002 => Fault::Unclear,
        // parse errors of a block that may have been cut off on its way
        27 | 32 | 33 | 117 => Fault::Unclear,
        _ => Fault::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        let cause = Cause::BadResponse(text.into());
        let code = code_of(&cause);
        fault_of(&cause, code)
    }

    /// Shows which answers are worth another try.
    #[test]
    fn answers_and_what_they_mean() {
        assert_eq!(fault("Code: 252. DB::Exception: Too many parts (300). (TOO_MANY_PARTS)"), Fault::Away);
        assert_eq!(fault("Code: 516. DB::Exception: etl: Authentication failed"), Fault::Refused);
        assert_eq!(fault("Code: 60. DB::Exception: Table x.t does not exist"), Fault::Refused);
        assert_eq!(fault("Code: 1001"), Fault::Unclear);
        assert_eq!(fault("503 Service Unavailable"), Fault::Away);
        assert_eq!(fault("<html>what?</html>"), Fault::Unclear);
        assert_eq!(fault_of(&Cause::TimedOut, None), Fault::Away);
    }

    /// Shows which addresses are refused, and that one with a password in it is not repeated.
    #[test]
    fn addresses_that_are_refused() {
        assert!(check_url("http://127.0.0.1:8123").is_ok());
        assert!(
            check_url("localhost:8123").unwrap_err().to_string().contains("is not http; write it as http://host:8123")
        );
        assert!(check_url("https://x").unwrap_err().to_string().contains("TLS proxy"));
        assert!(!check_url("http://u:hush@x").unwrap_err().to_string().contains("hush"));
    }
}
