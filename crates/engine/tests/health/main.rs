//! The tick, `explain` and their records, by an engine on a real store.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

mod explain;
mod findings;
mod idle;
mod lease;
mod meddler;
mod outages;
mod queues;
mod said;
mod silence;
mod support;
mod ticks;
