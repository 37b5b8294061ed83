//! The verbs of the engine on a real SQLite store, with the projections in process and a clock moved by hand.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod fixture;
mod jobs;
mod reserving;
mod signs;
mod steady;
mod suspects;
mod waiting;
