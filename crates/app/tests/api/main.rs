//! The HTTP API, in process on a real store and a clock that is moved by hand.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

mod accepted;
mod access;
mod bad_input;
mod chaos;
mod clock;
mod errors;
mod fleet;
mod found;
mod frozen;
mod fuzz;
mod health;
mod job_changes;
mod job_list;
mod jobs;
mod leases;
mod lifecycle;
mod lists;
mod matrix;
mod online;
mod pages;
mod preflight;
mod registration;
mod repeats;
mod reruns;
mod results;
mod services;
mod sets;
mod support;
mod ui;
mod worker;
mod workers;
