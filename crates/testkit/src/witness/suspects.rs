//! What the witness holds against hand-outs of suspects (docs/rules.md A6).

use trapline_core::{
    TaskState,
    ports::{GrantRequest, Granted, Want},
};

use super::{Inner, Key, Witness};

impl Witness {
    /// A suspect is alone in its answer, and its worker has nothing else to do, if it is one process.
    pub(super) fn check_suspects(&self, inner: &mut Inner, request: &GrantRequest, granted: &Granted) {
        let rows = self.store.rows();
        let is_suspect = |key: &Key| {
            let task = rows.task(key.0, key.1);
            task.is_some_and(|t| t.suspect && t.state == TaskState::Pending && t.grant.is_some())
        };
        let handed = granted.tasks.iter().map(|t| (request.job, t.capture));
        let suspects = handed.filter(|key| is_suspect(key)).count();
        let expected = usize::from(request.want != Want::Batch);
        if suspects != expected || (suspects > 0 && granted.tasks.len() > 1) {
            let what = format!(
                "{suspects} suspect(s) in an answer of {} for a {:?} of job {}",
                granted.tasks.len(),
                request.want,
                request.job
            );
            self.blame(inner, what);
        }
        if !self.promises.one_process_each {
            return;
        }
        let held = inner.handed.iter().find(|(key, all)| {
            let of_worker = all
                .last()
                .is_some_and(|h| h.worker == request.worker && h.suspect && !h.ended);
            of_worker && is_suspect(key)
        });
        if let Some((key, _)) = held {
            let what = format!(
                "worker {} is given more while it holds the suspect {key:?}",
                request.worker
            );
            self.blame(inner, what);
        }
    }
}
