//! The backends behind the ports. The store is on SQLite or PostgreSQL; a projection is in process, on JetStream or Redis.

mod breaker;
mod cold;
pub mod doctor;
mod embedded;
mod hints;
pub mod jetstream;
mod migrations;
pub mod postgres;
pub mod redis;
mod registering;
mod rows;
mod sql;
pub mod sqlite;
mod thumbs;
mod turns;

pub use embedded::{EmbeddedProgress, EmbeddedQueue};
pub use jetstream::{JetStreamOptions, JetStreamQueue};
pub use postgres::PostgresStore;
pub use redis::RedisProgress;
pub use sqlite::SqliteStore;
pub use thumbs::{Known, SIZE_BYTES, Thumbnail, Thumbnails, Turn};
