//! The newest jobs, of which a bounded number is looked at.

use trapline_core::{
    JobId, ProjectId, Timestamp,
    ports::{Job, JobFilter, JobGroup, JobsFrom, RecentJobs, RecentQuery},
};

use super::{
    Cold,
    jobs::{JOB, ROW},
    listed::{BY_STATUS, narrow, of_status},
    parts::Parts,
    sorted::{self, BY_END, BY_NAME},
};
use crate::{
    rows,
    sql::{Conn, List, Sql, Value, bound, first, sql},
};

const AMONG: Sql = Sql {
    sqlite: " AND j.id IN (SELECT value FROM json_each($))",
    postgres: " AND j.id = ANY ($)",
};

pub(super) const OF_SETS: Sql = Sql {
    sqlite: " AND j.collection_id IN (SELECT value FROM json_each($))",
    postgres: " AND j.collection_id = ANY ($)",
};

/// By the index of running jobs, since a list of parameters does not lead there. Its words are those of `JobStatus::RUNNING`.
pub(super) const RUNNING: Sql = Sql {
    sqlite: " AND j.id IN (SELECT id FROM jobs INDEXED BY jobs_running \
             WHERE status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN'))",
    postgres: " AND j.id IN (SELECT id FROM jobs \
               WHERE status IN ('PENDING', 'STARTED', 'RETRY', 'CANCELING', 'UNKNOWN'))",
};

/// What narrows a list, but for jobs and sets.
pub(super) fn filter(of: &RecentQuery) -> JobFilter {
    JobFilter {
        project: of.project,
        status: of.group.map_or_else(Vec::new, |g| g.statuses().to_vec()),
        search: of.search.clone(),
        pipeline_slugs: of.pipeline.iter().cloned().collect(),
        ..JobFilter::default()
    }
}

/// Adds that jobs are of a list.
pub(super) fn among<C: Conn>(query: &mut Parts<'_, C>, ids: Vec<i64>) {
    query.add(C::text(AMONG), List(ids));
}

/// These jobs, as the query asks for them, in no order.
pub(super) async fn full<S: Cold>(
    conn: &mut S::Conn,
    of: &RecentQuery,
    ids: Vec<i64>,
) -> sqlx::Result<Vec<Job>> {
    let mut query = Parts::<S::Conn>::new(statement(of));
    among(&mut query, ids);
    rows::all(&query.rows(conn).await?, rows::job)
}

fn statement(of: &RecentQuery) -> Sql {
    if of.counts_in_flight { JOB } else { ROW }
}

pub(crate) async fn page<S: Cold>(store: &S, of: &RecentQuery) -> sqlx::Result<RecentJobs> {
    match &of.from {
        JobsFrom::Newest(before) => newest(store, of, *before).await,
        JobsFrom::Named(after) => {
            let from = |place| JobsFrom::Named(Some(place));
            sorted::page(store, of, &BY_NAME, after.clone(), from).await
        }
        JobsFrom::Ended(after) => {
            let after = after.map(|(at, id)| (at.0, id));
            let from = |(at, id)| JobsFrom::Ended(Some((Timestamp(at), id)));
            sorted::page(store, of, &BY_END, after, from).await
        }
    }
}

/// Reads one row more than a page has, to know whether it ends there.
async fn newest<S: Cold>(store: &S, of: &RecentQuery, before: Option<JobId>) -> sqlx::Result<RecentJobs> {
    let filter = filter(of);
    let mut conn = store.reader().await?;
    let before = before.map_or(i64::MAX, |id| id.0);
    let is_bounded = of.search.is_some()
        || of.pipeline.is_some()
        || of.sets.is_some()
        || of.group.is_some_and(|g| g != JobGroup::Running);
    let edge: Option<i64> = match is_bounded {
        true => {
            let values: [&dyn Value<'_>; 2] = [&before, &bound(of.examined_max)];
            conn.find(sql!("jobs/edge.sql"), &values, first).await?
        }
        false => None,
    };
    let mut query = Parts::<S::Conn>::new(statement(of));
    query.add(" AND j.id < $", before);
    query.add(" AND j.id > $", edge.unwrap_or(0));
    if of.group == Some(JobGroup::Running) {
        query.push(<S::Conn as Conn>::text(RUNNING));
    }
    if let Some(jobs) = &of.among {
        among(&mut query, jobs.iter().map(|job| job.0).collect());
    }
    if let Some(sets) = &of.sets {
        let ids: Vec<i64> = sets.iter().map(|set| set.0).collect();
        query.add(<S::Conn as Conn>::text(OF_SETS), List(ids));
    }
    of_status(&mut query, BY_STATUS, &filter.status);
    narrow(&mut query, &filter);
    query.push(" ORDER BY j.id DESC");
    query.add(" LIMIT $", bound(of.limit.saturating_add(1)));
    let mut rows = rows::all(&query.rows(&mut conn).await?, rows::job)?;
    let limit = usize::try_from(of.limit).unwrap_or(usize::MAX);
    let is_full = rows.len() > limit;
    rows.truncate(limit);
    let full = rows.last().map(|job| job.id).filter(|_| is_full);
    Ok(RecentJobs {
        next: full
            .or(edge.map(|id| JobId(id + 1)))
            .map(|id| JobsFrom::Newest(Some(id))),
        stopped: !is_full && edge.is_some(),
        rows,
    })
}

/// One look-up for each status, which ends where the index says so.
pub(crate) async fn group_counts<S: Cold>(
    store: &S,
    project: Option<ProjectId>,
    count_max: u64,
) -> sqlx::Result<Vec<(JobGroup, u64)>> {
    let mut conn = store.reader().await?;
    let most = bound(count_max);
    let mut counts = Vec::new();
    for group in JobGroup::ALL {
        let mut n = 0;
        for status in group.statuses() {
            let word = status.as_str();
            let found: Option<i64> = match project.map(|p| p.0) {
                None => conn.find(sql!("jobs/few.sql"), &[&word, &most], first).await?,
                Some(project) => {
                    let values: [&dyn Value<'_>; 3] = [&word, &most, &project];
                    conn.find(sql!("jobs/few_of_project.sql"), &values, first).await?
                }
            };
            n += found.map_or(0, i64::cast_unsigned);
        }
        counts.push((group, n));
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use trapline_core::JobStatus;

    use super::*;

    #[test]
    fn running_jobs_are_those_of_the_state_machine() {
        let words = JobStatus::RUNNING.map(|s| format!("'{s}'")).join(", ");
        for text in [RUNNING.sqlite, RUNNING.postgres] {
            assert!(text.contains(&format!("status IN ({words})")), "{text}");
        }
    }
}
