//! The words of Trapline, and every decision that needs no I/O.
//!
//! A *job* runs one *pipeline* over a set of *captures*; each capture in a job is a *task*. Workers *reserve*
//! tasks under a *lease* and post one *outcome* per task, which *settles* it; when all are settled the job
//! *lands*. What is decided here is pure: from a view, a time and a policy to what is to be done. The engine
//! carries it out, the ports say what it needs of the world. This crate knows no runtime, no database, no wire.

pub mod batch_error;
pub mod catalog;
pub mod choose;
pub mod counts;
pub mod doctor;
pub mod error;
pub mod explain;
pub mod failures;
pub mod fault;
pub mod handout;
pub mod headline;
pub mod health;
pub mod ids;
pub mod job;
pub mod pace;
pub mod plan;
pub mod ports;
pub mod receipt;
pub mod remembered;
pub mod result;
pub mod roster;
pub mod summary;
pub mod taken_at;
pub mod task;
pub mod time;
pub mod time_pattern;
pub mod timeline;
pub mod verify;
pub mod words;
pub mod zone;

pub use error::{Error, ErrorKind, Result};
pub use ids::*;
pub use job::{JobStatus, Outcome};
pub use taken_at::TakenAt;
pub use task::{FailReason, TaskState};
pub use time::{Clock, Timestamp};
pub use time_pattern::TimePattern;
pub use zone::Zone;
