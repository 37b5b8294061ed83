//! What tests share: a clock that is moved by hand, waiting on conditions, the conformance cases of the ports, ports in
//! memory, and what a simulation is made of: faults and a witness. It names no backend: a backend's tests bring their
//! own.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "tests fail by panicking"
)]

mod clock;
pub mod conformance;
pub mod faults;
pub mod memory;
mod wait;
pub mod witness;

pub use clock::ManualClock;
pub use wait::until;
