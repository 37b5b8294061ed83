//! Tools for trying the real server: `trapline chaos`, the soak, the benchmarks and the tests use the same ones.
//!
//! Every failure is an error for the caller to judge; `testkit` turns it into a panic.

mod relay;
mod server;
mod wait;

pub use relay::{Relay, Turn};
pub use server::{Server, free_port};
pub use wait::{PATIENCE, pass, until};
