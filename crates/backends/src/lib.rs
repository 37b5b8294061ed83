//! The backends behind the ports: SQLite for the store, in-process parts for the projections.

mod embedded;
pub mod sqlite;

pub use embedded::{EmbeddedProgress, EmbeddedQueue};
pub use sqlite::SqliteStore;
