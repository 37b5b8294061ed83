//! A service that takes its time, or does not answer at all: whoever waits for it is told.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::RwLockWriteGuard;
use tokio::time::Instant;

use super::call::CallError;
use super::{Forward, INFO_TIMEOUT, wait_for};
use crate::backoff::Backoff;
use crate::time;

/// A service that answers this long, and never with what it offers, is asked for images all the same.
const ASKED_ANYWAY: Duration = Duration::from_secs(900);

impl Forward {
    /// Waits for a service that does not answer, up to the patience.
    pub(super) async fn until_there(&self) -> Result<(), CallError> {
        let mut waiting = Waiting::default();
        while let Err(error) = self.sign_of_life().await {
            if waiting.is_enough(&error) {
                break;
            }
            waiting.on(self, &error).await?;
        }
        Ok(())
    }

    /// The right to ask alone, once the service is there. Looked at under the lock: it may have died a moment ago
    /// of what another asked for, and what is asked of a dead service says nothing about an image.
    pub(super) async fn quiet_and_there(&self) -> Result<RwLockWriteGuard<'_, ()>, CallError> {
        let mut waiting = Waiting::default();
        loop {
            let quiet = self.quiet.write().await;
            match self.sign_of_life().await {
                Err(error) if !waiting.is_enough(&error) => {
                    drop(quiet);
                    waiting.on(self, &error).await?;
                }
                _ => return Ok(quiet),
            }
        }
    }

    /// Whether it says what it offers, as it did at the start. What a gateway answers for a service that is away, a page or
    /// a status, does not.
    pub(super) async fn sign_of_life(&self) -> Result<(), CallError> {
        self.info(self.config.timeout.min(INFO_TIMEOUT)).await?;
        self.presence.there();
        Ok(())
    }

    /// Waits for an answer, and tells people when none has come for a while.
    pub(super) async fn told_if_late<T>(&self, asked: impl Future<Output = T>) -> T {
        let told_after = self.config.told_after;
        let asked_at = time::now();
        let mut asked = pin!(asked);
        loop {
            tokio::select! {
                answer = &mut asked => return answer,
                () = time::sleep(told_after) => self.presence.is_silent(asked_at, told_after),
            }
        }
    }
}

/// A wait for a service that is away.
#[derive(Default)]
struct Waiting {
    since: Option<Instant>,
    backoff: Option<Backoff>,
}

impl Waiting {
    /// Whether it has been answered with something else for so long that this may be all that it has to say.
    fn is_enough(&self, error: &CallError) -> bool {
        let waited = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        error.is_an_answer() && waited >= ASKED_ANYWAY
    }

    /// Waits before it is looked for again, up to the patience.
    async fn on(&mut self, forward: &Forward, error: &CallError) -> Result<(), CallError> {
        forward.presence.waits(&error.text());
        if self.since.get_or_insert_with(time::now).elapsed() >= forward.config.patience {
            return Err(CallError::Away(error.text()));
        }
        let backoff = self.backoff.get_or_insert_with(|| forward.backoff());
        wait_for(backoff.after_failure(None)).await
    }
}
