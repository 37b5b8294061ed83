//! Hints within this process: every listener hears each, and one that is too far behind is told to read everything.

use futures::StreamExt as _;
use tokio::sync::broadcast;
use trapline_core::ports::{Hint, HintStream};

/// Hints that a slow listener may be behind before it is told to read everything again.
pub(crate) const HINTS_MAX: usize = 1024;

pub(crate) fn listen(hints: broadcast::Receiver<Hint>) -> HintStream {
    futures::stream::unfold(hints, |mut rx| async move {
        match rx.recv().await {
            Ok(hint) => Some((hint, rx)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some((Hint::Everything, rx)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    })
    .boxed()
}
