//! Rows as both SQL stores read them: the columns have the same names and kinds in both, so each is decoded once.
//!
//! A stored word that is not in its table is a bug of ours, and so an error, never a default.

mod catalog;
mod job;
mod lease;
mod results;
mod task;
mod worker;

use sqlx::Row as _;
use trapline_core::Timestamp;

pub(crate) use catalog::{
    algorithm, algorithm_with_map, bare_pipeline, capture, collection, draft, grouped, project, service,
    session, taken_at, token,
};
pub(crate) use job::{JobSource, audit, job, job_head, run_algorithms, vitals, waiting};
pub(crate) use lease::{cluster, due_grant, gap, recent_answers, signs_of, stored};
pub(crate) use results::{
    PlacedClass, classifications, classify, detection, detection_keys, job_minute, log_row, own_labels,
    strays,
};
pub(crate) use task::{
    attempt, failure_groups, free_task, hand_outs, held_task, idle_task, image, lease_row, oldest_lease,
    receipt, result, task_audit, task_view, turn, worker_now,
};
pub(crate) use worker::{holding, worker, worker_minute};

use crate::sql::Column;

/// JSON that the store wrote itself; that it can't be read is a bug of ours.
pub(crate) fn unreadable(what: &str, e: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Decode(format!("the stored `{what}` can't be read: {e}").into())
}

/// A row of either database.
pub(crate) trait Columns {
    /// A column by name.
    fn col<T: Column>(&self, name: &str) -> sqlx::Result<T>;

    /// A column by its place.
    fn at<T: Column>(&self, place: usize) -> sqlx::Result<T>;

    /// A number that is never negative.
    fn unsigned(&self, name: &str) -> sqlx::Result<u64> {
        self.col::<i64>(name).map(|v| u64::try_from(v).unwrap_or(0))
    }

    /// A time.
    fn time(&self, name: &str) -> sqlx::Result<Timestamp> {
        self.col(name).map(Timestamp)
    }

    /// A time that may be missing.
    fn maybe_time(&self, name: &str) -> sqlx::Result<Option<Timestamp>> {
        Ok(self.col::<Option<i64>>(name)?.map(Timestamp))
    }

    /// JSON that the store wrote itself.
    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> sqlx::Result<T> {
        serde_json::from_str(&self.col::<String>(name)?).map_err(|e| unreadable(name, e))
    }
}

impl Columns for sqlx::sqlite::SqliteRow {
    fn col<T: Column>(&self, name: &str) -> sqlx::Result<T> {
        self.try_get(name)
    }

    fn at<T: Column>(&self, place: usize) -> sqlx::Result<T> {
        self.try_get(place)
    }
}

impl Columns for sqlx::postgres::PgRow {
    fn col<T: Column>(&self, name: &str) -> sqlx::Result<T> {
        self.try_get(name)
    }

    fn at<T: Column>(&self, place: usize) -> sqlx::Result<T> {
        self.try_get(place)
    }
}

/// Every row of a page.
pub(crate) fn all<R, T>(rows: &[R], decode: impl Fn(&R) -> sqlx::Result<T>) -> sqlx::Result<Vec<T>> {
    rows.iter().map(decode).collect()
}

/// A stored word.
pub(crate) fn word<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> sqlx::Result<T> {
    parse(text).ok_or_else(|| sqlx::Error::Decode(format!("`{text}` is not in its table").into()))
}

/// A stored status.
pub(crate) fn status(text: &str) -> sqlx::Result<trapline_core::JobStatus> {
    word(text, |t| t.parse().ok())
}
