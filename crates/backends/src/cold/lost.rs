//! The line in a job's errors for tasks that no lease ends.

use trapline_core::{
    CaptureId, JobId, Timestamp,
    health::{LostBy, note_lost},
    plan::lost::lost_lists,
    ports::QueueInfo,
};

use super::{Cold, jobs};

/// The line in the job's errors, and the whole list in its log. The transaction has the job's row.
pub(crate) async fn note<S: Cold>(
    conn: &mut S::Conn,
    job: JobId,
    by: LostBy,
    queue: Option<&QueueInfo>,
    lost: &[CaptureId],
    now: Timestamp,
) -> sqlx::Result<()> {
    let mut all = jobs::errors(conn, job).await?;
    let line = note_lost(&mut all, by, queue, lost);
    jobs::save_errors(conn, job, &all).await?;
    S::log(conn, &lost_lists(job, &line, lost), now).await
}
