//! Pages of what a job did: tasks, detections, log.

use trapline_core::{
    AlgorithmId, CaptureId, JobId, TaskState, Timestamp,
    failures::{Group, Groups},
    ports::{
        Attempt, ClassificationRow, DetectionRow, DetectionsOf, FailureGroups, HandOuts, ImageQuery,
        ImageRow, ImageState, LogLine, LogPage, LogQuery, LogRow, ResultQuery, ResultRow,
    },
    result::{Classification, Detection, DetectionId},
    task::{DETAIL_MAX_CHARS, cut},
};

use super::{Db, TaskRow};

fn is_in(task: &TaskRow, state: ImageState) -> bool {
    let held = task.grant.is_some();
    match state {
        ImageState::Pending => task.state == TaskState::Pending && !held,
        ImageState::InFlight => task.state == TaskState::Pending && held,
        ImageState::Processed => task.state == TaskState::Processed,
        ImageState::Failed => task.state == TaskState::Failed,
    }
}

impl Db {
    pub(super) fn image_page(&self, query: &ImageQuery) -> Vec<ImageRow> {
        let is_waiting = query.state == Some(ImageState::Pending);
        let place = |(capture, t): &(CaptureId, &TaskRow)| (if is_waiting { t.ord } else { 0 }, *capture);
        let from = self.task(query.job, query.after).map(|t| (query.after, t));
        let nowhere = match (is_waiting, query.back) {
            (false, _) => 0,
            (true, false) => -1,
            (true, true) => i64::MAX,
        };
        let from = from.map_or((nowhere, query.after), |of| place(&of));
        let is_on = |row: &(CaptureId, &TaskRow)| match query.back {
            false => place(row) > from,
            true => place(row) < from,
        };
        let mut rows: Vec<_> = self.tasks(query.job).filter(is_on).collect();
        rows.sort_by_key(place);
        if query.back {
            rows.reverse();
        }
        rows.into_iter()
            .filter(|(_, t)| {
                query.state.is_none_or(|s| is_in(t, s)) && query.reason.is_none_or(|r| t.reason == Some(r))
            })
            .take(usize::try_from(query.limit).unwrap_or(usize::MAX))
            .map(|(capture, t)| ImageRow {
                capture,
                url: self.catalog.url(capture).to_owned(),
                state: t.state,
                in_flight: t.grant.is_some(),
                reason: t.reason,
                detail: t.detail.clone(),
                attempts: t.delivery - t.delivery_base,
                worker: t
                    .holder
                    .and_then(|w| self.workers.get(&w))
                    .map(|w| w.name.clone()),
                holder: t.holder,
                granted_at: (t.delivery > t.delivery_base).then_some(t.granted_at),
                settled_at: t.settled_at,
                detections: t.n_detections,
            })
            .collect()
    }

    pub(super) fn failure_groups(&self, job: JobId) -> Option<FailureGroups> {
        let row = self.jobs.get(&job).filter(|row| !row.deleted)?;
        let failed = ImageQuery {
            state: Some(ImageState::Failed),
            ..ImageQuery::first(job, u64::MAX)
        };
        let mut groups = Groups::default();
        let of_run = |image: &ImageRow| {
            self.task(job, image.capture)
                .is_some_and(|t| t.run == row.job.run)
        };
        self.image_page(&failed)
            .iter()
            .filter(|image| of_run(image))
            .for_each(|image| groups.add(image));
        let bare = |group: Group| Group {
            workers: Vec::new(),
            ..group
        };
        Some(FailureGroups {
            failed: row.job.counts.failed,
            is_counted: self.specs.contains_key(&(job, row.job.run)),
            groups: groups.sorted().into_iter().map(bare).collect(),
        })
    }

    pub(super) fn hand_outs(&self, job: JobId, capture: CaptureId) -> Option<HandOuts> {
        let task = self.task(job, capture)?;
        Some(HandOuts {
            given_back: task.releases,
            returned: task.returns,
            history: task.history.clone(),
            lease_until: task.grant.map(|_| task.lease_until),
        })
    }

    pub(super) fn result_page(&self, query: &ResultQuery) -> Vec<ResultRow> {
        let mut rows: Vec<_> = self
            .tasks(query.job)
            .filter(|(capture, _)| match query.back {
                false => *capture > query.from,
                true => *capture < query.from,
            })
            .collect();
        if query.back {
            rows.reverse();
        }
        rows.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        let row = |(capture, t): (CaptureId, &TaskRow)| {
            Some(ResultRow {
                capture: self.catalog.capture(capture)?.clone(),
                state: t.state,
                settled_at: t.settled_at,
                detections: t.n_detections,
            })
        };
        rows.into_iter().filter_map(row).collect()
    }

