//! What tests share: a clock that is moved by hand, waiting on conditions, the conformance cases of the ports, ports in
//! memory, what a simulation is made of (faults and a witness), and the server as a process that can be killed. It
//! names no backend: a backend's tests bring their own.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "tests fail by panicking"
)]

mod client;
mod clock;
pub mod conformance;
pub mod faults;
mod jobs;
pub mod memory;
mod server;
pub mod services;
mod silent;
mod wait;
pub mod witness;

pub use client::{Answer, Client};
pub use clock::{ManualClock, RealClock};
pub use jobs::BARE;
pub use server::{SERVER_TOKEN, Server};
pub use silent::leave_silent;
pub use trapline_drill::empty_result;
pub use wait::{until, within};
