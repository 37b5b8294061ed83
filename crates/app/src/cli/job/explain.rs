//! `trapline job explain`: the sentence, then the evidence, as far as there is any.

use trapline_core::{
    Clock as _, Timestamp,
    words::{about, count, counted, when},
};
use trapline_engine::SystemClock;
use trapline_wire as wire;

use super::{
    super::{
        answer::Answer,
        client::Query,
        exit::{CliResult, Exit},
        output::{self, ago, clean},
    },
    Context, JobId,
};

pub(super) async fn run(context: &Context, id: &JobId) -> CliResult {
    let path = format!("{}explain/", id.path());
    let body: Answer<wire::Explanation> = context.client.get(&path, &Query::new()).await?;
    if context.json {
        output::json(&body)?;
        return Ok(Exit::Done);
    }
    output::prose(clean(&body.sentence))?;
    evidence(&body, SystemClock::new().now())
        .iter()
        .try_for_each(output::prose)?;
    Ok(Exit::Done)
}

/// What the sentence is made of, in lines.
fn evidence(body: &wire::Explanation, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(
        body.status
            .iter()
            .map(|status| format!("  status: {}", clean(status))),
    );
    lines.extend(body.counts.map(|counts| format!("  images: {}", images(&counts))));
    if matches!(body.status.as_deref(), Some("SUCCESS" | "FAILURE" | "REVOKED")) {
        let counts = body.counts.unwrap_or_default();
        lines.push(format!("  next: {}", after_its_end(body.job, &counts)));
        return lines;
    }
    lines.extend(
        body.workers
            .iter()
            .map(|worker| format!("  worker {}", worker_now(worker, now))),
    );
    lines.extend(
        body.oldest_lease
            .iter()
            .filter_map(|lease| Some(format!("  oldest lease: {}", oldest_lease(lease, now)?))),
    );
    for (name, how) in [
        ("store", &body.store),
        ("queue", &body.queue),
        ("progress", &body.progress),
    ] {
        lines.extend(reach(how).map(|how| format!("  {name}: {how}")));
    }
    lines.extend(
        body.queue_counters
            .iter()
            .map(|queue| format!("  queue: {}", candidates(queue))),
    );
    let tick = ago(body.last_tick_at.as_deref(), now);
    lines.extend(tick.map(|at| format!("  last health check: {at}")));
    let step = body.clock_step.as_ref().and_then(|step| clock_step(step, now));
    lines.extend(step.map(|step| format!("  clock: {step}")));
    lines.extend(next(&body.next, now).map(|next| format!("  next: {next}")));
    lines
}

/// What a person may do with a job that has ended.
fn after_its_end(job: i64, counts: &wire::Counts) -> String {
    match (counts.failed, counts.pending + counts.in_flight) {
        (0, 0) => "nothing is left to do".to_owned(),
        (0, _) => format!("`trapline job retry-failed {job}` goes on with the rest"),
        _ => format!(
            "`trapline job images {job} --state failed` says why; `trapline job retry-failed {job}` tries again"
        ),
    }
}

/// `3 pending, 17 processed, 2 failed of 22`.
fn images(counts: &wire::Counts) -> String {
    let parts = [
        (counts.pending, "pending"),
        (counts.in_flight, "with workers"),
        (counts.processed, "processed"),
        (counts.failed, "failed"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(number)))
        .collect();
    let skipped = match counts.skipped {
        0 => String::new(),
        skipped => format!("; {} skipped, processed before", count(skipped)),
    };
    match (parts.is_empty(), counts.total) {
        (true, 0) => format!("none{skipped}"),
        (true, total) => format!("{}{skipped}", count(total)),
        (false, total) => format!("{} of {}{skipped}", parts.join(", "), count(total)),
    }
}

fn worker_now(worker: &wire::WorkerSeen, now: Timestamp) -> String {
    let seen = ago(worker.last_seen.as_str(), now).map_or_else(String::new, |at| format!(": seen {at}"));
    let busy = match (worker.busy_with, worker.busy_elsewhere) {
        (Some(job), _) => format!(", busy with job {job}"),
        (None, true) => ", busy with a job of another project".to_owned(),
        (None, false) => String::new(),
    };
    let drains = if worker.draining { ", drains" } else { "" };
    format!("{}{seen}{busy}{drains}", clean(&worker.name))
}

fn oldest_lease(lease: &wire::OldestLease, now: Timestamp) -> Option<String> {
    let granted = Timestamp::parse(&lease.granted_at).ok()?;
    let mut text = format!(
        "held by {} for {}",
        clean(&lease.worker),
        about(now.since(granted))
    );
    if let Ok(until) = Timestamp::parse(&lease.lease_until) {
        let ends = if until > now { "ends" } else { "ended" };
        text += &format!(", {ends} {}", when(until, now));
    }
    if let Some(seen) = ago(lease.last_seen.as_deref(), now) {
        text += &format!(", its worker was seen {seen}");
    }
    Some(text)
}

/// How a dependency is that is not well.
fn reach(how: &wire::Reach) -> Option<String> {
    let detail = how.detail.as_ref();
    let detail = detail.map_or_else(String::new, |why| format!(": {}", clean(why)));
    match &*how.state {
        "" | "ok" => None,
        "gone" => Some("has nothing of this job".to_owned()),
        "unreachable" => Some(format!("can't be reached{detail}")),
        other => Some(format!("{}{detail}", clean(other))),
    }
}

