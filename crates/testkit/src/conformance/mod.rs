//! The conformance cases of the ports: one table per port, run against every implementation. A case and its name in
//! the table are written once, so that the two can't drift apart.

pub mod apart;
pub mod budget;
pub mod captures;
pub mod catalog;
pub mod creates;
pub mod deaths;
pub mod definitions;
pub mod drafts;
pub mod failures;
pub mod found;
pub mod frozen;
pub mod grants;
pub mod health;
pub mod last_tries;
pub mod pages;
pub mod projections;
pub mod recent;
pub mod results;
pub mod sessions;
pub mod store;
pub mod summaries;
pub mod suspects;
pub mod timeline;
pub mod workers;
mod world;

use std::{future::Future, pin::Pin};

pub use world::{Grant, World};

/// A case: its name, and what it does with a fresh fixture.
pub type Case<F> = (&'static str, fn(F) -> Pin<Box<dyn Future<Output = ()> + Send>>);

/// Writes cases as functions and their table.
macro_rules! cases {
    ($fixture:ty; $(async fn $name:ident($arg:ident: $ty:ty) $body:block)+) => {
        /// Every case of this port.
        pub const CASES: &[crate::conformance::Case<$fixture>] = &[$((stringify!($name), |$arg| Box::pin($name($arg)))),+];
        $(async fn $name($arg: $ty) $body)+
    };
}
pub(crate) use cases;