    pub(super) fn attempts(&self, captures: &[CaptureId]) -> Vec<Attempt> {
        let mut found: Vec<Attempt> = self
            .tasks
            .iter()
            .filter(|((_, capture), _)| captures.contains(capture))
            .filter_map(|((job, capture), t)| {
                let row = self.jobs.get(job).filter(|j| !j.deleted)?;
                Some(Attempt {
                    capture: *capture,
                    job: *job,
                    pipeline: row.job.pipeline.as_ref()?.1.clone(),
                    state: t.state,
                    reason: t.reason,
                    detail: t.detail.clone(),
                    settled_at: t.settled_at,
                    detections: t.n_detections,
                })
            })
            .collect();
        found.sort_by_key(|a| (a.capture, a.job));
        found
    }

    pub(super) fn detection_page(&self, of: DetectionsOf<'_>, scores: bool) -> Vec<DetectionRow> {
        let key = |id: AlgorithmId| self.catalog.key(id).to_owned();
        let classification = |c: &Classification| ClassificationRow {
            algorithm_id: c.algorithm,
            algorithm: key(c.algorithm),
            label: c.label.clone(),
            score: c.score,
            terminal: c.terminal,
            labels: c.labels.clone().filter(|_| scores),
            scores: if scores { c.scores.clone() } else { Vec::new() },
            logits: if scores { c.logits.clone() } else { Vec::new() },
        };
        let row = |&(job, _, capture, n): &(JobId, i64, CaptureId, i64), d: &Detection| {
            Some(DetectionRow {
                id: DetectionId { job, capture, n },
                capture: self.catalog.capture(capture)?.clone(),
                bbox: d.bbox.map(|b| [b.x1, b.y1, b.x2, b.y2]),
                detector: key(d.algorithm),
                score: d.score,
                classifications: d.classifications.iter().map(classification).collect(),
            })
        };
        let rows = |from: (JobId, i64, CaptureId, i64)| self.detections.range(from..);
        match of {
            DetectionsOf::Job { job, after, limit } => {
                let place = |id: DetectionId| {
                    Some((job, self.tasks.get(&(job, id.capture))?.ord, id.capture, id.n + 1))
                };
                let from = after.and_then(place).unwrap_or((job, i64::MIN, CaptureId(0), 0));
                let page = rows(from).take_while(|(key, _)| key.0 == job);
                page.take(usize::try_from(limit).unwrap_or(usize::MAX))
                    .filter_map(|(key, d)| row(key, d))
                    .collect()
            }
            DetectionsOf::Tasks(tasks) => {
                let is_asked = |key: &(JobId, i64, CaptureId, i64)| tasks.contains(&(key.0, key.2));
                let asked = self.detections.iter().filter(|(key, _)| is_asked(key));
                let mut found: Vec<_> = asked.filter_map(|(key, d)| row(key, d)).collect();
                found.sort_by_key(|d| (d.id.capture, d.id.job, d.id.n));
                found
            }
        }
    }

    pub(super) fn add_log(&mut self, lines: &[LogLine], now: Timestamp) {
        for line in lines {
            let message = cut(&line.message.replace('\0', "␀"), DETAIL_MAX_CHARS);
            self.log_line(line.job, line.level, message, line.capture, now);
        }
    }

    pub(super) fn log_page(&self, query: &LogQuery) -> Vec<LogRow> {
        let mut all: Vec<LogRow> = self
            .logs
            .iter()
            .filter(|(_, (_, line))| {
                line.job == query.job
                    && query.level.is_none_or(|l| line.level >= l)
                    && query.capture.is_none_or(|c| line.capture == Some(c))
            })
            .map(|(id, (at, line))| LogRow {
                id: *id,
                at: *at,
                level: line.level,
                message: line.message.clone(),
                capture: line.capture,
            })
            .collect();
        match query.page {
            LogPage::After(after) => all.retain(|row| row.id > after),
            LogPage::Before(before) => {
                all.retain(|row| row.id < before);
                all.reverse();
            }
            LogPage::Newest => all.reverse(),
        }
        all.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        all
    }
}
