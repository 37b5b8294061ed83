//! What goes over the wire: requests to a node's router, as its server would hand them over, and answers as their clients
//! hear them, or don't.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::ConnectInfo,
    http::{Method, Request},
};
use futures::stream;
use serde::Deserialize;
use tower::ServiceExt as _;
use trapline_testkit::faults::Dice;

use crate::world::{Node, World};

const TASK_ID: &str = r#""task_id":""#;

/// Who sends.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// `Token …`.
    pub(crate) authorization: String,
    /// From where.
    pub(crate) address: SocketAddr,
    /// Whether its token is one of the server's.
    known: bool,
}

impl Caller {
    pub(crate) fn new(secret: &str, host: u8) -> Self {
        Self {
            authorization: format!("Token {secret}"),
            address: SocketAddr::from(([10, 0, 0, host], 40_000)),
            known: true,
        }
    }

    /// Somebody with a token that was never made.
    pub(crate) fn stranger() -> Self {
        Self {
            known: false,
            ..Self::new("a-token-that-nobody-made", 251)
        }
    }
}

/// An answer that was read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body, if it is of this shape.
    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body for people: without the task ids, which are others each time.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let mut parts = text.split(TASK_ID);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |said, part| {
            said + TASK_ID + part.trim_start_matches(|c| c != '"')
        })
    }
}

/// How long a client waits, and whether it reads what it is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Until it is answered.
    Waits,
    /// It is gone after so long, in the middle of whatever is done for it.
    GoneAfter(Duration),
    /// It is gone when the head of the answer has come.
    NeverReads,
}

impl Node {
    /// A request to this node; its connection breaks when the node crashes.
    async fn exchange(&self, request: Request<Body>, patience: Patience) -> Option<Answer> {
        let answering = async {
            let response = self.router.clone().oneshot(request).await.ok()?;
            // A node that is paused has not written its answer yet.
            self.gate.pass().await;
            if matches!(patience, Patience::NeverReads) {
                return None;
            }
            let status = response.status().as_u16();
            let body = to_bytes(response.into_body(), usize::MAX).await.ok()?;
            Some(Answer { status, body })
        };
        tokio::select! {
            biased;
            () = self.gate.crashed() => None,
            answer = answering => answer,
        }
    }
}

impl World {
    /// Sends a request to any node and hears its answer; `None` if there was none.
    pub(crate) async fn send(
        &self,
        dice: &mut Dice,
        caller: &Caller,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> Option<Answer> {
        self.send_with(dice, caller, method, path, body, Patience::Waits)
            .await
    }

    /// The same, by a client that may not wait for the answer.
    pub(crate) async fn send_with(
        &self,
        dice: &mut Dice,
        caller: &Caller,
        method: Method,
        path: &str,
        body: impl Into<Body>,
        patience: Patience,
    ) -> Option<Answer> {
        let node = self.any(dice)?;
        let request = Request::builder()
            .method(&method)
            .uri(path)
            .header("host", "trapline.test")
            .header("authorization", &caller.authorization)
            .header("content-type", "application/json")
            .header("x-request-id", "sim")
            .extension(ConnectInfo(caller.address))
            .body(body.into())
            .expect("a path is written here, and has no odd characters");
        let exchange = node.exchange(request, patience);
        let answer = match patience {
            Patience::GoneAfter(d) => tokio::select! {
                biased;
                answer = exchange => answer,
                () = self.sleep(d) => None,
            },
            _ => exchange.await,
        }?;
        self.trace.line(|| {
            let said = if answer.is_ok() {
                String::new()
            } else {
                answer.text()
            };
            format!("{method} {path}: {} {said}", answer.status)
        });
        let expected = match caller.known {
            true => matches!(answer.status, 200..300 | 400 | 404 | 503),
            false => matches!(answer.status, 401 | 429 | 503),
        };
        if !expected {
            let what = format!("{method} {path} is answered {}: {}", answer.status, answer.text());
            self.witness.report(what);
        }
        Some(answer)
    }

    /// A body that comes in one piece, or in several, or breaks off.
    pub(crate) fn body(&self, dice: &mut Dice, text: String) -> Body {
        let odd = !self.storm.is_calm() && !self.plan.only_the_system_fails;
        if !odd || text.len() < 2 || dice.chance(850) {
            return text.into();
        }
        let at = dice.between(1, text.len() as u64 - 1) as usize;
        let mut bytes = Bytes::from(text);
        let rest = bytes.split_off(at);
        let rest = match dice.chance(700) {
            true => Ok(rest),
            false => Err(std::io::Error::other("the client is gone")),
        };
        let (clock, wait) = (self.clock.clone(), dice.millis(1, 3_000));
        let later = async move {
            trapline_core::Clock::sleep(&clock, wait).await;
            rest
        };
        let pieces = stream::once(async move { Ok(bytes) });
        Body::from_stream(futures::StreamExt::chain(pieces, stream::once(later)))
    }
}
