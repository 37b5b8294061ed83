//! Waiting on a condition, with a bound and the last thing that was seen.

use std::time::Duration;

use anyhow::{Result, bail};
use trapline_core::Clock as _;
use trapline_engine::SystemClock;

const LOOK: Duration = Duration::from_millis(50);
/// What a busy machine may need for anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until there is something to return; `Err` is what was seen instead.
pub(super) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> Result<T> {
    let clock = SystemClock::new();
    loop {
        let seen = match look().await {
            Ok(found) => return Ok(found),
            Err(seen) => seen,
        };
        if clock.monotonic() > PATIENCE {
            bail!("{what}: not within {PATIENCE:?}; last seen: {seen}");
        }
        clock.sleep(LOOK).await;
    }
}

/// Lets a fault last. Nothing is awaited by it: its length is the scenario.
pub(super) async fn last(fault: Duration) {
    SystemClock::new().sleep(fault).await;
}
