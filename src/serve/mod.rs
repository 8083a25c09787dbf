//! The daemon's HTTP server: health, metrics, webhooks and pages. It answers from what the [`Board`] has seen, and begins passes at most
//! sooner.

mod asked;
mod board;
mod hooks;
mod metrics;
mod names;
mod options;
mod pages;
mod token;

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub use self::asked::CountedSource;
pub use self::board::Board;
pub use self::hooks::Sleeper;
use self::hooks::{Hooks, take_hook};
pub use self::names::Names;
pub use self::options::{HookOptions, PageOptions, Sender, ServerOptions};
use self::pages::{Pages, routes};
use crate::agent::{Stop, Wakes, World, wait_for};
use crate::ports::Clock;

/// The most connections at a time: each may hold a body.
const MAX_CONNECTIONS: usize = 32;

/// How long a client may take to send the head of a request, or to be quiet between two, in seconds.
const HEAD_SECS: u64 = 10;

/// How long a connection may last, in seconds. A client makes another one.
const CONNECTION_SECS: u64 = 60;

/// What the server needs.
pub struct Served {
    /// What it shows.
    pub board: Arc<Board>,
    /// Whom webhooks can wake.
    pub sleepers: Vec<Sleeper>,
    /// How they are woken.
    pub wakes: Wakes,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// What the pages are read from.
    pub world: World,
}

/// What a server answers. It can be replaced while the server runs.
#[derive(Clone)]
pub struct Routes(Arc<RwLock<Router>>);

impl Routes {
    /// What is answered with these options.
    #[must_use]
    pub fn new(options: &ServerOptions, served: Served) -> Self {
        Self(Arc::new(RwLock::new(router(options, served))))
    }

    /// Answers otherwise from now on.
    pub fn replace(&self, options: &ServerOptions, served: Served) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = router(options, served);
    }

    fn now(&self) -> Router {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn router(options: &ServerOptions, served: Served) -> Router {
    let Served { board, sleepers, wakes, clock, world } = served;
    let of_pages =
        options.page.as_ref().map(|page| routes(Pages::new(page.clone(), Arc::clone(&board), world)));
    let hooks = Hooks::new(options.hooks.clone(), sleepers, wakes, (Arc::clone(&board), clock));
    let of_hooks = Router::new().route("/hooks/{name}", post(take_hook)).with_state(Arc::new(hooks));
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(board)
        .merge(of_hooks)
        .merge(of_pages.unwrap_or_default())
}

/// A server that listens.
pub struct Server(TcpListener);

impl Server {
    /// Begins to listen.
    ///
    /// # Errors
    /// When nobody can listen there.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        TcpListener::bind(address).await.map(Self)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Answers until asked to stop.
    pub async fn run(self, routes: Routes, stop: Stop) {
        let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        while !stop.is_set() {
            let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
            let accepted = tokio::select! {
                () = stop.wait() => return,
                accepted = self.0.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be taken");
                    wait_for(Duration::from_secs(1), &stop).await;
                    continue;
                }
            };
            let routes = routes.clone();
            // A connection may be older than what is answered now.
            let service = service_fn(move |request| TowerToHyperService::new(routes.now()).call(request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(HEAD_SECS))
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                let mut connection = std::pin::pin!(connection);
                // What ends otherwise than well was the client's doing.
                let age = tokio::time::sleep(Duration::from_secs(CONNECTION_SECS));
                let is_over = tokio::select! {
                    _ended = connection.as_mut() => true,
                    () = age => false,
                };
                if !is_over {
                    // The request that is under way is answered.
                    connection.as_mut().graceful_shutdown();
                    let _ended = tokio::time::timeout(Duration::from_secs(HEAD_SECS), connection).await;
                }
                drop(permit);
            });
        }
    }
}

async fn ready(State(board): State<Arc<Board>>) -> Response {
    let (is_ready, text) = board.readiness();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text).into_response()
}

async fn metrics_text(State(board): State<Arc<Board>>) -> Response {
    match board.metrics_text() {
        Ok(text) => ([("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
