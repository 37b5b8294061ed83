//! The memory that bodies in flight may take, or photographs, all together and of one token.
//!
//! A caller takes what its body may need once, before it reads: first of its token's share, then of the whole, in the order
//! of arrival. So nobody who holds memory waits for more, and there is no deadlock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use trapline_core::{Clock, TokenId};

use super::{ApiError, error::ApiResult};

/// What part of the whole a token may hold.
const SHARES: usize = 4;
/// Permits are of this many bytes.
const UNIT: usize = 1 << 10;
/// Seconds after which a refused caller may ask again.
const RETRY_AFTER: u64 = 5;

/// A budget; cheap to clone.
#[derive(Clone)]
pub struct Budget(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    wait: Duration,
    units: u32,
    share: u32,
    all: Arc<Semaphore>,
    /// Of tokens that hold or wait.
    tokens: Mutex<HashMap<TokenId, Arc<Semaphore>>>,
}

/// What one request holds; given back when it is dropped.
pub struct Hold {
    budget: Budget,
    token: TokenId,
    share: Option<Arc<Semaphore>>,
    permits: Mutex<Permits>,
}

#[derive(Default)]
struct Permits {
    _share: Option<OwnedSemaphorePermit>,
    all: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// A budget of so many bytes, for which a caller waits so long.
    #[must_use]
    pub fn new(bytes: usize, wait: Duration, clock: Arc<dyn Clock>) -> Self {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        Self(Arc::new(Inner {
            clock,
            wait,
            units,
            share: (units / SHARES as u32).max(1),
            all: Arc::new(Semaphore::new(units as usize)),
            tokens: Mutex::default(),
        }))
    }

    /// Bytes that are held now.
    #[must_use]
    pub fn used(&self) -> usize {
        (self.0.units as usize - self.0.all.available_permits()) * UNIT
    }

    /// Tokens that hold bytes, or wait for them.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens_now().len()
    }

    fn tokens_now(&self) -> MutexGuard<'_, HashMap<TokenId, Arc<Semaphore>>> {
        self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes so many bytes, at the most the share of a token.
    ///
    /// # Errors
    /// 503 if they are not to be had in time.
    pub async fn acquire(&self, token: TokenId, bytes: usize) -> ApiResult<Hold> {
        let mut hold = Hold {
            budget: self.clone(),
            token,
            share: None,
            permits: Mutex::default(),
        };
        if bytes == 0 {
            return Ok(hold);
        }
        let units = u32::try_from(bytes.div_ceil(UNIT))
            .unwrap_or(u32::MAX)
            .min(self.0.share);
        let share = Arc::clone(
            self.tokens_now()
                .entry(token)
                .or_insert_with(|| Arc::new(Semaphore::new(self.0.share as usize))),
        );
        hold.share = Some(Arc::clone(&share));
        let taking = async {
            let own = share.acquire_many_owned(units).await;
            let all = Arc::clone(&self.0.all).acquire_many_owned(units).await;
            // They are never closed, so both are there.
            Permits {
                _share: own.ok(),
                all: all.ok(),
            }
        };
        tokio::select! {
            biased;
            permits = taking => *hold.permits() = permits,
            () = self.0.clock.sleep(self.0.wait) => return Err(busy()),
        }
        Ok(hold)
    }
}

impl Hold {
    fn permits(&self) -> MutexGuard<'_, Permits> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that so many bytes are held, now that the body is there and tells what it is. It waits for nothing, and
    /// may go beyond the token's share: that it has been read is the greater part.
    ///
    /// # Errors
    /// 413 if it is more than there can ever be, 503 if it is more than there is now.
    pub fn grow_to(&self, bytes: usize) -> ApiResult<()> {
        let mut permits = self.permits();
        let held = permits.all.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let units = bytes.div_ceil(UNIT);
        let all = &self.budget.0;
        if units > all.units as usize {
            let detail = format!(
                "The body holds too many values: they would take about {bytes} bytes, of {} that all bodies may.",
                all.units as usize * UNIT
            );
            return Err(ApiError::detail(
                axum::http::StatusCode::PAYLOAD_TOO_LARGE,
                detail,
            ));
        }
        let more = u32::try_from(units.saturating_sub(held)).unwrap_or(u32::MAX);
        if more > 0 {
            let Ok(permit) = Arc::clone(&all.all).try_acquire_many_owned(more) else {
                return Err(busy());
            };
            match &mut permits.all {
                Some(all) => all.merge(permit),
                none => *none = Some(permit),
            }
        }
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        *self.permits() = Permits::default();
        let Some(share) = self.share.take() else { return };
        let mut tokens = self.budget.tokens_now();
        // Only the map and this one know it: nobody holds or waits.
        if Arc::strong_count(&share) == 2 {
            tokens.remove(&self.token);
        }
    }
}

fn busy() -> ApiError {
    ApiError::unavailable("The server holds as much as its memory allows; try again later.")
        .retry_after(RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use trapline_testkit::ManualClock;

    use super::*;

    const WAIT: Duration = Duration::from_secs(20);

    fn budget(bytes: usize) -> (Budget, ManualClock) {
        let clock = ManualClock::new();
        (Budget::new(bytes, WAIT, Arc::new(clock.clone())), clock)
    }

    #[tokio::test]
    async fn a_token_holds_at_most_its_share_and_others_still_get_theirs() {
        let (budget, clock) = budget(400 << 10);
        let first = budget.acquire(TokenId(1), 1 << 30).await.unwrap();
        assert_eq!(budget.used(), 100 << 10);
        let mut second = Box::pin(budget.acquire(TokenId(1), 1 << 10));
        assert!(second.as_mut().now_or_never().is_none());
        let other = budget.acquire(TokenId(2), 50 << 10).await.unwrap();
        assert_eq!((budget.used(), budget.tokens()), (150 << 10, 2));
        drop(first);
        let second = second.await.unwrap();
        assert_eq!(budget.used(), 51 << 10);
        drop((second, other));
        assert_eq!((budget.used(), budget.tokens()), (0, 0));
        clock.advance(WAIT);
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_when_to_come_again_and_leaves_nothing_behind() {
        let (budget, clock) = budget(4 << 10);
        let mut holds = Vec::new();
        for token in 1..=4 {
            holds.push(budget.acquire(TokenId(token), 1 << 10).await.unwrap());
        }
        let mut waiting = Box::pin(budget.acquire(TokenId(9), 1));
        assert!(waiting.as_mut().now_or_never().is_none());
        clock.advance(WAIT);
        let refused = waiting.await.err().unwrap();
        assert_eq!(refused.status(), axum::http::StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!((budget.used(), budget.tokens()), (4 << 10, 4));
        assert!(
            budget
                .acquire(TokenId(9), 0)
                .await
                .unwrap()
                .permits()
                .all
                .is_none()
        );
    }

    #[tokio::test]
    async fn who_turns_out_to_need_more_gets_it_at_once_or_not_at_all() {
        let (budget, _clock) = budget(40 << 10);
        let hold = budget.acquire(TokenId(1), 10 << 10).await.unwrap();
        hold.grow_to(30 << 10).unwrap();
        hold.grow_to(20 << 10).unwrap();
        assert_eq!(budget.used(), 30 << 10);
        let other = budget.acquire(TokenId(2), 10 << 10).await.unwrap();
        let status = |bytes| other.grow_to(bytes).unwrap_err().status().as_u16();
        assert_eq!((status(11 << 10), status(41 << 10)), (503, 413));
        drop((hold, other));
        assert_eq!((budget.used(), budget.tokens()), (0, 0));
    }
}
