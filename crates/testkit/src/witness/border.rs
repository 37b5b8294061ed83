//! What the witness holds at the border: what results may name is of their run, and nobody touches what is another
//! project's.

use std::sync::Arc;

use trapline_core::{
    JobId, ProjectId, TaskState,
    ports::{GrantKey, GrantRequest, Granted},
    receipt::Receipt,
};

use super::{HandOut, Inner, Key, Witness};
use crate::memory::{Db, JobRow, Spec};

impl Inner {
    pub(super) fn has_saved(&self, receipt: &Receipt) -> bool {
        let key = (receipt.job, receipt.capture, receipt.delivery);
        self.saved.contains(&key)
    }
}

impl Witness {
    /// The store was asked what these grants hold, because their replies were lost: it must name all of it, or their
    /// tasks wait for leases that nobody has.
    pub fn found_again(&self, grants: &[GrantKey], receipts: &[Receipt]) {
        let rows = self.store.rows();
        let mut inner = self.lock();
        let missed = |(key, handed): (&Key, &Vec<HandOut>)| {
            let last = handed.last()?;
            let grant = GrantKey {
                job: key.0,
                worker: last.worker,
                granted_at: last.granted_at,
            };
            let task = rows.task(key.0, key.1)?;
            let holds = task.state == TaskState::Pending && task.grant.is_some();
            let newest = (task.run, task.delivery) == (last.run, last.delivery);
            let named = receipts.iter().any(|r| r.task() == *key);
            (grants.contains(&grant) && holds && newest && !named).then_some(*key)
        };
        for key in inner.handed.iter().filter_map(missed).collect::<Vec<_>>() {
            let what = format!(
                "{key:?} is held by a grant whose reply was lost, and is not named when it is looked for"
            );
            self.blame(&mut inner, what);
        }
    }

    /// A node knows that it has made a job of a project.
    pub fn made(&self, project: ProjectId) {
        *self.lock().made.entry(project).or_default() += 1;
    }

    /// How many jobs of a project nodes know that they have made.
    pub fn made_of(&self, project: ProjectId) -> u64 {
        self.lock().made.get(&project).copied().unwrap_or_default()
    }

    /// What a result for this hand-out may name, in its run.
    pub fn spec(&self, receipt: &Receipt) -> Option<Arc<Spec>> {
        let inner = self.lock();
        let known = inner.specs.get(&(receipt.job, receipt.run));
        known.map(|(_, spec)| Arc::clone(spec))
    }

    /// A worker was told that something is refused which it was asked for.
    pub fn refused(&self, receipt: &Receipt, why: &str) {
        if !self.is_gone(receipt.job) {
            self.report(format!("a valid result is refused ({why}): {receipt:?}"));
        }
    }

    /// A worker was told that its post, of which nothing is valid, is refused.
    pub fn refused_rightly(&self, receipt: &Receipt) {
        let mut inner = self.lock();
        if inner.has_saved(receipt) {
            let what = format!("a result was refused and is saved: {receipt:?}");
            self.blame(&mut inner, what);
        }
    }

    /// Whether a job is no more.
    pub fn is_gone(&self, job: JobId) -> bool {
        let rows = self.store.rows();
        rows.jobs().get(&job).is_none_or(|row| row.deleted)
    }

    /// Something was registered in a project: others see what they saw.
    pub fn registered(&self, project: ProjectId) {
        let rows = self.store.rows();
        let mut inner = self.lock();
        for other in rows.projects() {
            let now = rows.seen_by(other);
            let before = inner.catalogs.insert(other, now.clone());
            if let Some(before) = before.filter(|before| other != project && *before != now) {
                let what = format!(
                    "a registration in project {project} changed project {other}: {before}; then {now}"
                );
                self.blame(&mut inner, what);
            }
        }
    }

    pub(super) fn check_border(&self, inner: &mut Inner, request: &GrantRequest, granted: &Granted) {
        let rows = self.store.rows();
        let Some(row) = rows.jobs().get(&request.job) else {
            return;
        };
        if let Some(own) = rows
            .bound_to(request.worker)
            .filter(|own| *own != row.job.project)
        {
            let what = format!(
                "worker {} of project {own} is given images of job {}",
                request.worker, request.job
            );
            self.blame(inner, what);
        }
        let key = (request.job, granted.run);
        if !inner.specs.contains_key(&key) {
            let algorithms = rows.run_algorithms(key.0, key.1).to_vec();
            let spec = rows.spec(key.0, key.1);
            if self.promises.specs_are_frozen && spec.is_empty() {
                let what = format!("job {} run {} hands out and knows no algorithm", key.0, key.1);
                self.blame(inner, what);
            }
            inner.specs.insert(key, (algorithms, Arc::new(spec)));
        }
    }

    /// Whether what the results of a run may name is what it was.
    pub(super) fn check_frozen(&self, inner: &mut Inner, rows: &Db, row: &JobRow) {
        let key = (row.job.id, row.job.run);
        let known = inner.specs.get(&key).filter(|_| self.promises.specs_are_frozen);
        let now = rows.run_algorithms(key.0, key.1);
        if known.is_some_and(|(before, _)| before != now) {
            let what = format!(
                "what results of job {} run {} may name has changed to {:?}",
                key.0,
                key.1,
                rows.spec(key.0, key.1)
            );
            self.blame(inner, what);
        }
    }

    /// Whether what is handed out is all that its worker has; what it has besides is not alone from now on.
    pub(super) fn are_alone(&self, inner: &mut Inner, request: &GrantRequest, granted: &Granted) -> bool {
        let rows = self.store.rows();
        let new = |capture| granted.tasks.iter().any(|t| t.capture == capture);
        let mut alone = granted.tasks.len() == 1;
        for ((job, capture), all) in &mut inner.handed {
            let Some(last) = all.last_mut().filter(|h| h.worker == request.worker && !h.ended) else {
                continue;
            };
            let held = rows.task(*job, *capture).is_some_and(|t| {
                t.grant.is_some() && t.state == TaskState::Pending && t.delivery == last.delivery
            });
            if held && !(*job == request.job && new(*capture)) {
                last.alone = false;
                alone = false;
            }
        }
        alone
    }
}
