//! Waiting on a condition, with a bound and a word on the last state seen.

use std::time::Duration;

use anyhow::{Result, bail};

/// Between two looks.
const PACE: Duration = Duration::from_millis(20);
/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again until there is something to return; `look` returns what it saw instead as its error.
///
/// # Errors
/// What was seen last, if the condition has not come true within `bound`.
#[allow(
    clippy::disallowed_methods,
    reason = "waits for real processes and sockets, which no clock of ours moves"
)]
pub async fn until<T>(
    what: &str,
    bound: Duration,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> Result<T> {
    let deadline = tokio::time::Instant::now() + bound;
    loop {
        match look().await {
            Ok(found) => return Ok(found),
            Err(last) if tokio::time::Instant::now() >= deadline => {
                bail!("{what}: not within {bound:?}; last: {last}")
            }
            Err(_) => tokio::time::sleep(PACE).await, // the pace of looking: the condition decides, and `bound` ends it
        }
    }
}

/// Lets time pass: a fault lasts so long, or comes so much later.
#[allow(clippy::disallowed_methods, reason = "a span of real time is meant")]
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await; // nothing is awaited by it: its length is the fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_that_ends_in_vain_tells_what_was_seen_last() {
        let mut looks = 0;
        let waited = until("it comes", Duration::ZERO, async || {
            looks += 1;
            Err::<(), _>(format!("look {looks}"))
        });
        let said = waited.await.unwrap_err().to_string();
        assert_eq!(said, "it comes: not within 0ns; last: look 1");
    }
}
