//! Ends that mean harm, or are merely gone: real sockets against a real node.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

mod bodies;
mod hand_outs;
mod strangers;
mod support;
mod unread;
