//! NATS and its JetStream, as the queue uses them. Losing it costs a look-up in the store for each task; a version that loses
//! streams is called unsafe all the same, because other users of it rely on it.

mod facts;
mod monitor;

use std::collections::BTreeSet;

use serde_json::Value;
use trapline_core::{Clock, doctor, doctor::Check};

use self::facts::ask;
pub use self::facts::{Facts, Server};
use super::{asked, version};
use crate::{JetStreamOptions, JetStreamQueue};

/// The oldest version that the queue is tested on.
const OLDEST: (u64, u64, u64) = (2, 9, 0);
/// The first version that can be told to sync each message.
const SYNCS: (u64, u64, u64) = (2, 10, 0);

/// Asks and judges. `monitors` are the addresses of the servers' monitoring; if there are none, they are guessed.
pub async fn examine(
    url: &str,
    options: &JetStreamOptions,
    monitors: &[String],
    clock: &dyn Clock,
) -> Vec<Check> {
    let advice = "start it, or correct `queue` and `queue_credentials`; until then tasks are handed out from the store";
    match asked("nats.server", ask(url, options, clock), advice).await {
        Ok(facts) if monitors.is_empty() => {
            let guessed = facts.servers.iter().filter_map(|s| {
                let (host, _) = s.address.rsplit_once(':')?;
                Some(format!("{host}:{}", monitor::PORT))
            });
            let guessed: BTreeSet<String> = guessed.collect();
            let answers = monitor::ask(&Vec::from_iter(guessed)).await;
            judge(&facts, options, &answers)
        }
        Ok(facts) => judge(&facts, options, &monitor::ask(monitors).await),
        Err(none) => vec![none],
    }
}

/// `monitors` are the answers of those that gave one.
fn judge(facts: &Facts, options: &JetStreamOptions, monitors: &[Value]) -> Vec<Check> {
    let mut checks = vec![release(facts)];
    if !facts.away.is_empty() {
        let advice = "start it: with another one away, streams with replicas may be away too";
        checks.push(Check::warn("nats.server", facts.away.join("; "), advice));
    }
    checks.push(jetstream(facts));
    if facts.jetstream.is_ok() {
        checks.extend([
            sync(facts, monitors),
            replicas(facts, options),
            limits(facts, options),
        ]);
        checks.extend(streams(facts, options));
    }
    if let Some((before, theirs, after)) = facts.clocks {
        checks.push(doctor::clock("nats.clock", before, theirs, after));
    }
    checks
}

fn release(facts: &Facts) -> Check {
    let seen: Vec<String> = facts
        .servers
        .iter()
        .map(|s| format!("{} at {}", s.version, s.address))
        .collect();
    let seen = seen.join(", ");
    let any = |wrong: fn(&str) -> bool| facts.servers.iter().any(|s| wrong(&s.version));
    if any(|v| version(v) < OLDEST) {
        return Check::fail("nats.version", seen, "use NATS 2.10.23 or newer");
    }
    let advice = "use NATS 2.10.23 or newer: older ones lose whole streams when they are killed";
    Check::that(
        !any(|v| !JetStreamQueue::is_safe_version(v)),
        Check::ok("nats.version", &seen),
        Check::fail("nats.version", format!("unsafe: {seen}"), advice),
    )
}

fn jetstream(facts: &Facts) -> Check {
    match &facts.jetstream {
        Ok(_) => Check::ok("nats.jetstream", "on"),
        Err(why) => Check::fail(
            "nats.jetstream",
            why,
            "turn JetStream on (`jetstream {}` in nats.conf), and allow it to this account",
        ),
    }
}

