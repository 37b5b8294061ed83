//! What tests share: a clock that is moved by hand, waiting on conditions, and the conformance cases of the ports.
//! It names no backend: a backend's tests bring their own.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "tests fail by panicking"
)]

mod clock;
pub mod conformance;
pub mod services;
mod wait;

pub use clock::{ManualClock, RealClock};
pub use wait::{until, within};
