//! The use cases over the ports: create, dispatch, reserve, settle, land, cancel, retry; and the reconcilers, which
//! land jobs that can't land by themselves. This crate names no backend and reads no clock of its own.

mod chaos;
mod clock;
mod dispatch;
mod engine;
mod explain;
mod handed;
mod health;
mod jobs;
mod journal;
mod leases;
mod life;
mod presence;
mod project;
mod reserve;
mod settle;
mod spec;
mod store_time;
pub mod supervisor;
mod sweep;
mod tried;
mod unheard;

pub use clock::SystemClock;
pub use engine::{Engine, ImageUrl, Policy, Ports};
pub use jobs::JobView;
pub use leases::LeaseRequest;
pub use reserve::{Caller, ClaimRequest, Claimed, Reservation, ReservedTask};
pub use settle::Pending;
pub use spec::RunSpec;
pub use supervisor::Supervisor;
pub use sweep::SweepReport;
