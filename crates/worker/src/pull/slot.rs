//! A call's place among those that work at once.
//!
//! An image that waits for a slow host works on nothing. It gives up its place meanwhile, so that images of
//! other hosts are processed, and comes back when the wait is over. How many wait like this is bounded.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

tokio::task_local! {
    static SLOT: Slot;
}

/// More calls than this don't wait beside those that work: they hold their places.
const WAITING_MAX: usize = 128;

/// The places of one worker.
#[derive(Clone)]
pub(super) struct Places {
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

struct Slot {
    places: Places,
    size: u32,
    held: Mutex<Option<OwnedSemaphorePermit>>,
    drain: CancellationToken,
}

/// The worker is told to stop.
#[derive(Debug)]
pub(crate) struct Stopping;

impl Places {
    pub(super) fn new(concurrency: usize) -> Self {
        Self {
            working: Arc::new(Semaphore::new(concurrency)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }

    /// Waits for room. None only if the semaphore was closed, which it isn't.
    pub(super) async fn take(&self, size: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.working).acquire_many_owned(size).await.ok()
    }

    /// Runs a call in its place.
    pub(super) async fn hold<T>(
        self,
        permit: OwnedSemaphorePermit,
        drain: CancellationToken,
        call: impl Future<Output = T>,
    ) -> T {
        let slot = Slot {
            size: u32::try_from(permit.num_permits()).unwrap_or(u32::MAX),
            places: self,
            held: Mutex::new(Some(permit)),
            drain,
        };
        SLOT.scope(slot, call).await
    }
}

/// Waits without holding the place. Outside of a worker it only waits.
pub(crate) async fn while_waiting<T>(wait: impl Future<Output = T>) -> Result<T, Stopping> {
    let Ok((places, size, drain)) =
        SLOT.try_with(|slot| (slot.places.clone(), slot.size, slot.drain.clone()))
    else {
        return Ok(wait.await);
    };
    let Ok(_waiting) = places.waiting.try_acquire() else {
        return drain.run_until_cancelled(wait).await.ok_or(Stopping);
    };
    drop(swap(None));
    let waited = drain.run_until_cancelled(wait).await.ok_or(Stopping)?;
    let back = drain
        .run_until_cancelled(places.take(size))
        .await
        .ok_or(Stopping)?;
    drop(swap(back));
    Ok(waited)
}

/// Waits in the place, until the worker is told to stop.
pub(crate) async fn unless_stopping<T>(wait: impl Future<Output = T>) -> Result<T, Stopping> {
    match SLOT.try_with(|slot| slot.drain.clone()) {
        Ok(drain) => drain.run_until_cancelled(wait).await.ok_or(Stopping),
        Err(_) => Ok(wait.await),
    }
}

fn swap(permit: Option<OwnedSemaphorePermit>) -> Option<OwnedSemaphorePermit> {
    SLOT.with(|slot| {
        let mut held = slot.held.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *held, permit)
    })
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_call_that_waits_lets_another_work_and_then_takes_its_place_again() {
        let places = Places::new(1);
        let (permit, drain) = (places.take(1).await.unwrap(), CancellationToken::new());
        let (end, wait) = oneshot::channel::<()>();
        let waiting = places.clone().hold(permit, drain, async {
            while_waiting(wait).await.unwrap().unwrap();
        });
        let other = async {
            drop(places.take(1).await);
            end.send(()).unwrap();
        };
        tokio::join!(waiting, other);
        assert_eq!(places.working.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_call_that_waits_ends_when_the_worker_stops() {
        let places = Places::new(1);
        let (permit, drain) = (places.take(1).await.unwrap(), CancellationToken::new());
        let waiting = places.clone().hold(permit, drain.clone(), async {
            while_waiting(std::future::pending::<()>()).await.is_err()
        });
        drain.cancel();
        assert!(waiting.await);
        assert_eq!(places.working.available_permits(), 1);
    }

    #[tokio::test]
    async fn calls_beyond_the_bound_hold_their_places() {
        let places = Places::new(1);
        let all = Arc::clone(&places.waiting)
            .acquire_many_owned(WAITING_MAX as u32)
            .await;
        let permit = places.take(1).await.unwrap();
        let seen = places.clone().hold(permit, CancellationToken::new(), async {
            while_waiting(async { places.working.available_permits() }).await
        });
        assert_eq!(seen.await.unwrap(), 0);
        drop(all);
    }
}
