//! The use cases over the ports: create, dispatch, reserve, settle, land, cancel, retry; and the reconcilers, which
//! land jobs that can't land by themselves. This crate names no backend and reads no clock of its own.

mod chaos;
mod claim;
mod clock;
mod dispatch;
mod engine;
mod explain;
mod failures;
mod health;
mod job_cache;
mod jobs;
mod journal;
mod leases;
mod liveness;
mod lost_replies;
mod minutes;
mod node_health;
mod preflight;
mod presence;
mod project;
mod reserve;
mod services;
mod settle;
mod store_time;
mod summaries;
pub mod supervisor;
mod sweep;
mod thumbnails;
mod tried;
mod turns;
mod workers;

pub use claim::{ClaimRequest, Claimed};
pub use clock::SystemClock;
pub use engine::{Engine, ImageUrl, Policy, Ports};
pub use failures::{FAILURES_MAX, Failures};
pub use job_cache::RunSpec;
pub use jobs::JobView;
pub use leases::LeaseRequest;
pub use node_health::{Answer, NodeHealth};
pub use preflight::{Crew, Images, LOOKED_AT_MAX, Plan, Preflight};
pub use reserve::{Caller, Reservation, ReservedTask};
pub use settle::Pending;
pub use supervisor::Supervisor;
pub use sweep::SweepReport;
pub use workers::{Roster, WORKERS_MAX};
