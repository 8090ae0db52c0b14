//! The server as its clients see it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use expect_test::expect;
use sluice_engine::checkpoint::MemoryStore;
use sluice_engine::graph::{Graph, Input};
use sluice_engine::metrics::Metrics;
use sluice_engine::runtime::{NoObserver, RunConfig, StopHandle, claim, run};
use sluice_engine::testing::{CountingSource, MemoryTable};
use sluice_engine::{ErrorKind, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::connection::Limits;
use super::server::GRACE_MS;
use super::*;

struct Running {
    address: SocketAddr,
    state: AdminState,
    metrics: Metrics,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Result<()>>,
}

fn start(limits: Limits) -> Running {
    let metrics = Metrics::default();
    let state = AdminState::new("shop", metrics.clone());
    let mut server = AdminServer::bind("127.0.0.1:0", state.clone()).unwrap();
    server.limits = limits;
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        // A test that drops the sender wants the server to its end.
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let server = tokio::spawn(server.serve(shutdown));
    Running { address, state, metrics, stop, server }
}

/// The whole answer to a request, read until the server closes the connection.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close before it has read everything.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn get(address: SocketAddr, path: &str) -> (String, String) {
    let answer = ask(address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

/// What both probes say, a line each.
async fn probes(address: SocketAddr) -> String {
    let mut said = String::new();
    for path in ["/healthz", "/readyz"] {
        let (status, body) = get(address, path).await;
        said += &format!("{path} {} {body}", status.split(' ').nth(1).unwrap());
    }
    said
}

/// The two probes through a start, a failure and a restart.
#[tokio::test]
async fn probes_follow_the_health() {
    let Running { address, state, metrics, .. } = start(Limits::default());
    state.health().starting("opening kafka topic \"orders\"");
    assert_eq!(probes(address).await, "/healthz 200 ok\n/readyz 503 opening kafka topic \"orders\"\n");
    metrics.run().epochs_committed.fetch_add(1, Ordering::Relaxed);
    assert_eq!(probes(address).await, "/healthz 200 ok\n/readyz 200 ok\n");
    state.health().failing("kafka is away");
    assert_eq!(probes(address).await, "/healthz 503 kafka is away\n/readyz 503 kafka is away\n");
    state.health().starting("starting again: kafka is away");
    assert_eq!(probes(address).await, "/healthz 200 ok\n/readyz 503 starting again: kafka is away\n");
    state.health().ready();
    assert_eq!(probes(address).await, "/healthz 200 ok\n/readyz 200 ok\n");
}

/// A run of the engine shows in every path: rows make ready before any epoch, and its counters are served.
#[tokio::test]
async fn a_run_is_seen() {
    let Running { address, state, metrics, .. } = start(Limits::default());
    state.set_sources(vec!["numbers".into()]);
    let table = MemoryTable::default();
    let mut graph = Graph::new();
    let source = graph.source("numbers", |c| Ok(Box::new(CountingSource::new(c.clone(), 1000, 10, 1)))).unwrap();
    let (committer, sink) = (table.committer(None), table.clone());
    graph.sink("rows", vec![Input::forward(source)], move |_| Ok(sink.sink()), committer).unwrap();
    let stop = StopHandle::default();
    // No epoch before the stop: it is the rows that make ready.
    let epoch = Duration::from_secs(3600);
    let config = RunConfig { metrics, stop: stop.clone(), epoch, ..RunConfig::new("shop") };
    let store = Arc::new(MemoryStore::default());
    let claim = claim(store.as_ref(), "shop", "test").await.unwrap();
    let run = tokio::spawn(run(graph, claim, store, config, Box::new(NoObserver)));

    let ready = async {
        while !probes(address).await.contains("/readyz 200") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ready).await.expect("the run is never ready");
    assert_eq!(state.status().epochs_committed, 0);
    stop.stop();
    run.await.unwrap().unwrap();
    let status: Status = serde_json::from_str(&get(address, "/status").await.1).unwrap();
    assert_eq!(status.sources, [SourceStatus { name: "numbers".into(), rows: 1000, lag_rows: 0 }]);
    assert_eq!((status.generation, status.epoch, status.epochs_committed), (1, 1, 1));
    let metrics = get(address, "/metrics").await.1;
    assert!(metrics.contains("\nsluice_node_in_rows_total{node=\"rows\"} 1000\n"), "{metrics}");
}

/// `/status` is the JSON of the numbers, and reads back as `Status`.
#[tokio::test]
async fn status_is_json() {
    let Running { address, state, metrics, .. } = start(Limits::default());
    metrics.run().epoch.store(5, Ordering::Relaxed);
    metrics.instance("source.orders", 0);
    metrics.refresh_failures("best", 1);
    state.set_sources(vec!["source.orders".into()]);
    let (status, body) = get(address, "/status").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_eq!(serde_json::from_str::<Status>(&body).unwrap(), state.status());
    expect![[r#"{"version":"VERSION","pipeline":"shop","health":{"phase":"starting","reason":"the pipeline has not been started yet"},"uptime_seconds":0,"generation":0,"epoch":5,"epochs_committed":0,"commit_milliseconds":0,"snapshot_bytes":0,"refreshed":[{"model":"best","failures":1,"error":null}],"thaws":0,"sources":[{"name":"source.orders","rows":0,"lag_rows":0}],"nodes":[{"name":"source.orders","rows_in":0,"rows_out":0,"state_bytes":0}]}"#]].assert_eq(&body.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

/// `/metrics` says which format it is in.
#[tokio::test]
async fn metrics_carry_their_content_type() {
    let Running { address, metrics, .. } = start(Limits::default());
    metrics.run().epoch.store(5, Ordering::Relaxed);
    let answer = ask(address, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{answer}");
    assert!(answer.contains("\nsluice_epoch_number 5\n"), "{answer}");
}

/// The first page, a path that is not there, and a method that is not there.
#[tokio::test]
async fn the_paths_are_listed() {
    let Running { address, .. } = start(Limits::default());
    let (_, body) = get(address, "/").await;
    expect![[r#"
        sluice VERSION, pipeline shop

        /healthz  200 while nothing has failed
        /readyz   200 while rows flow
        /metrics  counters and gauges, for Prometheus
        /status   the same as JSON
    "#]]
    .assert_eq(&body.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    assert_eq!(get(address, "/admin").await.0, "HTTP/1.1 404 Not Found");
    let answer = ask(address, "POST /status HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
}

/// An address in use, or one that is none, is the user's to change, and the message says how.
#[tokio::test]
async fn an_address_that_cannot_be_had_is_a_config_error() {
    let Running { address, state, .. } = start(Limits::default());
    let error = AdminServer::bind(&address.to_string(), state.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let said = error.to_string().replace(&address.to_string(), "ADDRESS");
    assert!(said.starts_with("admin.listen ADDRESS is taken by another process; stop that one, or "), "{said}");
    let error = AdminServer::bind("8088", state).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().starts_with("admin.listen \"8088\" is not an address; write host:port"), "{error}");
}

/// A request that is too long is cut off without an answer, and others are still answered.
#[tokio::test]
async fn a_long_request_is_cut_off() {
    let Running { address, .. } = start(Limits { request_bytes_max: 1000, ..Limits::default() });
    let request = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}", "x".repeat(100_000));
    let answer = ask(address, &request).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    assert_eq!(get(address, "/healthz").await.0, "HTTP/1.1 200 OK");
}

/// Clients that connect and say nothing keep others waiting only until their time is up.
#[tokio::test]
async fn silent_clients_are_sent_away() {
    let limits = Limits { connections_max: 2, connection_ms_max: 300, ..Limits::default() };
    let Running { address, .. } = start(limits);
    let mut silent = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    let begun = std::time::Instant::now();
    assert_eq!(get(address, "/healthz").await.0, "HTTP/1.1 200 OK");
    assert!(begun.elapsed() >= Duration::from_millis(200), "the third did not wait: {:?}", begun.elapsed());
    let mut byte = [0];
    assert_eq!(silent[0].read(&mut byte).await.unwrap_or(0), 0, "a silent client is still connected");
}

/// Asked to stop, the server ends soon, even while a client holds a connection open.
#[tokio::test]
async fn the_server_stops_when_asked() {
    let Running { address, stop, server, .. } = start(Limits::default());
    let _silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(get(address, "/healthz").await.0, "HTTP/1.1 200 OK");
    stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_millis(5 * GRACE_MS), server).await;
    ended.expect("the server still runs").unwrap().unwrap();
}
