//! What another transaction has locked: passed over, or waited for and seen as it was left.

use std::{sync::Arc, time::Duration};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use trapline_core::{
    CaptureId, JobId, JobStatus,
    job::JobMove,
    ports::{GrantRequest, LeaseChange, LeasePolicy, Settled, SignOfLife, Want},
};
use trapline_testkit::{
    ManualClock,
    conformance::{Grant, World},
    until,
};

use crate::{
    node,
    races::{another_job, check},
    support::Databases,
};

const BOUND: Duration = Duration::from_secs(30);

/// A transaction of somebody else, after this statement.
async fn somebody(url: &str, sql: String) -> PgConnection {
    let mut other = PgConnection::connect(url).await.unwrap();
    for sql in ["BEGIN".to_owned(), sql] {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut other)
            .await
            .unwrap();
    }
    other
}

/// Ends it. A connection that is closed keeps its locks until the server hears of it.
async fn release(mut other: PgConnection) {
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
}

/// Waits until so many calls wait for a lock.
async fn wait(url: &str, calls: i64) {
    let mut asks = PgConnection::connect(url).await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    until("the calls wait", BOUND, async || {
        let waiting: i64 = sqlx::query_scalar(sql).fetch_one(&mut asks).await.unwrap();
        (waiting == calls)
            .then_some(())
            .ok_or_else(|| format!("{waiting} wait"))
    })
    .await;
}

/// Ends it once so many calls wait for what it holds.
async fn commits_when(url: &str, calls: i64, mut other: PgConnection) {
    wait(url, calls).await;
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
}

/// A transaction of somebody else that holds these tasks of a job.
async fn holds(url: &str, job: JobId, captures: &[CaptureId]) -> PgConnection {
    let mut other = somebody(url, "SELECT 1".to_owned()).await;
    let captures: Vec<i64> = captures.iter().map(|c| c.0).collect();
    let held = sqlx::query("SELECT 1 FROM tasks WHERE job_id = $1 AND capture_id = ANY ($2) FOR UPDATE")
        .bind(job.0)
        .bind(&captures)
        .fetch_all(&mut other)
        .await
        .unwrap();
    assert_eq!(held.len(), captures.len());
    other
}

fn captures(grants: &[Grant]) -> Vec<CaptureId> {
    grants.iter().map(|g| g.0.capture).collect()
}

/// How many free tasks of a job another transaction could hand out now.
async fn free(url: &str, job: JobId) -> i64 {
    let mut asks = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT 1 FROM tasks WHERE job_id = $1 AND state = 'pending' AND grant_id IS NULL \
         FOR UPDATE SKIP LOCKED) t",
    )
    .bind(job.0)
    .fetch_one(&mut asks)
    .await
    .unwrap()
}

/// A node on a fresh database, and a job of so many free tasks.
async fn a_job(databases: &Databases, of: usize) -> (World, String, JobId) {
    let url = databases.fresh().await;
    let w = node(&url, &ManualClock::new()).await;
    w.beat().await;
    let job = another_job(&w, of).await;
    w.collect().await;
    (w, url, job)
}

pub(crate) async fn a_hand_out_locks_no_more_than_it_hands_out(databases: Arc<Databases>) {
    let (w, url, job) = a_job(&databases, 12).await;
    let all = w.order(job).await;
    let worker = w.worker("a").await;
    // Only of what is proposed, only of what fills, and one that is proposed beside two that fill.
    for (n, (proposed, fill)) in [(0..6, false), (0..0, true), (6..7, true)]
        .into_iter()
        .enumerate()
    {
        // The grant waits with its tasks locked and no row of its own written.
        let other = somebody(&url, "LOCK TABLE grants IN SHARE ROW EXCLUSIVE MODE".to_owned()).await;
        let request = GrantRequest {
            candidates: all[proposed].to_vec(),
            fill,
            ..w.request(job, Want::Batch, 3, worker)
        };
        let look = async {
            wait(&url, 1).await;
            let free = free(&url, job).await;
            release(other).await;
            free
        };
        let (granted, free) = tokio::join!(w.store.grant(&request), look);
        assert_eq!(granted.unwrap().tasks.len(), 3, "round {n}");
        assert_eq!(free, 9 - 3 * n as i64, "round {n}");
    }
}

