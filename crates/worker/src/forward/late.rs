//! A service that takes its time, or does not answer at all: whoever waits for it is told.

use std::pin::pin;

use tokio::sync::RwLockWriteGuard;
use tokio::time::Instant;

use super::call::CallError;
use super::presence::AboutItself;
use super::{Forward, INFO_TIMEOUT, wait_for};
use crate::backoff::Backoff;
use crate::time;

impl Forward {
    /// Waits for a service that does not answer, up to the patience.
    pub(super) async fn until_there(&self) -> Result<(), CallError> {
        let mut waiting = Waiting::default();
        while let Err(error) = self.sign_of_life().await {
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
            let Err(error) = self.sign_of_life().await else {
                return Ok(quiet);
            };
            drop(quiet);
            waiting.on(self, &error).await?;
        }
    }

    /// Whether it says what it offers, as it did at the start. What a gateway answers for a service that is away, a page or
    /// a status, does not.
    pub(super) async fn sign_of_life(&self) -> Result<(), CallError> {
        let before = self.presence.about_itself();
        match self.info(self.config.timeout.min(INFO_TIMEOUT)).await {
            Ok(_) => self.presence.note_about_itself(AboutItself::Said),
            Err(error) if error.is_an_answer() && before == AboutItself::SilentAtWork => {}
            Err(error) => {
                if before == AboutItself::Said {
                    self.presence.note_about_itself(AboutItself::Silent);
                }
                return Err(error);
            }
        }
        self.presence.there();
        Ok(())
    }

    /// It has processed something. If it still does not say what it offers, that it doesn't is no sign of its end.
    pub(super) async fn has_worked(&self) {
        self.presence.there();
        if self.presence.about_itself() != AboutItself::Said && self.sign_of_life().await.is_err() {
            self.presence.note_about_itself(AboutItself::SilentAtWork);
        }
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
