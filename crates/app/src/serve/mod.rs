//! The connections of the HTTP server: at most so many, none that says nothing, and each remembers how it ended.
//!
//! Built on hyper rather than `axum::serve`, which has no time-outs, and rather than a server crate: hyper's own time-out
//! of a header also runs while a connection is idle, so ten seconds for a header would cut every client that keeps
//! connections; and only the socket itself tells whether an answer reached its client (`hand_outs`).

mod connection;
mod hand_outs;
mod io;
mod listen;

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;
use trapline_core::Clock;

pub use self::{connection::Connection, listen::listen};
use self::{
    connection::{Answer, Overdue},
    io::Watched,
};

/// The head of a request, and what is read at once.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// Header fields of one request.
const HEADERS_MAX: usize = 100;
/// How often refused connections are told in the log.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How many connections there may be, and how long each may keep the server waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at once; one more is closed as it comes.
    pub connections_max: usize,
    /// From the start of a connection, or the first byte of a later request, to the end of the request's head.
    pub header_timeout: Duration,
    /// Between two requests. Longer than clients and proxies keep unused connections, so that they close first and no
    /// request meets a connection that is being closed.
    pub idle_timeout: Duration,
    /// While a client takes none of an answer.
    pub write_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 8_192,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            write_timeout: Duration::from_secs(120),
        }
    }
}

/// What became of connections since the start.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    open: AtomicU64,
    refused: AtomicU64,
    timed_out: AtomicU64,
}

impl ConnectionCounts {
    /// Open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Closed as they came, because there were too many.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Closed because their client kept the server waiting.
    #[must_use]
    pub fn timed_out(&self) -> u64 {
        self.timed_out.load(Ordering::Relaxed)
    }
}

/// A server, before it listens.
#[derive(Clone)]
pub(crate) struct Serving {
    pub(crate) app: Router,
    pub(crate) limits: ConnectionLimits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counts: Arc<ConnectionCounts>,
    /// Fires when no more requests are to be taken.
    pub(crate) closing: CancellationToken,
}

impl Serving {
    /// Serves until `closing` fires and every request under way is answered.
    pub(crate) async fn run(self, listener: TcpListener) {
        let slots = Arc::new(Semaphore::new(self.limits.connections_max));
        let connections = TaskTracker::new();
        let mut told = Told::default();
        loop {
            let (stream, peer) = tokio::select! {
                biased;
                () = self.closing.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        self.after_failed_accept(&error).await;
                        continue;
                    }
                },
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                drop(stream);
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                told.refused(self.clock.monotonic(), self.counts.refused(), peer);
                continue;
            };
            let connection = Connection::new(Arc::clone(&self.clock));
            let serving = self.clone();
            connections.spawn(async move {
                serving.counts.open.fetch_add(1, Ordering::Relaxed);
                serving.connection(stream, peer, &connection).await;
                connection.ended(&serving.clock, &serving.closing).await;
                serving.counts.open.fetch_sub(1, Ordering::Relaxed);
                drop(slot);
            });
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    /// One client's fault is no reason to wait. Out of descriptors or memory, the same error would come at once again.
    async fn after_failed_accept(&self, error: &std::io::Error) {
        use std::io::ErrorKind as Kind;
        if !matches!(
            error.kind(),
            Kind::ConnectionRefused | Kind::ConnectionAborted | Kind::ConnectionReset
        ) {
            tracing::error!(%error, "a connection can't be accepted");
            self.clock.sleep(Duration::from_secs(1)).await;
        }
    }

    /// Serves one connection to its end, or to its time-out.
    async fn connection(&self, stream: TcpStream, peer: SocketAddr, connection: &Connection) {
        let service = service_fn(|request: hyper::Request<Incoming>| {
            connection.request_begins();
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(connection.clone());
            let answering = self.app.clone().oneshot(request);
            async move {
                let response = answering.await?;
                Ok::<_, Infallible>(response.map(|body| Answer::new(body, connection.clone())))
            }
        });
        let mut builder = http1::Builder::new();
        // `overdue` does what hyper's own time-out would.
        builder.header_read_timeout(None);
        builder.max_headers(HEADERS_MAX).max_buf_size(BUFFER_BYTES_MAX);
        let io = TokioIo::new(Watched::new(stream, connection.clone()));
        let mut http = pin!(builder.serve_connection(io, service));
        let mut overdue = pin!(self.overdue(connection));
        let mut draining = false;
        loop {
            tokio::select! {
                served = http.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(%peer, %error, "a connection broke");
                    }
                    return;
                }
                why = overdue.as_mut() => {
                    self.counts.timed_out.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(%peer, waited_for = why.as_str(), "a connection timed out");
                    return;
                }
                () = self.closing.cancelled(), if !draining => {
                    draining = true;
                    http.as_mut().graceful_shutdown();
                }
            }
        }
    }

    /// Returns when the client has kept the server waiting for too long.
    async fn overdue(&self, connection: &Connection) -> Overdue {
        loop {
            match connection.look(&self.limits, self.clock.monotonic()) {
                Ok(next) => self.clock.sleep(next).await,
                Err(overdue) => return overdue,
            }
        }
    }
}

/// When refused connections were told last: thousands of them are a few lines.
#[derive(Default)]
struct Told(Option<Duration>);

impl Told {
    fn refused(&mut self, now: Duration, refused: u64, peer: SocketAddr) {
        if self.0.is_none_or(|last| now.saturating_sub(last) >= TELL_EVERY) {
            self.0 = Some(now);
            tracing::warn!(%peer, refused, "`connections_max` connections are open; more are closed as they come");
        }
    }
}

#[cfg(test)]
mod tests;
