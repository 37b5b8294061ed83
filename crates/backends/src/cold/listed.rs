//! Jobs by filter, order and offset, counted exactly, as upstream lists them.

use trapline_core::ports::{Job, JobFilter, JobOrder, OffsetPage, Total};

use super::{Cold, jobs::JOB, parts::Parts};
use crate::{
    rows,
    sql::{Conn, List, Sql, bound, first, sql},
};

pub(crate) async fn page<S: Cold>(
    store: &S,
    filter: &JobFilter,
    page: OffsetPage,
) -> sqlx::Result<Total<Job>> {
    let mut conn = store.reader().await?;
    let mut counting = Parts::<S::Conn>::new(sql!("jobs/count.sql"));
    narrow(&mut counting, filter);
    let count: i64 = counting.rows(&mut conn).await?.first().map_or(Ok(0), first)?;
    let column = order_column(filter.order.0);
    let direction = if filter.order.1 { "DESC" } else { "ASC" };
    let order = format!(" ORDER BY {column} {direction} NULLS LAST, j.id {direction}");
    // First which jobs they are: what is in flight would be counted of every job before they are sorted.
    let mut page_of = Parts::<S::Conn>::new(sql!("jobs/ids.sql"));
    narrow(&mut page_of, filter);
    page_of.push(&order);
    page_of.add(" LIMIT $", bound(page.limit));
    page_of.add(" OFFSET $", bound(page.offset));
    let ids: Vec<i64> = rows::all(&page_of.rows(&mut conn).await?, first)?;
    let mut query = Parts::<S::Conn>::new(JOB);
    query.among("j.id", ids);
    query.push(&order);
    Ok(Total {
        rows: rows::all(&query.rows(&mut conn).await?, rows::job)?,
        count: u64::try_from(count).unwrap_or(0),
    })
}

fn order_column(order: JobOrder) -> &'static str {
    match order {
        JobOrder::Id => "j.id",
        JobOrder::Name => "j.name",
        JobOrder::CreatedAt => "j.created_at",
        JobOrder::UpdatedAt => "j.updated_at",
        JobOrder::Status => "j.status",
        JobOrder::StartedAt => "j.started_at",
        JobOrder::FinishedAt => "j.finished_at",
        JobOrder::Project => "j.project_id",
        JobOrder::Collection => "j.collection_id",
        JobOrder::Pipeline => "j.pipeline_id",
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

/// Adds what narrows a list.
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
    if !filter.status.is_empty() {
        let words: Vec<_> = filter.status.iter().map(|s| s.as_str()).collect();
        query.among("j.status", words);
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
