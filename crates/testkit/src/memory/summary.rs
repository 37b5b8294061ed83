//! The summaries of jobs.

use std::collections::BTreeSet;

use trapline_core::{
    CaptureId, JobId, ProjectId, TaskState, Timestamp, Zone,
    catalog::{Project, ProjectEdit},
    ports::{DetectionsOf, ResultRow},
    summary::{
        ALL, Counted, DETECTIONS_MAX, END, LabelledQuery, Of, PROCESSED, Phase, Seen, State, Step, Summary,
        TakenQuery, at_the_end, count, label_id, seen, step,
    },
};

use super::Db;

/// The summary of a job.
#[derive(Clone)]
pub(super) struct SummaryRows {
    state: State,
    counted: Counted,
    /// By label, rank, capture and number.
    index: BTreeSet<(i64, i64, CaptureId, i64)>,
    /// By half-hour.
    taken: BTreeSet<(i64, CaptureId)>,
    /// Whether a slice must remove rows of the summary before it.
    replaces: bool,
}

impl SummaryRows {
    fn has_rows(&self) -> bool {
        self.replaces || !self.counted.counts.is_empty() || !self.taken.is_empty()
    }

    fn begun(state: State) -> Self {
        Self {
            state,
            counted: Counted::default(),
            index: BTreeSet::new(),
            taken: BTreeSet::new(),
            replaces: false,
        }
    }
}

