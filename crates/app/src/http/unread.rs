//! What a handler leaves of a request's body. An answer that comes before the body was read, a 401 or a 413, would reach a
//! client that is still sending as a reset connection: it writes first and reads then. So the rest is read and thrown away
//! before the answer is given, within bounds; where they do not suffice, the answer says that the connection ends.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Version, header},
    middleware::Next,
    response::Response,
};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};

use super::AppState;

/// How much is thrown away at the most: what a whole batch of a large model comes to.
const BYTES_MAX: u64 = 256 << 20;
/// How long that may take.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Where a body goes that was dropped before its end.
type Slot = Arc<Mutex<Option<Body>>>;

fn lock(slot: &Slot) -> MutexGuard<'_, Option<Body>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A body that leaves its rest behind when it is dropped.
struct Kept {
    body: Option<Body>,
    slot: Slot,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(rest) = self.body.take() {
            *lock(&self.slot) = Some(rest);
        }
    }
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

/// Around every handler.
pub(super) async fn finish(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let version = request.version();
    // Such a client waits to be told whether it should send the body at all.
    let asks = request.headers().contains_key(header::EXPECT);
    let slot = Slot::default();
    let request = request.map(|body| {
        Body::new(Kept {
            body: Some(body),
            slot: Arc::clone(&slot),
        })
    });
    let mut response = next.run(request).await;
    let rest = lock(&slot).take();
    if let Some(rest) = rest {
        // What came too slowly comes no faster now.
        let slow = response.status() == StatusCode::REQUEST_TIMEOUT;
        let read = !asks && !slow && read_on(&state, rest).await;
        if !read && version <= Version::HTTP_11 {
            close(response.headers_mut());
        }
    }
    response
}

fn close(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

/// Reads the rest of a body and throws it away; whether that brought it to its end.
async fn read_on(state: &AppState, mut body: Body) -> bool {
    if body.size_hint().lower() > BYTES_MAX {
        return false;
    }
    let all = async {
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            if bytes > BYTES_MAX {
                return false;
            }
        }
        true
    };
    tokio::select! {
        biased;
        whole = all => whole,
        () = state.clock.sleep(TIME_MAX) => false,
    }
}
