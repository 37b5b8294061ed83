//! What a node depends on goes away.

mod projections;
mod stops;
mod store;
