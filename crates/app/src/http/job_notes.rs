//! The lines in a job's log of who took tasks and who posted results, in upstream's words: operators look for them. One
//! per answer, not per image. Of a token they hold no more than the start that may be shown.

use trapline_core::{
    JobId,
    error::chain,
    ports::{JobHead, Level, LogLine},
};
use trapline_engine::Reservation;
use trapline_wire as wire;

use super::{AppState, Principal};

/// Who asked, as upstream names it. A name begins no line of its own.
fn actor(principal: &Principal) -> String {
    let name = principal.name.replace(char::is_control, " ");
    format!("user={name}, token_id={}…", principal.prefix)
}

fn line(job: JobId, message: String) -> LogLine {
    LogLine {
        job,
        level: Level::Info,
        message,
        capture: None,
    }
}

/// Tasks were handed out.
pub(super) fn fetched(app: &AppState, principal: &Principal, requested: usize, reservation: &Reservation) {
    let delivered = reservation.tasks.len();
    if delivered > 0 {
        let who = actor(principal);
        let message = format!("Tasks fetched: requested={requested}, delivered={delivered}, {who}");
        app.engine.log_soon(line(reservation.job, message));
    }
}

/// None were, because the job does not run.
pub(super) fn fetched_none(app: &AppState, principal: &Principal, head: &JobHead) {
    if !head.status.is_active() {
        let who = actor(principal);
        let status = head.status;
        let message = format!("Tasks requested for non-active job (status={status}); returning empty. {who}");
        app.engine.log_soon_once(line(head.job, message));
    }
}

/// Results were saved: the first of a post, and how many there were.
pub(super) fn posted(
    app: &AppState,
    principal: &Principal,
    job: JobId,
    queued: usize,
    tasks: &[wire::ResultStatus],
) {
    let Some(first) = tasks.iter().find(|t| t.status == "queued") else {
        return;
    };
    let message = format!(
        "Queued pipeline result: task_id={}, reply_subject={}, queued={queued}, rejected={}, {}",
        first.task_id,
        first.receipt,
        tasks.len() - queued,
        actor(principal)
    );
    app.engine.log_soon(line(job, message));
}

/// Somebody did something with a job on the web interface.
pub(crate) fn done_on_page(app: &AppState, principal: &Principal, job: JobId, what: &str) {
    let who = actor(principal);
    app.engine.log_soon(line(
        job,
        format!("`{what}` was done on the web interface by {who}"),
    ));
}

impl AppState {
    /// Writes the lines that wait before a log is read: whoever looks right after a call finds its line.
    pub(crate) async fn tell_notes(&self) {
        if let Err(error) = self.engine.write_log().await {
            tracing::warn!(error = chain(&error), "lines of jobs' logs are not written yet");
        }
    }
}
