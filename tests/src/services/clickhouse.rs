//! A ClickHouse server: the real engine with its own HTTP and TCP servers, run by `chserver.py` out of `libchdb.so`.

use std::sync::OnceLock;

use anyhow::ensure;

use super::home::Home;
use super::http;
use super::process::Process;
use super::{ports, start_with_free_ports, wait_until};
use crate::cache;

const USER: &str = "etl";
const PASSWORD: &str = "secret";

/// A real server with a user that may do everything.
pub struct ClickHouse {
    server: Process,
    http_port: u16,
    tcp_port: u16,
    home: Home,
}

impl ClickHouse {
    /// Starts an empty server; returns when it answers.
    ///
    /// # Errors
    /// When it is not installed, or does not start: with the tail of its log.
    pub fn start() -> anyhow::Result<ClickHouse> {
        start_with_free_ports(|| {
            let home = Home::new("clickhouse")?;
            let (http_port, tcp_port) = (ports::free()?, ports::free()?);
            home.write("chserver.py", include_str!("chserver.py"))?;
            home.write("users.xml", &users())?;
            home.write("config.xml", &config(&home.path().join("users.xml").display().to_string()))?;
            let server = spawn(&home, http_port, tcp_port)?;
            let clickhouse = ClickHouse { server, http_port, tcp_port, home };
            clickhouse.wait_until_ready()?;
            Ok(clickhouse)
        })
    }

    /// One server for all tests of this process that only need databases of their own; started by the first.
    ///
    /// # Errors
    /// As `start`; the same error for each caller.
    pub fn shared() -> anyhow::Result<&'static ClickHouse> {
        static SHARED: OnceLock<Result<ClickHouse, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| ClickHouse::start().map_err(|error| format!("{error:#}")));
        shared.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// `http://127.0.0.1:port`, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The user that may do everything.
    pub fn user(&self) -> &'static str {
        USER
    }

    /// That user's password.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Kills the server (SIGKILL).
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again with its data, at the same address; kills it first when it still runs.
    ///
    /// # Errors
    /// When it does not start: with the tail of its log.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.server = spawn(&self.home, self.http_port, self.tcp_port)?;
        self.wait_until_ready()
    }

    /// Freezes the server (SIGSTOP): its connections stay open and nothing answers.
    ///
    /// # Errors
    /// When it has ended.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.server.stop()
    }

    /// Lets it go on after `stop`.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cont(&self) -> anyhow::Result<()> {
        self.server.cont()
    }

    /// Runs one statement; the answer as the server writes it (tab-separated unless the statement has a FORMAT). The data
    /// of an INSERT may follow it after a line break.
    ///
    /// # Errors
    /// When the server refuses: with what it said.
    pub fn query(&self, sql: &str) -> anyhow::Result<String> {
        let headers = [("X-ClickHouse-User", USER), ("X-ClickHouse-Key", PASSWORD)];
        let answer = http::request("POST", &self.address(), "/", &headers, sql.as_bytes())?;
        let text = String::from_utf8(answer.body)?;
        ensure!(answer.status == 200, "clickhouse refused {sql:?}: {text}");
        Ok(text)
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.http_port)
    }

    fn wait_until_ready(&self) -> anyhow::Result<()> {
        wait_until(&self.server, || self.query("SELECT 1").is_ok_and(|answer| answer == "1\n"))
    }
}

fn spawn(home: &Home, http_port: u16, tcp_port: u16) -> anyhow::Result<Process> {
    let path = |name: &str| home.path().join(name).display().to_string();
    let command = [
        cache::python_program("python")?.display().to_string(),
        path("chserver.py"),
        cache::service("clickhouse")?.join("libchdb.so").display().to_string(),
        path("data"),
        http_port.to_string(),
        tcp_port.to_string(),
        format!("--config-file={}", path("config.xml")),
    ];
    Process::start("clickhouse", home, &command)
}

fn config(users: &str) -> String {
    format!(
        "<clickhouse><users_config>{users}</users_config><max_concurrent_queries>50</max_concurrent_queries></clickhouse>"
    )
}

/// The server's process logs in as `default`, which therefore has no password, and no right but those it needs to listen.
fn users() -> String {
    format!(
        "<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users>
<default><password/><grants>
<query>GRANT SYSTEM LISTEN ON *.*</query><query>GRANT SELECT ON system.numbers</query>
</grants></default>
<{USER}><password>{PASSWORD}</password></{USER}>
</users></clickhouse>"
    )
}
