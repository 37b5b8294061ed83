//! The reports of the health check, as a page shows them.

use trapline_core::{
    JobId,
    health::{Action, CheckReport, TickReport},
    words::{count, counted},
};

use super::{
    page::with_query,
    words::{Time, took, visible},
};
use crate::http::{ApiError, AppState, Params};

/// Ticks of a page.
const PAGE: usize = 20;
/// Ticks that are looked at for those that fixed something.
const EXAMINED_MAX: usize = 200;
const SLICE: u64 = 50;
/// Findings of a check that are shown.
const FINDINGS_MAX: usize = 20;

/// What a check did about one job.
pub(super) struct Finding {
    pub(super) job: JobId,
    pub(super) text: String,
}

pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) numbers: String,
    pub(super) error: Option<String>,
    pub(super) findings: Vec<Finding>,
    /// How many others there are; empty if there are none.
    pub(super) more: String,
}

impl Check {
    fn new(name: &'static str, of: &CheckReport) -> Self {
        let finding = |f: &trapline_core::health::Finding| Finding {
            job: f.job,
            text: match f.detail.as_str() {
                "" => did(f.did).to_owned(),
                detail => format!("{}: {}", did(f.did), visible(detail)),
            },
        };
        let more = of.findings.len().saturating_sub(FINDINGS_MAX);
        Self {
            name: check_name(name),
            numbers: format!(
                "{} checked, {} fixed, {} not fixed",
                count(of.checked),
                count(of.fixed),
                count(of.unfixable)
            ),
            error: of.error.as_deref().map(visible),
            findings: of.findings.iter().take(FINDINGS_MAX).map(finding).collect(),
            more: match more {
                0 => String::new(),
                more => count(more as u64),
            },
        }
    }
}

fn check_name(name: &'static str) -> &'static str {
    match name {
        "lost_images" => "Lost images",
        "missing_queues" => "Missing queues",
        "stale_jobs" => "Stale jobs",
        "running_job_snapshots" => "Running jobs",
        "zombie_streams" => "Left queues",
        other => other,
    }
}

fn did(action: Action) -> &'static str {
    match action {
        Action::MarkedLost => "images were given up as lost",
        Action::Freed => "images were offered again",
        Action::Raced => "a result came, nothing was done",
        Action::Projected => "its queue or counts were made anew",
        Action::QueueIncomplete => "its queue is short",
        Action::ProgressStale => "its counts are behind",
        Action::Landed => "it was landed",
        Action::Reaped => "it was stopped as a last resort",
        Action::Removed => "its queue was removed",
        Action::Failed => "it could not be set right",
    }
}

/// A tick of the health check.
pub(super) struct Tick {
    pub(super) at: Time,
    pub(super) took: String,
    pub(super) node: String,
    /// What it did, in a line.
    pub(super) sum: String,
    pub(super) tone: &'static str,
    pub(super) checks: Vec<Check>,
}

/// Whether it set anything right, or could not.
fn did_something(tick: &TickReport) -> bool {
    let checks = tick.checks();
    checks
        .iter()
        .any(|(_, c)| c.fixed + c.unfixable > 0 || c.error.is_some())
}

impl Tick {
    pub(super) fn new(app: &AppState, of: &TickReport) -> Self {
        let sum = |n: fn(&CheckReport) -> u64| of.checks().iter().map(|(_, c)| n(c)).sum::<u64>();
        let (fixed, unfixable) = (sum(|c| c.fixed), sum(|c| c.unfixable));
        let broken = of.checks().iter().filter(|(_, c)| c.error.is_some()).count() as u64;
        let mut words = vec![match fixed {
            0 => "nothing to fix".to_owned(),
            n => format!("{} fixed", count(n)),
        }];
        words.extend((unfixable > 0).then(|| format!("{} not fixed", count(unfixable))));
        words.extend((broken > 0).then(|| format!("{} broke off", counted(broken, "check"))));
        Self {
            at: Time::new(app.engine.shown(of.started_at), app.engine.wall_now()),
            took: took(of.finished_at.since(of.started_at)),
            node: visible(&of.node),
            sum: words.join(", "),
            tone: match (unfixable + broken, fixed) {
                (0, 0) => "wait",
                (0, _) => "ok",
                _ => "fail",
            },
            checks: of.checks().iter().map(|(name, c)| Check::new(name, c)).collect(),
        }
    }
}

/// The reports that are shown.
pub(super) struct Ticks {
    pub(super) rows: Vec<Tick>,
    pub(super) all: bool,
    /// How many were looked at.
    pub(super) examined: String,
    pub(super) next: Option<String>,
}

impl Ticks {
    pub(super) async fn read(app: &AppState, params: &Params) -> Result<Self, ApiError> {
        let (all, mut before) = (params.has("all"), params.int("before")?);
        let (mut rows, mut examined, mut is_last) = (Vec::new(), 0, false);
        while rows.len() < PAGE && examined < EXAMINED_MAX && !is_last {
            let found = app.engine.ticks(before, SLICE).await?;
            is_last = (found.len() as u64) < SLICE;
            for (key, tick) in found {
                (before, examined) = (Some(key), examined + 1);
                if all || did_something(&tick) {
                    rows.push(Tick::new(app, &tick));
                }
                if rows.len() == PAGE {
                    is_last = false;
                    break;
                }
            }
        }
        let next = before.filter(|_| !is_last).map(|key| {
            let query = all.then(|| ("all", "1".to_owned())).into_iter();
            with_query("/health", query.chain([("before", key.to_string())]))
        });
        Ok(Self {
            rows,
            all,
            examined: counted(examined as u64, "check"),
            next,
        })
    }
}
