//! The catalog's endpoints and the base of the server, in process on a real store.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

mod access;
mod errors;
mod registration;
mod sets;
mod support;
