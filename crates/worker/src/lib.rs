//! Draft.
mod backoff;
pub mod client;
mod http;
mod time;
pub mod wire;