pub(crate) async fn a_hand_out_passes_over_what_somebody_holds(databases: Arc<Databases>) {
    let (w, url, job) = a_job(&databases, 8).await;
    let all = w.order(job).await;
    let other = holds(&url, job, &all[..2]).await;
    // It would wait for three seconds, and then be refused.
    let mut proposed = captures(&w.grant_of(job, Some(all[..5].to_vec()), 9, "a").await);
    let mut filled = captures(&w.grant_of(job, None, 9, "a").await);
    proposed.sort();
    filled.sort();
    let sorted = |part: &[CaptureId]| {
        let mut part = part.to_vec();
        part.sort();
        part
    };
    assert_eq!(proposed, sorted(&all[2..5]));
    assert_eq!(filled, sorted(&all[5..]));
    release(other).await;
    assert_eq!(captures(&w.grant_of(job, None, 9, "a").await), sorted(&all[..2]));
    // All are suspect now, then before their last tries.
    w.outlive().await;
    for (n, want) in [Want::Suspect, Want::LastTry { only: true }]
        .into_iter()
        .enumerate()
    {
        let other = holds(&url, job, &all[..1]).await;
        for (m, candidates) in [Some(all[..2].to_vec()), None].into_iter().enumerate() {
            let worker = w.worker(&format!("{n} {m}")).await;
            let (one, _) = w.hand_out(job, want, candidates, 1, worker).await;
            assert_eq!(captures(&one), [all[1 + m]], "{want:?}");
        }
        release(other).await;
        while !w.grant_suspect(job, "rest").await.is_empty() {}
        w.outlive().await;
    }
    check(&w).await;
}

pub(crate) async fn a_deleted_job_stays_until_the_last_of_its_tasks_is_free(databases: Arc<Databases>) {
    let (w, url, job) = a_job(&databases, 5).await;
    let all = w.order(job).await;
    for by in [JobMove::Cancel, JobMove::Revoke] {
        w.go(job, by).await;
    }
    w.store.delete_job(job, w.now()).await.unwrap();
    w.store.cleaned(job, 1).await.unwrap();
    let rows = async |table: &str| -> i64 {
        let column = if table == "jobs" { "id" } else { "job_id" };
        let sql = format!("SELECT count(*) FROM {table} WHERE {column} = {job}");
        let mut asks = PgConnection::connect(&url).await.unwrap();
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut asks)
            .await
            .unwrap()
    };
    w.store
        .log(
            &[trapline_core::ports::LogLine {
                job,
                level: trapline_core::ports::Level::Info,
                message: "late".into(),
                capture: None,
            }],
            w.now(),
        )
        .await
        .unwrap();
    let other = holds(&url, job, &all[2..3]).await;
    for _ in 0..5 {
        assert!(w.store.purge().await.unwrap(), "there is more");
    }
    let left = [
        rows("tasks").await,
        rows("jobs").await,
        rows("run_specs").await,
        rows("job_logs").await,
    ];
    assert_eq!(
        left,
        [1, 1, 1, 1],
        "a late result of the task that is held needs them"
    );
    release(other).await;
    while w.store.purge().await.unwrap() {}
    assert_eq!(
        rows("tasks").await + rows("jobs").await + rows("run_specs").await + rows("job_logs").await,
        0
    );
}

pub(crate) async fn a_sweep_passes_over_what_is_being_answered(databases: Arc<Databases>) {
    let (w, url, job) = a_job(&databases, 6).await;
    let (held, free) = (w.grant(job, 3, "held").await, w.grant(job, 2, "free").await);
    w.pass(65);
    for locked in ["tasks WHERE capture_id", "grants WHERE captures[1]"] {
        let first = captures(&held).into_iter().min().unwrap();
        let other = somebody(&url, format!("SELECT 1 FROM {locked} = {first} FOR UPDATE")).await;
        let freed = w.sweep().await.freed;
        let expected = if locked.starts_with("tasks") {
            free.len()
        } else {
            0
        };
        assert_eq!(freed.len(), expected, "{locked}: nothing of its worker");
        release(other).await;
    }
    assert_eq!(w.sweep().await.freed.len(), held.len());
    check(&w).await;
}

pub(crate) async fn the_last_tries_of_a_smaller_budget_pass_over_what_somebody_holds(
    databases: Arc<Databases>,
) {
    let (w, url, job) = a_job(&databases, 3).await;
    let tasks = w.grant(job, 3, "w").await;
    w.succeed(tasks[0], 0).await;
    w.outlive().await;
    let smaller = LeasePolicy {
        max_deliver: 1,
        ..w.policy()
    };
    let waiting = async || w.store.waiting_jobs(&[], None, 1).await.unwrap().len();
    let other = holds(&url, job, &captures(&tasks[1..])).await;
    w.store.sweep(&smaller, None, w.now()).await.unwrap();
    assert_eq!(waiting().await, 0);
    release(other).await;
    w.store.sweep(&smaller, None, w.now()).await.unwrap();
    assert_eq!(waiting().await, 1);
}

