//! Jobs by filter, order and offset, counted exactly, as upstream lists them.

use trapline_core::{
    JobStatus,
    ports::{Job, JobFilter, JobOrder, OffsetPage, Total},
};

use super::{Cold, jobs::JOB, parts::Parts};
use crate::{
    rows,
    sql::{Conn, List, Sql, bound, first, sql},
};

/// Up to so many jobs of the statuses that are asked for are found by them and sorted, wherever they are among the others; of more, the
/// next are soon met.
const SORTED_MAX: u64 = 5_000;
/// What a filter leaves out if it is too old.
const FAILED: [JobStatus; 3] = [JobStatus::Failure, JobStatus::Revoked, JobStatus::Unknown];

pub(crate) async fn page<S: Cold>(
    store: &S,
    filter: &JobFilter,
    page: OffsetPage,
) -> sqlx::Result<Total<Job>> {
    let mut conn = store.reader().await?;
    let parts = parts_of(filter);
    let count = counting(&parts).rows(&mut *conn).await?;
    let count = count.first().map_or(Ok(0), first::<i64>)?;
    let count = u64::try_from(count).unwrap_or(0);
    // First which jobs they are: what is in flight would be counted of every job before they are sorted.
    let ids: Vec<i64> = rows::all(&ids(filter, page, count).rows(&mut *conn).await?, first)?;
    let mut query = Parts::<S::Conn>::new(JOB);
    query.among("j.id", ids);
    query.push(&order_by(filter.order));
    Ok(Total {
        rows: rows::all(&query.rows(&mut conn).await?, rows::job)?,
        count,
    })
}

/// What a filter takes, in parts that are counted by status in an index: of those that may be too old the rows are read.
fn parts_of(filter: &JobFilter) -> Vec<JobFilter> {
    let asked = match filter.status.is_empty() {
        true => JobStatus::ALL.to_vec(),
        false => filter.status.clone(),
    };
    let may_be_old = |status: &JobStatus| filter.failed_since.is_some() && FAILED.contains(status);
    let (old, status): (Vec<_>, Vec<_>) = asked.into_iter().partition(may_be_old);
    let all = JobFilter {
        status,
        failed_since: None,
        ..filter.clone()
    };
    let late = JobFilter {
        status: old,
        ..filter.clone()
    };
    let mut parts = vec![all, late];
    parts.retain(|part| !part.status.is_empty());
    parts
}

/// How many jobs these filters with statuses take, in one statement: a job that changes meanwhile is counted once.
fn counting<C: Conn>(parts: &[JobFilter]) -> Parts<'_, C> {
    let mut query = Parts::new(sql!("jobs/sum.sql"));
    for part in parts {
        query.push(" + (");
        query.push(C::text(sql!(each "jobs/count.sql")));
        of_status(&mut query, BY_STATUS, &part.status);
        narrow(&mut query, part);
        query.push(")");
    }
    query
}

/// Which jobs a page has, of so many.
fn ids<C: Conn>(filter: &JobFilter, page: OffsetPage, count: u64) -> Parts<'_, C> {
    let mut query = Parts::new(sql!("jobs/ids.sql"));
    let is_walked = filter.order.0 == JobOrder::CreatedAt && count > SORTED_MAX;
    let column = if is_walked { UNFOUND_BY_STATUS } else { BY_STATUS };
    of_status(&mut query, column, &filter.status);
    narrow(&mut query, filter);
    query.push(&order_by(filter.order));
    query.add(" LIMIT $", bound(page.limit));
    query.add(" OFFSET $", bound(page.offset));
    query
}

/// PostgreSQL goes by an index only if the order says of nulls what the index does, even of a column that has none.
fn order_by((order, is_descending): (JobOrder, bool)) -> String {
    let (column, nulls) = order_column(order);
    let direction = if is_descending { "DESC" } else { "ASC" };
    format!(" ORDER BY {column} {direction}{nulls}, j.id {direction}")
}

