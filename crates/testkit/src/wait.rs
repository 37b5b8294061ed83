//! Waiting on a condition, with a bound and a word on the last state seen.

use std::time::Duration;

/// Between two tries.
const PACE: Duration = Duration::from_millis(20);

/// Asks again and again until `check` yields a value; panics with its last word after `bound`.
///
/// # Panics
/// If the condition does not come true in time.
#[allow(
    clippy::disallowed_methods,
    reason = "waits for real processes and sockets, which no clock of ours moves"
)]
pub async fn until<T>(what: &str, bound: Duration, mut check: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = tokio::time::Instant::now() + bound;
    loop {
        match check().await {
            Ok(value) => return value,
            Err(last) if tokio::time::Instant::now() >= deadline => {
                panic!("{what}: not within {bound:?}; last: {last}")
            }
            Err(_) => tokio::time::sleep(PACE).await, // the pace of looking: the condition decides, and `bound` ends it
        }
    }
}

/// Waits for a future, with a bound.
///
/// # Panics
/// If it is not done in time.
pub async fn within<T>(bound: Duration, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(bound, work).await.expect("done in time")
}
