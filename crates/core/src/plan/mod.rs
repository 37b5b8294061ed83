//! What a store writes, decided before anything is written: each plan is a pure function of rows that the store has read
//! and locked. Every store executes the same plans.

pub mod leases;
pub mod lost;
pub mod settle;
pub mod sweep;

use crate::{CaptureId, JobId};

/// The key of a task: its job and its capture.
pub type TaskKey = (JobId, CaptureId);