/// A column, and where its nulls are, if it may have any.
fn order_column(order: JobOrder) -> (&'static str, &'static str) {
    const LAST: &str = " NULLS LAST";
    match order {
        JobOrder::Id => ("j.id", ""),
        JobOrder::Name => ("j.name", ""),
        JobOrder::CreatedAt => ("j.created_at", ""),
        JobOrder::UpdatedAt => ("j.updated_at", ""),
        JobOrder::Status => ("j.status", ""),
        JobOrder::Project => ("j.project_id", ""),
        JobOrder::StartedAt => ("j.started_at", LAST),
        JobOrder::FinishedAt => ("j.finished_at", LAST),
        JobOrder::Collection => ("j.collection_id", LAST),
        JobOrder::Pipeline => ("j.pipeline_id", LAST),
    }
}

pub(super) const BY_STATUS: Sql = Sql {
    sqlite: "j.status",
    postgres: "j.status",
};
/// As it is, but SQLite does not take the index of it for that.
const UNFOUND_BY_STATUS: Sql = Sql {
    sqlite: "+j.status",
    postgres: "j.status",
};

/// Adds that jobs have one of these statuses, if there are any.
pub(super) fn of_status<C: Conn>(query: &mut Parts<'_, C>, column: Sql, status: &[JobStatus]) {
    if !status.is_empty() {
        let words: Vec<&str> = status.iter().map(|s| s.as_str()).collect();
        query.among(C::text(column), words);
    }
}

// Pipelines are found once, not beside each job.
const SAME_PIPELINE: Sql = Sql {
    sqlite: " AND j.pipeline_id IN (SELECT same.id FROM pipelines named JOIN pipelines same ON same.slug = named.slug WHERE named.id = $) \
             AND +j.project_id IN (SELECT had.project_id FROM project_pipelines had WHERE had.pipeline_id = $)",
    postgres: " AND j.pipeline_id = ANY (ARRAY(SELECT same.id FROM pipelines named JOIN pipelines same ON same.slug = named.slug \
                                              WHERE named.id = $)) \
               AND j.project_id = ANY (ARRAY(SELECT had.project_id FROM project_pipelines had WHERE had.pipeline_id = $))",
};
const OF_SLUGS: Sql = Sql {
    sqlite: " AND j.pipeline_id IN (SELECT id FROM pipelines WHERE slug IN (SELECT value FROM json_each($)))",
    postgres: " AND j.pipeline_id = ANY (ARRAY(SELECT id FROM pipelines WHERE slug = ANY ($)))",
};
const NAMED: Sql = Sql {
    sqlite: r" AND (j.name LIKE $ ESCAPE '\' OR j.pipeline_id IN (SELECT id FROM pipelines WHERE name LIKE $ ESCAPE '\'))",
    postgres: r" AND (j.name ILIKE $ ESCAPE '\' OR j.pipeline_id = ANY (ARRAY(SELECT id FROM pipelines WHERE name ILIKE $ ESCAPE '\')))",
};