fn candidates(queue: &wire::QueueCounters) -> String {
    let mut text = counted(queue.num_pending, "candidate");
    for (number, what) in [
        (queue.num_ack_pending, "proposed"),
        (queue.num_redelivered, "proposed again"),
    ] {
        if number > 0 {
            text += &format!(", {} {what}", count(number));
        }
    }
    text
}

fn clock_step(step: &wire::ClockStep, now: Timestamp) -> Option<String> {
    let way = if step.by_seconds < 0 { "back" } else { "forward" };
    let at = ago(step.at.as_str(), now)?;
    let length = about(std::time::Duration::from_secs(step.by_seconds.unsigned_abs()));
    Some(format!("the store's was set {way} by {length}, {at}"))
}

fn next(next: &wire::Next, now: Timestamp) -> Option<String> {
    let action = Some(clean(&next.action)).filter(|action| !action.is_empty())?;
    let at = next.at.as_deref().and_then(|at| Timestamp::parse(at).ok());
    Some(match at {
        None => action,
        Some(at) if at <= now => format!("{action}, due now"),
        Some(at) => format!("{action}, {}", when(at, now)),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn at(seconds: i64) -> Timestamp {
        Timestamp(NOW.0 + seconds * 1_000_000)
    }

    fn said(body: &Value) -> Vec<String> {
        evidence(&serde_json::from_value(body.clone()).unwrap(), NOW)
    }

    #[test]
    fn what_is_known_of_a_job_under_way_is_told_in_words() {
        let body = json!({"job": 1, "sentence": "…", "status": "STARTED",
            "counts": {"total": 20_000, "pending": 1_200, "in_flight": 48, "processed": 18_750, "failed": 2},
            "workers": [{"name": "gpu-1", "last_seen": at(-3), "busy_with": 4, "busy_elsewhere": false},
                {"name": "gpu-2\u{1b}[2J", "last_seen": at(-200), "busy_with": null, "busy_elsewhere": true},
                {"name": "gpu-3", "last_seen": at(0), "busy_with": null, "busy_elsewhere": false, "draining": true}],
            "oldest_lease": {"granted_at": at(-130), "lease_until": at(170), "worker": "gpu-1", "last_seen": at(-3)},
            "store": {"state": "ok"}, "queue": {"state": "ok"}, "progress": {"state": "ok"},
            "queue_counters": {"job": 1, "num_pending": 1_100, "num_ack_pending": 100, "num_redelivered": 0},
            "last_tick_at": at(-61), "clock_step": {"at": at(-7_200), "by_seconds": -86_400},
            "next": {"action": "a result", "at": at(178)}});
        assert_eq!(
            said(&body),
            [
                "  status: STARTED",
                "  images: 1,200 pending, 48 with workers, 18,750 processed, 2 failed of 20,000",
                "  worker gpu-1: seen 3 s ago, busy with job 4",
                "  worker gpu-2 [2J: seen 3 min ago, busy with a job of another project",
                "  worker gpu-3: seen just now, drains",
                "  oldest lease: held by gpu-1 for 2 min, ends in 2 min, its worker was seen 3 s ago",
                "  queue: 1,100 candidates, 100 proposed",
                "  last health check: 1 min ago",
                "  clock: the store's was set back by 24 h, 2 h ago",
                "  next: a result, in 2 min",
            ]
        );
    }

    #[test]
    fn a_dependency_is_named_if_it_is_not_well_and_the_job_still_needs_it() {
        let away = json!({"state": "unreachable", "detail": "no answer within 2s"});
        let body = |status: &str| {
            json!({"status": status, "counts": {"total": 2, "processed": 2}, "store": {"state": "ok"},
                "queue": away, "progress": {"state": "gone"}, "queue_counters": null,
                "next": {"action": "the health check", "at": at(-5)}})
        };
        assert_eq!(
            said(&body("STARTED")),
            [
                "  status: STARTED",
                "  images: 2 processed of 2",
                "  queue: can't be reached: no answer within 2s",
                "  progress: has nothing of this job",
                "  next: the health check, due now",
            ]
        );
        assert_eq!(
            said(&body("SUCCESS")),
            [
                "  status: SUCCESS",
                "  images: 2 processed of 2",
                "  next: nothing is left to do"
            ]
        );
    }

    #[test]
    fn a_job_that_has_ended_says_what_can_be_done_with_the_rest() {
        let last = |status: &str, counts: Value| {
            said(&json!({"job": 7, "status": status, "counts": counts}))
                .pop()
                .unwrap()
        };
        assert_eq!(
            last("FAILURE", json!({"total": 2, "failed": 2})),
            "  next: `trapline job images 7 --state failed` says why; `trapline job retry-failed 7` tries again"
        );
        assert_eq!(
            last("REVOKED", json!({"total": 2, "pending": 2})),
            "  next: `trapline job retry-failed 7` goes on with the rest"
        );
    }

    #[test]
    fn what_is_not_there_is_not_told() {
        assert_eq!(said(&json!({})), Vec::<String>::new());
        let empty = json!({"status": "SUCCESS", "counts": {"total": 0, "skipped": 1_500}, "workers": [],
            "oldest_lease": null, "last_tick_at": null, "clock_step": null});
        assert_eq!(
            said(&empty),
            [
                "  status: SUCCESS",
                "  images: none; 1,500 skipped, processed before",
                "  next: nothing is left to do"
            ]
        );
        let step = json!({"clock_step": {"at": at(-5), "by_seconds": Duration::from_secs(90).as_secs()}});
        assert_eq!(
            said(&step),
            ["  clock: the store's was set forward by 1 min, 5 s ago"]
        );
    }
}
