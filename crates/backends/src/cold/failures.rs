//! The failed images of runs by why they failed, counted with their tasks (docs/rules.md A9).
//!
//! Every change of a run's groups has its job's row locked, so that no two choose the last free place for a group.

use trapline_core::{
    JobId, Timestamp,
    failures::{GroupId, Step, Tally},
    ports::FailureGroups,
};

use super::Cold;
use crate::{
    rows,
    sql::{Conn, first, sql},
};

/// Counts what a transaction changes. After its tasks, with the rows of the jobs locked.
pub(crate) async fn count<C: Conn>(conn: &mut C, tally: &Tally, now: Timestamp) -> sqlx::Result<()> {
    for (job, run) in tally.runs() {
        let known: Vec<i64> = conn
            .list(sql!("failures/known.sql"), &[&job.0, &run], first)
            .await?;
        let known: Vec<GroupId> = known.into_iter().filter_map(GroupId::from_row).collect();
        let steps = tally.steps((job, run), &known);
        let rows: Vec<_> = steps
            .iter()
            .map(|Step { kind, n, sample }| {
                let (id, reason) = (kind.id.to_row(), kind.reason.as_str());
                (job.0, run, id, reason, &kind.text, n, sample.0, now.0)
            })
            .collect();
        if !rows.is_empty() {
            let rows = serde_json::to_string(&rows).expect("numbers and texts serialise");
            conn.run(sql!(each "failures/add.sql"), &[&rows]).await?;
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
