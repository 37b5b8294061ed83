//! Two nodes on real servers that go away in every way, and nodes that go away themselves. What a client must see of it: who is
//! asked for what can't be done says so soon, nothing hangs, all returns by itself, and every job lands on exact counts.

#![allow(clippy::print_stdout, reason = "what was measured is worth seeing")]
#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

mod cluster;
mod dependencies;
mod endpoints;
mod fleet;
mod nodes;
