//! Waiting in tests: a bound that is passed is a panic.

use std::time::Duration;

/// Asks again and again until `check` yields a value; panics with its last word after `bound`.
///
/// # Panics
/// If the condition does not come true in time.
pub async fn until<T>(what: &str, bound: Duration, check: impl AsyncFnMut() -> Result<T, String>) -> T {
    let found = trapline_drill::until(what, bound, check).await;
    found.unwrap_or_else(|e| panic!("{e:#}"))
}

/// Waits for a future, with a bound.
///
/// # Panics
/// If it is not done in time.
pub async fn within<T>(bound: Duration, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(bound, work).await.expect("done in time")
}
