//! A body that must keep coming, and be complete in time.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use trapline_core::{Clock, time::BoxFuture};

/// Why a body is no longer waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slow {
    /// For so long nothing came.
    Silent(Duration),
    /// For so long it came, and was not complete.
    Long(Duration),
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(time) => write!(
                f,
                "the body came too slowly: nothing for {} s",
                time.as_secs_f32()
            ),
            Self::Long(time) => write!(
                f,
                "the body came too slowly: it was not complete after {} s",
                time.as_secs_f32()
            ),
        }
    }
}

impl std::error::Error for Slow {}

impl Slow {
    /// What made reading a body fail, if it was this.
    pub(super) fn of(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(slow) = error.downcast_ref::<Self>() {
                return Some(*slow);
            }
            cause = error.source();
        }
        None
    }
}

/// A body with its time-outs.
pub(super) struct Timed {
    body: Body,
    clock: Arc<dyn Clock>,
    idle: Duration,
    /// On the monotonic clock, and how long that was from the start.
    end: Option<(Duration, Duration)>,
    /// Ends when the frame that is waited for is overdue, which is then why.
    alarm: Option<(BoxFuture<'static, ()>, Slow)>,
}

impl Timed {
    pub(super) fn new(body: Body, clock: Arc<dyn Clock>, idle: Duration, whole: Option<Duration>) -> Self {
        let end = whole.map(|whole| (clock.monotonic() + whole, whole));
        Self {
            body,
            clock,
            idle,
            end,
            alarm: None,
        }
    }

    fn new_alarm(&self) -> (BoxFuture<'static, ()>, Slow) {
        let left = self
            .end
            .map(|(end, whole)| (end.saturating_sub(self.clock.monotonic()), whole));
        match left {
            Some((left, whole)) if left < self.idle => (self.clock.sleep(left), Slow::Long(whole)),
            _ => (self.clock.sleep(self.idle), Slow::Silent(self.idle)),
        }
    }
}

impl hyper::body::Body for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.alarm = None;
            return Poll::Ready(frame);
        }
        let mut alarm = self.alarm.take().unwrap_or_else(|| self.new_alarm());
        if alarm.0.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(axum::Error::new(alarm.1))));
        }
        self.alarm = Some(alarm);
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, StreamExt as _, channel::mpsc};
    use trapline_testkit::ManualClock;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timed(
        whole: Option<Duration>,
    ) -> (
        mpsc::UnboundedSender<Result<Bytes, axum::Error>>,
        axum::body::BodyDataStream,
        ManualClock,
    ) {
        let (send, frames) = mpsc::unbounded();
        let clock = ManualClock::new();
        let body = Timed::new(
            Body::from_stream(frames),
            Arc::new(clock.clone()),
            30 * SECOND,
            whole,
        );
        (send, Body::new(body).into_data_stream(), clock)
    }

    #[tokio::test]
    async fn a_body_that_drips_lasts_until_its_end_is_due_and_no_longer() {
        let (send, mut body, clock) = timed(Some(60 * SECOND));
        for _ in 0..2 {
            assert!(body.next().now_or_never().is_none());
            clock.advance(29 * SECOND);
            send.unbounded_send(Ok("drop".into())).unwrap();
            assert_eq!(body.next().await.unwrap().unwrap(), "drop");
        }
        assert!(body.next().now_or_never().is_none());
        clock.advance(2 * SECOND);
        let error = body.next().await.unwrap().unwrap_err();
        assert_eq!(Slow::of(&error), Some(Slow::Long(60 * SECOND)));
    }

    #[tokio::test]
    async fn silence_ends_a_body_that_may_last_for_ever() {
        let (send, mut body, clock) = timed(None);
        for _ in 0..100 {
            assert!(body.next().now_or_never().is_none());
            clock.advance(29 * SECOND);
            send.unbounded_send(Ok("drop".into())).unwrap();
            assert_eq!(body.next().await.unwrap().unwrap(), "drop");
        }
        assert!(body.next().now_or_never().is_none());
        clock.advance(30 * SECOND);
        let error = body.next().await.unwrap().unwrap_err();
        assert_eq!(Slow::of(&error), Some(Slow::Silent(30 * SECOND)));
        assert_eq!(Slow::of(&axum::Error::new(std::io::Error::other("reset"))), None);
    }
}
