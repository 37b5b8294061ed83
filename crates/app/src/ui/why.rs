//! Why a job is not moving: the sentence, what it is told by, what happens next, and what somebody can do.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use trapline_core::{
    JobId, Timestamp, WorkerId,
    explain::{Explanation, Reach},
    ports::Job,
    roster::Presence,
    words::{count, counted, when},
};

use super::{
    actions::{self, Offered},
    page::{PageError, render},
    session::Visitor,
    words::{Time, visible},
};
use crate::http::{Access, AppState};

/// Workers that drain and are named.
const DRAINING_MAX: usize = 10;

/// What is known of why a job is not moving.
pub(super) struct Why {
    pub(super) job: JobId,
    pub(super) sentence: String,
    pub(super) next: String,
    pub(super) evidence: Vec<String>,
    pub(super) workers: Vec<(String, Time)>,
    /// How many images failed; empty if none did.
    pub(super) failed: String,
    /// The pipeline for which no worker was seen.
    pub(super) unserved: Option<String>,
    /// Whether whoever looks may make a token for one.
    pub(super) makes_tokens: bool,
    /// Workers of its pipeline that are handed nothing, and whether whoever looks may end that.
    pub(super) draining: Vec<(WorkerId, String)>,
    pub(super) drains: bool,
    pub(super) actions: Vec<Offered>,
}

/// The part of a job's page that is read again while it is open.
#[derive(Template)]
#[template(path = "parts/why.html")]
struct WhyPart {
    why: Why,
}

impl Why {
    pub(super) async fn read(app: &AppState, visitor: &Visitor, job: &Job) -> Result<Self, PageError> {
        let of = app.engine.explain(job.id).await?;
        let now = app.engine.wall_now();
        let slug = job.pipeline.as_ref().map(|(_, slug)| visible(slug));
        let waits = job.status.is_running() && of.workers.is_empty();
        Ok(Self {
            job: job.id,
            // Quotes of names are for terminals and programs.
            sentence: visible(&of.sentence).replace('`', ""),
            next: match of.next.at {
                Some(at) => format!("{} ({})", of.next.action, when(at, now)),
                None => of.next.action.to_owned(),
            },
            evidence: evidence(&of, now),
            workers: of
                .workers
                .iter()
                .map(|w| (visible(&w.name), Time::new(w.last_seen, now)))
                .collect(),
            failed: match job.counts.failed {
                0 => String::new(),
                n => counted(n, "image"),
            },
            unserved: slug.filter(|_| waits),
            makes_tokens: visitor.principal.is_unbound_admin(),
            draining: draining(app, visitor, job).await?,
            drains: visitor.principal.may(Access::Admin),
            actions: actions::offered(job, &visitor.principal),
        })
    }

    pub(super) fn part(self) -> Response {
        render(StatusCode::OK, &WhyPart { why: self })
    }
}

/// Workers of its pipeline that drain, among those that the visitor sees.
async fn draining(
    app: &AppState,
    visitor: &Visitor,
    job: &Job,
) -> Result<Vec<(WorkerId, String)>, PageError> {
    let Some((_, slug)) = job.pipeline.as_ref().filter(|_| job.status.is_running()) else {
        return Ok(Vec::new());
    };
    let roster = app.engine.roster().await?;
    let drain = roster.members.iter().filter(|m| {
        let is_here = m.row.draining && m.presence == Presence::Live;
        is_here && m.row.pipelines.contains(slug) && visitor.principal.sees_worker(m)
    });
    let named = drain.take(DRAINING_MAX).map(|m| (m.row.id, visible(&m.row.name)));
    Ok(named.collect())
}

fn evidence(of: &Explanation, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(lease) = of.oldest_lease.as_ref().filter(|_| of.leases_out > 0) {
        let seen = lease.last_seen.map_or_else(String::new, |at| {
            format!(", which was last seen {}", when(at, now))
        });
        lines.push(format!(
            "{} at workers; the oldest was handed out {} to {}{seen}.",
            counted(of.leases_out, "image"),
            when(lease.granted_at, now),
            visible(&lease.worker)
        ));
    }
    if let Some(queue) = &of.queue_counters {
        lines.push(format!(
            "The queue offers {} and waits for the answers of {}.",
            counted(queue.num_pending, "image"),
            count(queue.num_ack_pending)
        ));
    }
    for (name, reach) in [
        ("store", &of.store),
        ("queue", &of.queue),
        ("progress", &of.progress),
    ] {
        if let Reach::Unreachable(why) = reach {
            lines.push(format!("The {name} can't be reached: {}", visible(why)));
        }
    }
    if let Some(at) = of.last_tick_at {
        lines.push(format!("The last health check began {}.", when(at, now)));
    }
    lines
}
