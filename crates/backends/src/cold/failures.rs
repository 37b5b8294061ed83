//! The failed images of runs by why they failed, counted with their tasks (docs/rules.md A9).
//!
//! Every change of a run's groups has its job's row locked, so that no two choose the last free place for a group.

use trapline_core::{
    JobId, Timestamp,
    failures::{GroupId, Tally},
    ports::FailureGroups,
};

use super::Cold;
use crate::{
    rows,
    sql::{Conn, Value, first, sql},
};

/// Counts what a transaction changes. After its tasks, with the rows of the jobs locked.
pub(crate) async fn count<C: Conn>(conn: &mut C, tally: &Tally, now: Timestamp) -> sqlx::Result<()> {
    for (job, run) in tally.runs() {
        let known: Vec<i64> = conn
            .list(sql!("failures/known.sql"), &[&job.0, &run], first)
            .await?;
        let known: Vec<GroupId> = known.into_iter().filter_map(GroupId::from_row).collect();
        for step in tally.steps((job, run), &known) {
            let (kind, reason) = (&step.kind, step.kind.reason.as_str());
            let values: [&dyn Value<'_>; 8] = [
                &job.0,
                &run,
                &kind.id.to_row(),
                &reason,
                &kind.text,
                &step.n,
                &step.sample.0,
                &now.0,
            ];
            conn.run(sql!("failures/add.sql"), &values).await?;
        }
    }
    Ok(())
}

pub(crate) async fn groups<S: Cold>(store: &S, job: JobId) -> sqlx::Result<Option<FailureGroups>> {
    let mut conn = store.reader().await?;
    let rows = conn.rows(sql!("failures/groups.sql"), &[&job.0]).await?;
    rows::failure_groups(&rows)
}

/// Forgets the groups of a job's runs before one.
pub(crate) async fn forget<C: Conn>(conn: &mut C, job: JobId, before: i64) -> sqlx::Result<()> {
    conn.run(sql!("failures/forget.sql"), &[&job.0, &before])
        .await
        .map(drop)
}
