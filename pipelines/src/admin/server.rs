//! The paths and the server.

use std::future::{Future, IntoFuture};
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use sluice_engine::{Error, Result};
use tokio::sync::oneshot;

use super::connection::{BoundedListener, Limits};
use super::exposition::{CONTENT_TYPE, exposition};
use super::health::Phase;
use super::status::{AdminState, Status};

/// How long requests that are under way may take once the server is asked to stop.
pub(super) const GRACE_MS: u64 = 1000;

/// The admin server, bound to its address and not serving yet.
///
/// Bound early, so that an address in use is known before any table is touched.
#[derive(Debug)]
pub struct AdminServer {
    listener: TcpListener,
    address: SocketAddr,
    state: AdminState,
    /// The usual ones, except in tests.
    pub(super) limits: Limits,
}

impl AdminServer {
    /// Takes the address `listen`, `host:port`; port 0 takes any free one.
    ///
    /// # Errors
    /// `Config` when it is not an address, is taken, or may not be taken.
    pub fn bind(listen: &str, state: AdminState) -> Result<Self> {
        let bound = TcpListener::bind(listen).and_then(|l| {
            l.set_nonblocking(true)?;
            let address = l.local_addr()?;
            Ok((l, address))
        });
        let (listener, address) = bound.map_err(|e| bind_error(listen, e))?;
        Ok(Self { listener, address, state, limits: Limits::default() })
    }

    /// The address that it has, with the port that was found.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` is done, and a second longer for requests that are under way. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// `Transient` when the system takes the listener away.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let lost = |e| Error::transient(format!("the admin server on {} has failed", self.address)).because(e);
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(lost)?;
        let listener = BoundedListener::new(listener, self.limits);
        let (stop, stopped) = oneshot::channel::<()>();
        let signal = async move {
            shutdown.await;
            // The receiver lives as long as this future is polled.
            let _ = stop.send(());
        };
        let serving = axum::serve(listener, router(self.state)).with_graceful_shutdown(signal).into_future();
        // A client that only connected would otherwise hold up the daemon's end.
        let grace = async {
            let _ = stopped.await;
            tokio::time::sleep(Duration::from_millis(GRACE_MS)).await;
        };
        tokio::select! {
            served = serving => served.map_err(lost),
            () = grace => Ok(()),
        }
    }
}

/// Whether `listen` is an address of this machine that could be listened on. Its port is not tried: the run that goes on
/// may have it.
///
/// # Errors
/// `Config` when it is none.
pub fn check_listen(listen: &str) -> Result<()> {
    let resolved = listen.to_socket_addrs().and_then(|mut all| all.next().ok_or(io::ErrorKind::InvalidInput.into()));
    let bound = resolved.and_then(|address| TcpListener::bind((address.ip(), 0)));
    bound.map(|_| ()).map_err(|e| bind_error(listen, e))
}

fn bind_error(listen: &str, error: io::Error) -> Error {
    let message = match error.kind() {
        io::ErrorKind::AddrInUse => {
            let way_out = "stop that one, or choose another port (0: any free one)";
            format!("admin.listen {listen} is taken by another process; {way_out}")
        }
        io::ErrorKind::InvalidInput => {
            format!("admin.listen {listen:?} is not an address; write host:port, for example 127.0.0.1:8088")
        }
        io::ErrorKind::PermissionDenied => {
            format!("admin.listen {listen} is not allowed to this user; choose a port of 1024 or above")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("admin.listen {listen} is not an address of this machine; 127.0.0.1 and 0.0.0.0 always are")
        }
        _ => format!("admin.listen {listen} cannot be listened on; write host:port, for example 127.0.0.1:8088"),
    };
    Error::config(message).because(error)
}

fn router(state: AdminState) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .fallback(unknown)
        .layer(axum::middleware::map_response(close))
        .with_state(state)
}

/// One request to a connection: see the limits.
async fn close(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn index(State(state): State<AdminState>) -> String {
    let Status { version, pipeline, .. } = state.status();
    format!("sluice {version}, pipeline {pipeline}\n\n{PATHS}")
}

const PATHS: &str = "\
/healthz  200 while nothing has failed
/readyz   200 while rows flow
/metrics  counters and gauges, for Prometheus
/status   the same as JSON
";

async fn healthz(State(state): State<AdminState>) -> Response {
    let report = state.health().report();
    probe(report.phase != Phase::Failing, &report.reason)
}

async fn readyz(State(state): State<AdminState>) -> Response {
    let report = state.health().report();
    probe(report.phase == Phase::Ready, &report.reason)
}

fn probe(well: bool, reason: &str) -> Response {
    match well {
        true => (StatusCode::OK, "ok\n").into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn metrics(State(state): State<AdminState>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], exposition(&state.status())).into_response()
}

async fn status(State(state): State<AdminState>) -> Json<Status> {
    Json(state.status())
}

async fn unknown() -> (StatusCode, String) {
    (StatusCode::NOT_FOUND, format!("there is no such path; there are:\n\n{PATHS}"))
}