/// Another node ends the lease, and hands the task out anew, while the request waits for its row.
pub(crate) async fn a_lease_that_ended_while_its_change_waited_is_over(databases: Arc<Databases>) {
    for change in [
        LeaseChange::Extend,
        LeaseChange::Release,
        LeaseChange::Undelivered,
    ] {
        let (w, url, job) = a_job(&databases, 1).await;
        let held = [w.grant(job, 1, "w").await[0].0];
        let again = format!("UPDATE tasks SET delivery = delivery + 1 WHERE job_id = {job}");
        let other = somebody(&url, again).await;
        let (policy, now) = (w.policy(), w.now());
        let changed = w.store.change_leases(change, &held, &policy, now);
        let (changed, ()) = tokio::join!(changed, commits_when(&url, 1, other));
        let (answers, freed) = changed.unwrap();
        assert!(answers[0].is_err() && freed.is_empty(), "{change:?}");
        assert_eq!(w.counts(job).await, [1, 0, 1, 0, 0], "{change:?}");
    }
}

pub(crate) async fn a_result_that_waited_for_another_of_its_task_is_a_replay(databases: Arc<Databases>) {
    let (w, url, job) = a_job(&databases, 1).await;
    let task = w.grant(job, 1, "w").await[0];
    let settled =
        "UPDATE tasks SET state = 'processed', grant_id = NULL, lease_until = NULL, settled_at = granted_at";
    let other = somebody(&url, format!("{settled}; UPDATE jobs SET processed = 1")).await;
    let (late, ()) = tokio::join!(w.succeed(task, 1), commits_when(&url, 1, other));
    assert!(matches!(late, Settled::Ignored(_)), "{late:?}");
    assert_eq!(w.counts(job).await, [1, 0, 0, 1, 0]);
}

pub(crate) async fn a_job_that_was_claimed_while_a_claim_waited_is_not_claimed_again(
    databases: Arc<Databases>,
) {
    let (w, url, _) = a_job(&databases, 1).await;
    another_job(&w, 3).await;
    let until = w.now().plus(BOUND).0;
    let taken =
        format!("UPDATE jobs SET dispatch_until = {until}, status = 'STARTED' WHERE status = 'PENDING'");
    let other = somebody(&url, taken).await;
    let claim = w.store.claim_job(w.now(), BOUND, 7);
    let (claim, ()) = tokio::join!(claim, commits_when(&url, 1, other));
    assert_eq!(claim.unwrap(), None);
}

pub(crate) async fn a_verb_that_waited_acts_on_the_job_as_it_was_left(databases: Arc<Databases>) {
    let (w, url, job) = a_job(&databases, 1).await;
    let other = somebody(&url, "UPDATE jobs SET status = 'REVOKED'".to_owned()).await;
    let cancel = w.go(job, JobMove::Cancel);
    let (moved, ()) = tokio::join!(cancel, commits_when(&url, 1, other));
    assert_eq!(moved, (JobStatus::Revoked, false));
}

/// An answer to an earlier task came to another node at the same time, and both keep what they are about.
pub(crate) async fn signs_of_life_of_two_nodes_add_up(databases: Arc<Databases>) {
    let (a, url, job) = a_job(&databases, 2).await;
    let b = node(&url, &a.clock).await;
    let early = a.grant(job, 1, "w").await[0].0;
    a.pass(9);
    let late = a.grant(job, 1, "w").await[0].0;
    a.pass(41);
    let sign = async |w: &World, reserved_at| {
        let sign = SignOfLife {
            worker: early.worker,
            seen_at: w.now(),
            reserved_at: Some(reserved_at),
            pipelines: vec![],
        };
        w.store.keep_alive(&[sign], &w.policy(), w.now()).await.unwrap();
    };
    // Both wait for the worker's row, and the second must see what the first wrote.
    let other = somebody(&url, "SELECT 1 FROM workers FOR UPDATE".to_owned()).await;
    let second = async {
        wait(&url, 1).await;
        sign(&b, late.granted_at).await;
    };
    tokio::join!(sign(&a, early.granted_at), second, commits_when(&url, 2, other));
    a.pass(50);
    a.sweep().await;
    assert_eq!(a.counts(job).await, [2, 0, 2, 0, 0], "both live");
}