/// Adds what narrows a list, but for the statuses.
pub(super) fn narrow<'a, C: Conn>(query: &mut Parts<'a, C>, filter: &'a JobFilter) {
    if let Some(project) = filter.project {
        query.add(" AND j.project_id = $", project.0);
    }
    if let Some(set) = filter.collection {
        query.add(" AND j.collection_id = $", set.0);
    }
    if let Some(capture) = filter.capture {
        query.add(" AND j.capture_id = $", capture.0);
    }
    if let Some(pipeline) = filter.pipeline {
        // Whichever definition of it: the slug is what people mean. It is one of the job's own project.
        query.add(C::text(SAME_PIPELINE), pipeline.0);
    }
    if !filter.pipeline_slugs.is_empty() {
        let slugs: Vec<&str> = filter.pipeline_slugs.iter().map(String::as_str).collect();
        query.add(C::text(OF_SLUGS), List(slugs));
    }
    if let Some(job_type) = &filter.job_type {
        query.add(" AND j.job_type = $", job_type.as_str());
    }
    if let Some(since) = filter.failed_since {
        let part = " AND (j.status NOT IN ('FAILURE', 'REVOKED', 'UNKNOWN') OR j.updated_at >= $)";
        query.add(part, since.0);
    }
    if let Some(text) = &filter.search {
        let text = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        query.add(C::text(NAMED), format!("%{text}%"));
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, SqliteConnection};
    use trapline_core::{PipelineId, ProjectId, Timestamp};

    use super::*;
    use crate::rows::Columns as _;

    async fn store() -> SqliteConnection {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        crate::migrations::sqlite().run(&mut conn).await.unwrap();
        conn
    }

    /// The steps that look for jobs or sort them.
    async fn steps(conn: &mut SqliteConnection, query: Parts<'_, SqliteConnection>) -> Vec<String> {
        let rows = query.explained().rows(conn).await.unwrap();
        let steps = rows.iter().map(|row| row.col::<String>("detail").unwrap());
        steps
            .filter(|step| step.contains(" j ") || step.contains("ORDER BY"))
            .collect()
    }

    fn filters() -> Vec<JobFilter> {
        let all = JobFilter {
            failed_since: Some(Timestamp(1)),
            order: (JobOrder::CreatedAt, true),
            ..JobFilter::default()
        };
        let status = vec![JobStatus::Started, JobStatus::Failure];
        vec![
            all.clone(),
            JobFilter {
                status,
                ..all.clone()
            },
            JobFilter {
                pipeline: Some(PipelineId(1)),
                ..all.clone()
            },
            JobFilter {
                pipeline_slugs: vec!["p".into()],
                ..all.clone()
            },
            JobFilter {
                search: Some("a".into()),
                ..all.clone()
            },
            JobFilter {
                order: (JobOrder::CreatedAt, false),
                ..all
            },
        ]
    }

    #[tokio::test]
    async fn a_page_of_many_jobs_is_read_in_its_order_and_none_are_sorted() {
        let mut conn = store().await;
        let page = OffsetPage {
            limit: 20,
            offset: 40,
        };
        for filter in filters() {
            let all = steps(&mut conn, ids(&filter, page, SORTED_MAX + 1)).await;
            assert_eq!(all, ["SCAN j USING INDEX jobs_created"], "{filter:?}");
            let filter = JobFilter {
                project: Some(ProjectId(1)),
                ..filter
            };
            let of_project = steps(&mut conn, ids(&filter, page, SORTED_MAX + 1)).await;
            assert_eq!(
                of_project,
                ["SEARCH j USING INDEX jobs_created_of (project_id=?)"],
                "{filter:?}"
            );
        }
        let few = JobFilter {
            status: vec![JobStatus::Failure],
            ..filters().remove(0)
        };
        let few = steps(&mut conn, ids(&few, page, SORTED_MAX)).await;
        assert_eq!(few[0], "SEARCH j USING INDEX jobs_status (status=?)");
    }

    #[tokio::test]
    async fn jobs_are_counted_by_status_and_only_of_failed_ones_is_the_time_looked_at() {
        let mut conn = store().await;
        for filter in filters() {
            let whole = steps(&mut conn, counting(&parts_of(&filter))).await;
            let of_statuses = ["SEARCH j USING INDEX jobs_status (status=?)"; 2];
            assert_eq!(whole, of_statuses[..parts_of(&filter).len()], "{filter:?}");
            let parts = parts_of(&filter);
            let told = parts.iter().flat_map(|part| &part.status).count();
            assert_eq!(
                told,
                if filter.status.is_empty() {
                    JobStatus::ALL.len()
                } else {
                    filter.status.len()
                }
            );
            for part in parts {
                let is_failed = part.status.iter().any(|status| FAILED.contains(status));
                assert_eq!(part.failed_since.is_some(), is_failed);
                assert_eq!(
                    steps(&mut conn, counting(std::slice::from_ref(&part))).await,
                    ["SEARCH j USING INDEX jobs_status (status=?)"],
                    "{part:?}"
                );
                let part = JobFilter {
                    project: Some(ProjectId(1)),
                    ..part
                };
                assert_eq!(
                    steps(&mut conn, counting(std::slice::from_ref(&part))).await,
                    ["SEARCH j USING INDEX jobs_status (status=? AND project_id=?)"],
                    "{part:?}"
                );
            }
        }
    }
}
