//! Jobs by filter, order and offset, counted exactly, as upstream lists them.

use trapline_core::ports::JobFilter;

use super::parts::Parts;
use crate::sql::{Conn, Sql};

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
        let same = " AND p.slug = (SELECT named.slug FROM pipelines named WHERE named.id = $ AND EXISTS \
                    (SELECT 1 FROM project_pipelines had WHERE had.project_id = j.project_id AND had.pipeline_id = named.id))";
        query.add(same, pipeline.0);
    }
    if !filter.status.is_empty() {
        let words: Vec<_> = filter.status.iter().map(|s| s.as_str()).collect();
        query.among("j.status", words);
    }
    if !filter.pipeline_slugs.is_empty() {
        query.among(
            "p.slug",
            filter.pipeline_slugs.iter().map(String::as_str).collect(),
        );
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
        let part = Sql {
            sqlite: r" AND (j.name LIKE $ ESCAPE '\' OR p.name LIKE $ ESCAPE '\')",
            postgres: r" AND (j.name ILIKE $ ESCAPE '\' OR p.name ILIKE $ ESCAPE '\')",
        };
        query.add(C::text(part), format!("%{text}%"));
    }
}
