//! What `explain` needs to know of a job: why it waits, as the list of jobs says it, and its oldest lease.

use trapline_core::{JobId, Timestamp, ports::Outlook};

use super::Cold;
use crate::{
    cold::outlooks,
    rows,
    sql::{Conn as _, sql},
};

pub(crate) async fn of<S: Cold>(
    store: &S,
    job: JobId,
    seen_since: Timestamp,
) -> sqlx::Result<Option<Outlook>> {
    let Some((_, outlook)) = outlooks::of(store, &[job], seen_since).await?.pop() else {
        return Ok(None);
    };
    let mut conn = store.reader().await?;
    let oldest_lease = conn
        .find(
            sql!(each "health/outlook_lease.sql"),
            &[&job.0],
            rows::oldest_lease,
        )
        .await?;
    Ok(Some(Outlook {
        oldest_lease,
        ..outlook
    }))
}
