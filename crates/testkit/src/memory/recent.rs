//! Jobs in an order.

use std::cmp::Reverse;

use trapline_core::{
    JobId, Timestamp,
    ports::{JobFilter, JobGroup, JobsFrom, RecentJobs, RecentQuery},
};

use super::{Db, JobRow, jobs::is_shown};

impl Db {
    /// The jobs that are beyond where a page begins, in its order.
    fn in_order(&self, query: &RecentQuery) -> Vec<&JobRow> {
        let all = self.jobs.values().filter(|row| !row.deleted);
        let of_project = |row: &&JobRow| query.project.is_none_or(|project| row.job.project == project);
        let mut rows: Vec<&JobRow> = match &query.from {
            JobsFrom::Newest(before) => all
                .filter(|row| before.is_none_or(|before| row.job.id < before))
                .collect(),
            JobsFrom::Named(after) => all
                .filter(of_project)
                .filter(|row| after.as_ref().is_none_or(|after| name_of(row) > *after))
                .collect(),
            JobsFrom::Ended(after) => all
                .filter(of_project)
                .filter(|row| row.job.finished_at.is_some())
                .filter(|row| after.is_none_or(|after| end_of(row) < after))
                .collect(),
        };
        match query.from {
            JobsFrom::Newest(_) => rows.sort_by_key(|row| Reverse(row.job.id)),
            JobsFrom::Named(_) => rows.sort_by_key(|row| name_of(row)),
            JobsFrom::Ended(_) => rows.sort_by_key(|row| Reverse(end_of(row))),
        }
        rows
    }

    pub(super) fn read_recent(&self, query: &RecentQuery) -> RecentJobs {
        let in_order = self.in_order(query);
        let is_sorted = !matches!(query.from, JobsFrom::Newest(_));
        let is_bounded = match query.group {
            Some(JobGroup::Running) if is_sorted => false,
            group => {
                let of_group = group.is_some_and(|group| group != JobGroup::Running);
                let is_listed = query.sets.is_some() || (is_sorted && query.among.is_some());
                of_group || is_listed || query.search.is_some() || query.pipeline.is_some()
            }
        };
        let examined = if is_bounded { query.examined_max } else { u64::MAX };
        let examined = usize::try_from(examined)
            .unwrap_or(usize::MAX)
            .min(in_order.len());
        let (looked_at, more) = in_order.split_at(examined);
        let mut rows: Vec<&JobRow> = looked_at.to_vec();
        rows.retain(|row| self.is_asked(row, query));
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let is_full = rows.len() > limit;
        rows.truncate(limit);
        let next = match more.first() {
            _ if is_full => rows.last().map(|row| place(row, query)),
            Some(row) if !is_sorted => Some(JobsFrom::Newest(Some(JobId(row.job.id.0 + 1)))),
            more => more.and(looked_at.last()).map(|row| place(row, query)),
        };
        let read = |row: &JobRow| match query.counts_in_flight {
            true => self.read_row(row),
            false => row.uncounted(),
        };
        RecentJobs {
            next,
            stopped: !is_full && !more.is_empty(),
            rows: rows.into_iter().map(read).collect(),
        }
    }

    fn is_asked(&self, row: &JobRow, query: &RecentQuery) -> bool {
        let filter = JobFilter {
            project: query.project,
            status: query.group.map_or_else(Vec::new, |g| g.statuses().to_vec()),
            search: query.search.clone(),
            pipeline_slugs: query.pipeline.iter().cloned().collect(),
            ..JobFilter::default()
        };
        let (id, set) = (row.job.id, row.job.collection);
        let of_sets = |sets: &Vec<_>| set.is_some_and(|set| sets.contains(&set));
        is_shown(&row.job, &filter, &self.catalog)
            && query.sets.as_ref().is_none_or(of_sets)
            && query.among.as_ref().is_none_or(|jobs| jobs.contains(&id))
    }
}

fn name_of(row: &JobRow) -> (String, JobId) {
    (JobsFrom::letters(&row.job.name), row.job.id)
}

fn end_of(row: &JobRow) -> (Timestamp, JobId) {
    (row.job.finished_at.unwrap_or(Timestamp(i64::MIN)), row.job.id)
}

fn place(row: &JobRow, query: &RecentQuery) -> JobsFrom {
    match query.from {
        JobsFrom::Newest(_) => JobsFrom::Newest(Some(row.job.id)),
        JobsFrom::Named(_) => JobsFrom::Named(Some(name_of(row))),
        JobsFrom::Ended(_) => JobsFrom::Ended(Some(end_of(row))),
    }
}
