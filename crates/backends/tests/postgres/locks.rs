//! What another transaction has locked: passed over, or waited for and seen as it was left.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use trapline_core::{
    CaptureId, JobId,
    job::JobMove,
    ports::{FreeCursor, Want},
};
use trapline_testkit::{
    ManualClock,
    conformance::{Grant, World},
};

use crate::{
    node,
    races::{another_job, check},
    support::Databases,
};

const START: FreeCursor = (i64::MIN, CaptureId(0));

/// A transaction of somebody else that holds these tasks of a job.
async fn holds(url: &str, job: JobId, captures: &[CaptureId]) -> PgConnection {
    let mut other = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql("BEGIN").execute(&mut other).await.unwrap();
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

async fn order(w: &World, job: JobId) -> Vec<CaptureId> {
    let page = w.store.free_tasks(job, START, 1_000).await.unwrap();
    page.into_iter().map(|(_, c)| c.capture).collect()
}

fn captures(grants: &[Grant]) -> Vec<CaptureId> {
    grants.iter().map(|g| g.0.capture).collect()
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

pub(crate) async fn a_hand_out_passes_over_what_somebody_holds(databases: Arc<Databases>) {
    let (w, url, job) = a_job(&databases, 8).await;
    let all = order(&w, job).await;
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
    other.close().await.unwrap();
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
        other.close().await.unwrap();
        while !w.grant_suspect(job, "rest").await.is_empty() {}
        w.outlive().await;
    }
    check(&w).await;
}

pub(crate) async fn a_deleted_job_stays_until_the_last_of_its_tasks_is_free(databases: Arc<Databases>) {
    let (w, url, job) = a_job(&databases, 5).await;
    let all = order(&w, job).await;
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
    other.close().await.unwrap();
    while w.store.purge().await.unwrap() {}
    assert_eq!(
        rows("tasks").await + rows("jobs").await + rows("run_specs").await + rows("job_logs").await,
        0
    );
}
