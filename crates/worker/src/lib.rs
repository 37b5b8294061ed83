//! The pull client of Trapline, as a library, and the pipelines that it can run.
//!
//! A worker claims tasks from a server under leases, processes them, and posts one result for each. It knows
//! only the wire: of the project's crates it depends on `wire` alone. Its invariant: a result, once computed, is
//! posted until the server has answered for it, and a task that won't be computed is given back.
//!
//! - [`run`], or [`Worker`] to watch its counts: the pull client.
//! - [`Pipeline`]: what a worker runs. [`pipelines::light_sheet`] is built in, [`forward::Forward`] asks a
//!   processing service.
//! - [`light_sheet`] finds insects without a model; [`samples`] draws pictures to try it on.
//! - [`client::Api`]: the calls themselves.

mod backoff;
pub mod client;
pub mod decode;
pub mod fetch;
pub mod forward;
mod http;
pub mod light_sheet;
mod payload;
pub mod photograph;
pub mod pipeline;
pub mod pipelines;
mod pull;
pub mod samples;
mod time;

pub use pipeline::{Outcome, Picture, Pipeline};
pub use pull::{Counts, Stop, Summary, Worker, WorkerConfig, WorkerError, hostname, run, this_process};
pub use trapline_wire as wire;
