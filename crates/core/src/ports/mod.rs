//! What the engine needs of the world: a store for the truth, a queue and a progress as projections of it.
//!
//! The queue suggests tasks that may be free; only the store decides who gets them. Only the store must be durable; the
//! projections may be wiped, restarted or made to repeat themselves at any moment. No operation spans two ports.
//! `Ok(None)` says that a thing is gone, `Err(Unavailable)` that it can't be reached.

mod catalog;
mod health;
mod jobs;
mod progress;
mod queue;
mod recent;
mod reports;
mod store;
mod tasks;
mod workers;

pub use catalog::{Catalog, OffsetPage, Total};
pub use health::*;
pub use jobs::*;
pub use progress::{Hint, HintStream, LiveCounts, Progress};
pub use queue::{Candidate, Offered, Proposal, Queue, QueueInfo};
pub use recent::{JobGroup, JobsFrom, RecentJobs, RecentQuery};
pub use reports::*;
pub use store::Store;
pub use tasks::*;
pub use workers::{Holding, WorkerMinute, WorkerRow};
