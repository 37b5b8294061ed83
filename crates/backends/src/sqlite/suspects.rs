//! What a group of settlements says beyond its own tasks (RULES.md A6, B8): which grants were answered, which siblings
//! are cleared, which tasks the error of a whole batch makes suspect.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use sqlx::SqliteConnection;
use trapline_core::{
    CaptureId, JobId, Timestamp, WorkerId, death,
    ports::Candidate,
    receipt::Receipt,
    settle::TaskView,
    task::{DETAIL_MAX_CHARS, cut},
};

use super::{counts, json, settle::TaskKey};

/// Gathered while a group is planned.
#[derive(Default)]
pub(super) struct Asides<'a> {
    /// Grants of which a task was answered.
    answered: BTreeSet<i64>,
    /// Grants whose other tasks are cleared, by job, and whose answer did it.
    cleared: BTreeMap<(i64, i64), WorkerId>,
    suspects: BTreeMap<TaskKey, Suspect<'a>>,
}

struct Suspect<'a> {
    row: TaskView,
    receipt: Receipt,
    detail: &'a str,
}

impl<'a> Asides<'a> {
    /// An answer under `receipt` changes the task that was `before`.
    pub(super) fn answered(&mut self, receipt: &Receipt, before: &TaskView) {
        if (receipt.run, receipt.delivery) == (before.run, before.delivery) {
            self.answered.extend(before.grant.map(|g| g.0));
        }
    }

    /// It settles the task.
    pub(super) fn settled(&mut self, receipt: &Receipt, before: &TaskView) {
        let job = receipt.job.0;
        self.suspects.remove(&(job, receipt.capture.0));
        if let Some(grant) = death::cleared(before, receipt.delivery) {
            self.cleared.insert((job, grant.0), receipt.worker);
        }
    }

    /// It makes the task suspect.
    pub(super) fn suspect(&mut self, receipt: Receipt, row: TaskView, detail: &'a str) {
        let key = (receipt.job.0, receipt.capture.0);
        self.suspects.insert(key, Suspect { row, receipt, detail });
    }

    /// The suspects, free again.
    pub(super) fn freed(&self) -> Vec<(JobId, Candidate)> {
        let candidate = |s: &Suspect<'_>| Candidate {
            capture: s.receipt.capture,
            run: s.row.run,
            delivery: s.row.delivery,
        };
        self.suspects
            .values()
            .map(|s| (s.receipt.job, candidate(s)))
            .collect()
    }

    /// Writes the rows of tasks and grants. After the rows of the tasks that were settled.
    pub(super) async fn write(&self, conn: &mut SqliteConnection, now: Timestamp) -> sqlx::Result<()> {
        if !self.suspects.is_empty() {
            self.write_suspects(conn, now).await?;
        }
        for ((job, grant), worker) in &self.cleared {
            let cleared = sqlx::query(include_str!("sql/settle_clear.sql"))
                .bind(job)
                .bind(grant)
                .execute(&mut *conn)
                .await?
                .rows_affected();
            if cleared > 0 {
                let name = name(conn, *worker).await?;
                let line = format!(
                    "Worker {name} was not dead: {cleared} image(s) reserved with the one that it answered are not \
                     suspect any more"
                );
                counts::log_line(conn, JobId(*job), "INFO", &line, None, now).await?;
            }
        }
        let answered: Vec<i64> = self.answered.iter().copied().collect();
        if !answered.is_empty() {
            sqlx::query(
                "UPDATE grants SET answered = 1 \
                 WHERE id IN (SELECT value FROM json_each(?1)) AND answered = 0",
            )
            .bind(json(&answered))
            .execute(conn)
            .await?;
        }
        Ok(())
    }

    async fn write_suspects(&self, conn: &mut SqliteConnection, now: Timestamp) -> sqlx::Result<()> {
        let mut names: BTreeMap<WorkerId, String> = BTreeMap::new();
        let mut batches: BTreeMap<(JobId, WorkerId, &str), Vec<CaptureId>> = BTreeMap::new();
        let mut rows = Vec::with_capacity(self.suspects.len());
        for ((job, capture), suspect) in &self.suspects {
            let worker = suspect.receipt.worker;
            if let Entry::Vacant(unknown) = names.entry(worker) {
                unknown.insert(name(conn, worker).await?);
            }
            let whom = format!("{} at {}", names[&worker], suspect.receipt.granted_at);
            rows.push((job, capture, suspect.row.strikes, whom));
            batches
                .entry((suspect.receipt.job, worker, suspect.detail))
                .or_default()
                .push(suspect.receipt.capture);
        }
        sqlx::query(include_str!("sql/settle_suspect.sql"))
            .bind(json(&rows))
            .execute(&mut *conn)
            .await?;
        for ((job, worker, detail), captures) in batches {
            let line = format!(
                "Worker {} reported one error for a batch, with {} image(s) that have strikes left: a strike each, and \
                 they are suspect, handed out one at a time. The error: {detail}",
                names[&worker],
                captures.len()
            );
            let line = cut(&line, DETAIL_MAX_CHARS);
            counts::log_line(conn, job, "WARNING", &line, None, now).await?;
        }
        Ok(())
    }
}

/// What people call a worker.
async fn name(conn: &mut SqliteConnection, worker: WorkerId) -> sqlx::Result<String> {
    let name: Option<String> = sqlx::query_scalar("SELECT name FROM workers WHERE id = ?1")
        .bind(worker.0)
        .fetch_optional(conn)
        .await?;
    Ok(name.unwrap_or_else(|| "unknown worker".to_owned()))
}
