//! Tools for trying the real server: `trapline chaos`, the soak, the benchmarks and the tests use the same ones.
//!
//! Every failure is an error for the caller to judge; `testkit` turns it into a panic.

pub mod check;
#[cfg(feature = "fleet")]
mod fleet;
mod relay;
mod server;
mod wait;
mod work;

#[cfg(feature = "fleet")]
pub use fleet::Fleet;
pub use relay::{Relay, Turn};
pub use server::{Server, free_port};
pub use wait::{PATIENCE, pass, until};
pub use work::{DETECTIONS, SLUG, detections, empty_result, failure, pipeline, success};
