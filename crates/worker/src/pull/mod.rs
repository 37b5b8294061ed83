//! The pull client: claim, work, post, keep the leases, and stop without losing anything.
//!
//! Five loops share one [`ledger::Ledger`]. The invariant that they keep between them: every task that was
//! claimed leaves the ledger exactly once, by an answer of the server to its result, by being given back,
//! or by the server's word that its lease is lost. What is still in it when a worker must stop at once is
//! counted in the summary, and the server hands it out again when the leases end.

mod claim;
pub(crate) mod config;
mod keep;
pub(crate) mod ledger;
mod post;
mod register;
pub(crate) mod slot;
pub(crate) mod stop;
mod work;
mod worker;

pub use config::{WorkerConfig, hostname, this_process};
pub use ledger::Counts;
pub use stop::Stop;
pub use worker::{Summary, Worker, WorkerError, run};