/// Whether the disk has a message before it is answered. Only the servers' monitoring tells.
fn sync(facts: &Facts, monitors: &[Value]) -> Check {
    const ADVICE: &str = "set `sync_interval: always` in the block `jetstream` of nats.conf: without it a power cut takes the \
                          messages of the last two minutes, which the store then hands out instead";
    let syncs = monitors
        .iter()
        .filter(|m| m["config"]["sync_always"] == true)
        .count();
    let told = monitors.iter().filter(|m| m["config"].is_object()).count();
    match (told, syncs) {
        (0, _) if facts.servers.iter().all(|s| version(&s.version) < SYNCS) => Check::warn(
            "nats.sync_always",
            "this version can't sync each message",
            "use NATS 2.10.23 or newer",
        ),
        (0, _) => Check::warn(
            "nats.sync_always",
            "can't be seen: no server's monitoring answers",
            format!("name it with --nats-monitor HOST:8222, or look yourself; {ADVICE}"),
        ),
        (told, syncs) if told == syncs => Check::ok("nats.sync_always", format!("on at {syncs} of {told}")),
        (told, syncs) => Check::warn("nats.sync_always", format!("on at {syncs} of {told}"), ADVICE),
    }
}

fn replicas(facts: &Facts, options: &JetStreamOptions) -> Check {
    let (wanted, size) = (options.replicas, facts.cluster_size);
    let seen = format!("{wanted} replica(s) per stream, {size} server(s)");
    match (wanted, size) {
        (wanted, size) if wanted > size => Check::fail(
            "nats.replicas",
            seen,
            "set `queue_replicas` to no more than there are servers, or add servers: no stream can be made",
        ),
        (1, 1) => Check::warn(
            "nats.replicas",
            seen,
            "use three servers and `queue_replicas = 3`, or accept that tasks are handed out from the store while this one is away",
        ),
        (1, _) => Check::warn(
            "nats.replicas",
            seen,
            "set `queue_replicas = 3`: each job's stream is away with one of the servers",
        ),
        _ => Check::ok("nats.replicas", seen),
    }
}

fn limits(facts: &Facts, options: &JetStreamOptions) -> Check {
    let limit = |name: &str| {
        let account = facts.jetstream.as_ref().ok()?;
        account["limits"][name].as_i64().filter(|n| *n > 0)
    };
    let (streams, pending) = (limit("max_streams"), limit("max_ack_pending"));
    let shown = |n: Option<i64>| n.map_or_else(|| "no limit".to_owned(), |n| n.to_string());
    let seen = format!("streams: {}, unacknowledged: {}", shown(streams), shown(pending));
    let jobs = i64::try_from(options.max_projected_jobs).unwrap_or(i64::MAX);
    if pending.is_some_and(|n| n < i64::from(options.max_ack_pending)) {
        let advice = "lower `max_ack_pending`, or raise the account's: no consumer can be made";
        return Check::fail("nats.limits", seen, advice);
    }
    if streams.is_some_and(|n| n < jobs) {
        let advice = "lower `max_projected_jobs`, or raise the account's streams";
        return Check::warn("nats.limits", seen, advice);
    }
    Check::ok("nats.limits", seen)
}

/// Of the streams that are there.
fn streams(facts: &Facts, options: &JetStreamOptions) -> Vec<Check> {
    let wanted = options.replicas as u64;
    let other = facts
        .streams
        .iter()
        .filter(|s| s["config"]["num_replicas"].as_u64().unwrap_or(1) != wanted)
        .count();
    let behind = |s: &Value| {
        let replicas = s["cluster"]["replicas"].as_array();
        replicas.is_some_and(|all| all.iter().any(|r| r["offline"] == true || r["current"] == false))
    };
    let lagging = facts.streams.iter().filter(|s| behind(s)).count();
    let mut checks = Vec::new();
    if other > 0 {
        checks.push(Check::warn(
            "nats.streams",
            format!("{other} of {} have other replicas", facts.streams.len()),
            "nothing: each is brought up to the settings when a node next publishes to it",
        ));
    }
    if lagging > 0 {
        checks.push(Check::warn(
            "nats.streams",
            format!(
                "{lagging} of {} have a replica that is away or behind",
                facts.streams.len()
            ),
            "see that every server of the cluster runs and has room on its disk",
        ));
    }
    checks
}

#[cfg(test)]
mod tests;
