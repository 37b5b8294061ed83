//! Whether an answer that handed out tasks reached its client.
//!
//! A client that was gone when its answer was written holds nothing, and must not be charged with a death. It is known to be
//! gone if its side of the connection broke: it closed with the answer unread, or before the answer came (a reset either
//! way), or before the whole answer was written. A client that asks again, or closes after it has read everything, has its
//! tasks. Of one that stays silent nothing is known: its lease decides. A proxy in between answers for itself, not for the
//! worker behind it.

use std::{io, sync::Arc, time::Duration};

use tokio::{io::Interest, net::TcpStream};
use tokio_util::sync::CancellationToken;
use trapline_core::Clock;
use trapline_engine::Reservation;

/// A reset after this long tells nothing of the answer: something between may have ended an idle connection.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);
/// How long a closed connection is listened to: a reset comes one round trip after the answer.
const LINGER: Duration = Duration::from_secs(2);

/// What was handed out on a connection and may not have arrived.
#[derive(Default)]
pub(super) struct HandOuts {
    all: Vec<HandOut>,
    /// Bytes that the system took, of all answers.
    pub(super) written: u64,
    /// The client will send no more.
    pub(super) client_closed: bool,
    /// Reading or writing failed.
    pub(super) broken: bool,
}

/// The tasks of one answer. Dropped, they count as handed out: only what is known to have failed is given back.
struct HandOut {
    reservation: Option<Reservation>,
    at: Duration,
    /// What `written` is at least, once the answer is.
    whole_at: u64,
}

impl HandOut {
    /// The reservation gives its tasks back when it is dropped.
    fn give_back(mut self) {
        drop(self.reservation.take());
    }
}

impl Drop for HandOut {
    fn drop(&mut self) {
        if let Some(reservation) = &mut self.reservation {
            reservation.delivered();
        }
    }
}

impl HandOuts {
    pub(super) fn add(&mut self, mut reservation: Reservation, bytes: usize, now: Duration) {
        reservation.tasks = Vec::new();
        let hand_out = HandOut {
            reservation: Some(reservation),
            at: now,
            whole_at: self.written + bytes as u64,
        };
        if self.client_closed || self.broken {
            hand_out.give_back();
        } else {
            self.all.push(hand_out);
        }
    }

    pub(super) fn arrived(&mut self) {
        self.all.clear();
    }

    /// Stops to listen for those that were written long ago.
    pub(super) fn forget_old(&mut self, now: Duration) {
        let written = self.written;
        self.all
            .retain(|h| h.whole_at > written || now.saturating_sub(h.at) < KNOWN_WITHIN);
    }

    /// Settles all if the connection has told enough; whether it has.
    pub(super) fn settle_if_known(&mut self) -> bool {
        let written = self.written;
        let cut = self.all.iter().any(|h| h.whole_at > written);
        if self.broken || cut {
            self.settle(true);
        }
        self.all.is_empty()
    }

    pub(super) fn settle(&mut self, broken: bool) {
        for hand_out in self.all.drain(..) {
            if broken {
                hand_out.give_back();
            }
        }
    }
}

/// Whether the client of a connection that is at its end resets it, rather than closing it or saying nothing for a while.
pub(super) async fn peer_broke(
    socket: &TcpStream,
    clock: &Arc<dyn Clock>,
    closing: &CancellationToken,
) -> bool {
    tokio::select! {
        biased;
        broke = reset(socket) => broke,
        () = closing.cancelled() => false,
        () = clock.sleep(LINGER) => false,
    }
}

/// Returns when the client has reset the connection. That it has closed it is not the end: a client that closes before its
/// answer comes resets the connection after that.
async fn reset(socket: &TcpStream) -> bool {
    let mut rest = [0_u8; 1 << 10];
    let mut open = true;
    loop {
        if !matches!(socket.take_error(), Ok(None)) {
            return true;
        }
        if open {
            match socket.try_read(&mut rest) {
                Ok(0) => open = false,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if socket.readable().await.is_err() {
                        return true;
                    }
                }
                Err(_) => return true,
            }
        } else if socket.ready(Interest::ERROR).await.is_err() {
            return true;
        } else if matches!(socket.take_error(), Ok(None)) {
            // Woken without an error: nothing more is to be heard.
            return false;
        } else {
            return true;
        }
    }
}
