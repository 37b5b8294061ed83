//! A service that takes its time, or does not answer at all: whoever waits for it is told.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::RwLockWriteGuard;

use super::call::CallError;
use super::{Forward, wait_for};
use crate::time;

/// How long a service may take to show that it is there.
const SIGN_TIMEOUT: Duration = Duration::from_secs(10);

impl Forward {
    /// Waits for a service that does not answer, up to the patience.
    pub(super) async fn until_there(&self) -> Result<(), CallError> {
        let since = time::now();
        let mut backoff = self.backoff();
        while let Err(error) = self.sign_of_life().await {
            self.presence.waits(&error.text());
            if since.elapsed() >= self.config.patience {
                return Err(CallError::Away(error.text()));
            }
            wait_for(backoff.after_failure(None)).await?;
        }
        Ok(())
    }

    /// The right to ask alone, once the service is there. Looked at under the lock: it may have died a moment ago
    /// of what another asked for, and what is asked of a dead service says nothing about an image.
    pub(super) async fn quiet_and_there(&self) -> Result<RwLockWriteGuard<'_, ()>, CallError> {
        loop {
            self.until_there().await?;
            let quiet = self.quiet.write().await;
            if self.sign_of_life().await.is_ok() {
                return Ok(quiet);
            }
        }
    }

    async fn sign_of_life(&self) -> Result<(), CallError> {
        match self.info(self.config.timeout.min(SIGN_TIMEOUT)).await {
            // Whatever it says, it is there.
            Ok(_) | Err(CallError::Refused(_) | CallError::Trouble(_) | CallError::Busy(..)) => {
                self.presence.there();
                Ok(())
            }
            Err(error) => Err(error),
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
