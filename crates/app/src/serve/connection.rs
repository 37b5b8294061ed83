//! What is known of one connection: whom it waits for and since when, and how it ended.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use trapline_core::Clock;
use trapline_engine::Reservation;

use super::{
    ConnectionLimits,
    hand_outs::{HandOuts, peer_broke},
};

/// One connection, shared by its socket, its requests and its time-outs. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

struct State {
    phase: Phase,
    /// Since when a write makes no progress.
    write_waits: Option<Duration>,
    hand_outs: HandOuts,
    /// The socket, after the last request.
    socket: Option<TcpStream>,
}

/// What the server does with a connection, with the monotonic time at which it began.
enum Phase {
    /// It waits for the end of a request's head.
    Head(Duration),
    /// It reads a body, works, or answers.
    Busy,
    /// It has answered, and nothing has come since.
    Idle(Duration),
}

/// What a connection was closed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The head of a request.
    Head,
    /// The next request.
    Idle,
    /// The client, which takes none of its answer.
    Write,
}

impl Overdue {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Head => "the head of a request",
            Self::Idle => "another request",
            Self::Write => "the client to take its answer",
        }
    }
}

impl Connection {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let state = State {
            phase: Phase::Head(clock.monotonic()),
            write_waits: None,
            hand_outs: HandOuts::default(),
            socket: None,
        };
        Self {
            clock,
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps tasks whose answer of so many bytes is about to be written, until it is known whether it arrived.
    pub(crate) fn hand_out(&self, reservation: Reservation, bytes: usize) {
        let now = self.clock.monotonic();
        self.state().hand_outs.add(reservation, bytes, now);
    }

    /// Whoever asks again has read the last answer.
    pub(super) fn request_begins(&self) {
        let mut state = self.state();
        state.phase = Phase::Busy;
        state.hand_outs.arrived();
    }

    fn answered(&self) {
        self.state().phase = Phase::Idle(self.clock.monotonic());
    }

    pub(super) fn read(&self, bytes: usize) {
        let mut state = self.state();
        if bytes > 0 && matches!(state.phase, Phase::Idle(_)) {
            state.phase = Phase::Head(self.clock.monotonic());
        }
    }

    pub(super) fn read_ended(&self) {
        self.state().hand_outs.client_closed = true;
    }

    pub(super) fn broke(&self) {
        self.state().hand_outs.broken = true;
    }

    pub(super) fn wrote(&self, bytes: usize) {
        let mut state = self.state();
        state.write_waits = None;
        state.hand_outs.written += bytes as u64;
    }

    pub(super) fn write_waits(&self) {
        let now = self.clock.monotonic();
        self.state().write_waits.get_or_insert(now);
    }

    pub(super) fn give_socket(&self, stream: TcpStream) {
        self.state().socket = Some(stream);
    }

    /// How long until the connection must be looked at again, or what it waited for in vain.
    pub(super) fn look(&self, limits: &ConnectionLimits, now: Duration) -> Result<Duration, Overdue> {
        let mut state = self.state();
        state.hand_outs.forget_old(now);
        let (since, limit, why) = match (state.write_waits, &state.phase) {
            (Some(since), _) => (since, limits.write_timeout, Overdue::Write),
            (None, Phase::Head(since)) => (*since, limits.header_timeout, Overdue::Head),
            (None, Phase::Idle(since)) => (*since, limits.idle_timeout, Overdue::Idle),
            (None, Phase::Busy) => return Ok(limits.header_timeout),
        };
        match limit.saturating_sub(now.saturating_sub(since)) {
            Duration::ZERO => Err(why),
            // What it waits for may change meanwhile, and be due earlier.
            left => Ok(left.min(limits.header_timeout)),
        }
    }

    /// After the last request: finds out whether what was handed out last has arrived.
    pub(super) async fn ended(&self, clock: &Arc<dyn Clock>, closing: &CancellationToken) {
        let socket = {
            let mut state = self.state();
            let socket = state.socket.take();
            if state.hand_outs.settle_if_known() {
                return;
            }
            socket
        };
        if let Some(socket) = socket {
            let broke = peer_broke(&socket, clock, closing).await;
            self.state().hand_outs.settle(broke);
        }
    }
}

/// An answer that says when it is over.
pub(super) struct Answer {
    body: Body,
    connection: Connection,
}

impl Answer {
    pub(super) fn new(body: Body, connection: Connection) -> Self {
        Self { body, connection }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.connection.answered();
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
