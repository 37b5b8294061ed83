//! What a deployment's servers are asked, and how their answers are judged: for each server its facts, a function that
//! asks for them, and one without I/O that judges them. Nothing here writes.

pub mod nats;
pub mod postgres;
pub mod redis;
pub mod sqlite;

use std::{future::Future, time::Duration};

use trapline_core::{
    Error, Result, Timestamp,
    doctor::{self, Check},
    error::chain,
    timeline::Step,
};

/// How long one server may take for all that it is asked.
const DEADLINE: Duration = Duration::from_secs(5);

/// The last step of the store's clock, if it was lately.
const RECENT_STEP: &str = include_str!("../sql/cluster/recent_step.sql");
/// As it is read.
type RecentStep = (i64, i64, i64);

fn stepped(name: &'static str, (at, by, offset): RecentStep) -> Check {
    let step = Step {
        at: Timestamp(at),
        by,
    };
    doctor::clock_step(name, step, offset)
}

/// The facts, or the check that there are none.
async fn asked<T>(
    name: &'static str,
    asking: impl Future<Output = Result<T>>,
    advice: &str,
) -> std::result::Result<T, Check> {
    let answered = tokio::time::timeout(DEADLINE, asking).await;
    answered
        .unwrap_or_else(|_| {
            let text = format!("it did not answer within {} s", DEADLINE.as_secs());
            Err(Error::unavailable(text))
        })
        .map_err(|error| Check::fail(name, chain(&error), advice))
}

/// `7.2.4` as numbers; what is missing or no number is 0.
pub(crate) fn version(text: &str) -> (u64, u64, u64) {
    let mut parts = text
        .split(['.', '-'])
        .map(|part| part.parse::<u64>().unwrap_or_default());
    let mut next = || parts.next().unwrap_or_default();
    (next(), next(), next())
}
