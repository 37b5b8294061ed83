//! The real binary against a scripted server that answers as docs/wire.md says.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

mod addresses;
mod captures;
mod config;
mod exits;
mod explain;
mod follow;
mod killed;
mod lists;
mod locks;
mod manifests;
mod readers;
mod signals;
mod support;
mod terminals;
mod told;