fn usize_of(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl Db {
    /// Removes the rows of a job's summary; returns whether there were any.
    pub(super) fn clear_summary(&mut self, job: JobId) -> bool {
        let Some(rows) = self.summaries.get_mut(&job).filter(|rows| rows.has_rows()) else {
            return false;
        };
        let state = rows.state;
        *rows = SummaryRows::begun(state);
        true
    }

    pub(super) fn summaries_due(&self, limit: u64) -> Vec<JobId> {
        let is_open = |job| matches!(self.summaries.get(job), Some(s) if s.state.phase != Phase::Done);
        let due = self
            .jobs
            .iter()
            .filter(|(id, row)| is_open(id) || (!row.deleted && row.job.status.is_running()));
        due.map(|(id, _)| *id).take(usize_of(limit)).collect()
    }

    fn zone_of(&self, project: ProjectId) -> Zone {
        let project = self.catalog.project(project);
        Zone::of(project.and_then(|p| p.settings.time_zone.as_deref()))
    }

    /// Edits a project, by whose zone its jobs' summaries count.
    pub(super) fn edit_project(
        &mut self,
        id: ProjectId,
        edit: &ProjectEdit,
        now: Timestamp,
    ) -> Option<Project> {
        let before = self.zone_of(id);
        let edited = self.catalog.edit_project(id, edit, now);
        if self.zone_of(id) != before {
            self.reopen_summaries(id);
        }
        edited
    }

    /// Has the summaries of a project's jobs looked at again that are done.
    fn reopen_summaries(&mut self, project: ProjectId) {
        let jobs = self.jobs.iter().filter(|(_, row)| row.job.project == project);
        let ids: Vec<JobId> = jobs.map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(rows) = self.summaries.get_mut(&id)
                && rows.state.phase == Phase::Done
            {
                rows.state.phase = Phase::Detections;
                rows.state.version += 1;
            }
        }
    }

    pub(super) fn summarise(&mut self, job: JobId, now: Timestamp) -> bool {
        let Some(row) = self.live_job(job) else {
            return false;
        };
        let project = row.job.project;
        let mut of = Of {
            run: row.job.run,
            status: row.job.status,
            collected: row.job.collected,
            detections: row.job.counts.detections,
            processed: row.job.counts.processed,
            zone: 0,
        };
        let zone = self.zone_of(project);
        of.zone = zone.id();
        let state = self.summaries.get(&job).map(|s| s.state);
        let mut next = step(&of, state.as_ref());
        let page = match (next, state) {
            (Step::Slice(Phase::Detections), Some(state)) => self.page_of(job, &of, &state),
            _ => Vec::new(),
        };
        if let (Step::Slice(Phase::Detections), Some(state), true) = (next, state, page.is_empty()) {
            next = at_the_end(&of, &state);
        }
        let photographs: Vec<_> = match (next, state) {
            (Step::Slice(Phase::Photographs), Some(state)) => self.photographs_of(job, &state, &zone),
            _ => Vec::new(),
        };
        if let Step::Begin(ended) = next {
            let version = state.map_or(1, |s| s.version + 1);
            let mut begun = SummaryRows::begun(State::begun(&of, version, ended, now));
            begun.replaces = self.summaries.get(&job).is_some_and(SummaryRows::has_rows);
            self.summaries.insert(job, begun);
            return true;
        }
        let Some(summary) = self.summaries.get_mut(&job) else {
            return false;
        };
        match next {
            Step::Nothing | Step::Begin(_) => return false,
            Step::Turn(phase) => summary.state = summary.state.turned(phase, &of),
            Step::Slice(Phase::Clear) if summary.replaces => summary.replaces = false,
            Step::Slice(Phase::Clear | Phase::Done) => summary.state.phase = Phase::Photographs,
            Step::Slice(Phase::Photographs) => {
                let label = summary.state.photographs();
                for (capture, at) in photographs {
                    *summary.counted.activity.entry((label, at)).or_default() += 1;
                    summary.taken.insert((at, capture));
                }
                summary.state = summary.state.with_photographs();
            }
            Step::Slice(Phase::Detections) => {
                let mut counted = count(&mut summary.state, &page, &zone);
                summary.index.extend(std::mem::take(&mut counted.index));
                summary.counted.add(counted);
            }
        }
        summary.state.version += 1;
        summary.state.as_of = now;
        summary.state.phase != Phase::Done
    }

    /// The next detections that are counted.
    fn page_of(&self, job: JobId, of: &Of, state: &State) -> Vec<Seen> {
        let open = self.tasks(job).filter(|(_, t)| t.state == TaskState::Pending);
        let frontier = open.map(|(capture, t)| (t.ord, capture)).min();
        let before = frontier.filter(|_| !of.status.is_final()).unwrap_or(END);
        let all = self.detection_page(DetectionsOf::first(job, u64::MAX), false);
        let placed = all.iter().filter_map(|d| {
            let task = self.task(job, d.id.capture)?;
            Some(seen(
                d,
                (task.ord, d.id.capture, d.id.n),
                u64::try_from(task.n_detections).unwrap_or(0),
            ))
        });
        placed
            .filter(|s| s.at > state.at && (s.at.0, s.at.1) < before)
            .take(usize_of(DETECTIONS_MAX))
            .collect()
    }

    fn photographs_of(&self, job: JobId, state: &State, zone: &Zone) -> Vec<(CaptureId, i64)> {
        let all = state.photographs() != PROCESSED;
        let counted = self
            .tasks(job)
            .filter(|(_, t)| all || t.state == TaskState::Processed);
        let taken = |(capture, _)| {
            let at = self.catalog.capture(capture)?.facts.taken_at?;
            Some((capture, zone.half_hour(at)))
        };
        counted.filter_map(taken).collect()
    }

    pub(super) fn summary(&self, job: JobId, label: Option<&str>) -> Option<Summary> {
        let rows = self.summaries.get(&job)?;
        let mut summary = Summary::of(&rows.state);
        let photographs = rows.state.shown_photographs();
        rows.counted
            .show(&mut summary, label.map_or(ALL, label_id), photographs);
        Some(summary)
    }

    pub(super) fn top_labels(&self, job: JobId, limit: u64) -> Vec<String> {
        let labels = self.summary(job, None).map_or_else(Vec::new, |made| made.labels);
        let texts = labels.into_iter().map(|(text, _)| text);
        texts.take(usize_of(limit)).collect()
    }

    fn result_row(&self, job: JobId, capture: CaptureId) -> Option<ResultRow> {
        let t = self.task(job, capture)?;
        Some(ResultRow {
            capture: self.catalog.capture(capture)?.clone(),
            state: t.state,
            settled_at: t.settled_at,
            detections: t.n_detections,
        })
    }

    pub(super) fn labelled(&self, query: &LabelledQuery) -> Vec<(i64, i64, ResultRow)> {
        let label = label_id(&query.label);
        let index = self.summaries.get(&query.job).map(|s| &s.index);
        let of = index.into_iter().flatten().filter(|row| row.0 == label);
        let mut beyond: Vec<_> = of
            .filter(|row| match query.back {
                false => (row.1, row.2, row.3) > query.from,
                true => (row.1, row.2, row.3) < query.from,
            })
            .collect();
        if query.back {
            beyond.reverse();
        }
        beyond.truncate(usize_of(query.limit));
        let row = |&&(_, rank, capture, n): &&_| Some((rank, n, self.result_row(query.job, capture)?));
        beyond.iter().filter_map(row).collect()
    }

    pub(super) fn taken(&self, query: &TakenQuery) -> Vec<(i64, ResultRow)> {
        let index = self.summaries.get(&query.job).map(|s| &s.taken);
        let among = (query.among.0..query.among.1, query.from);
        let mut beyond: Vec<_> = index
            .into_iter()
            .flatten()
            .filter(|row| among.0.contains(&row.0))
            .filter(|row| match query.back {
                false => **row > among.1,
                true => **row < among.1,
            })
            .collect();
        if query.back {
            beyond.reverse();
        }
        beyond.truncate(usize_of(query.limit));
        let row = |&&(at, capture): &&_| Some((at, self.result_row(query.job, capture)?));
        beyond.iter().filter_map(row).collect()
    }
}
