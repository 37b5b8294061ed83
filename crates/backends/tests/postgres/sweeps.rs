//! Background writers against results: they skip what is being settled, and lose nothing by it.

use std::sync::Arc;

use trapline_core::{
    JobStatus,
    health::LostTasks,
    job::JobMove,
    ports::{MarkLost, Settled},
};
use trapline_testkit::conformance::World;

use crate::{
    races::{another_job, check, log, success},
    support::Databases,
    two_nodes,
};

pub(crate) async fn a_result_against_the_sweep_of_its_lease_is_one_outcome(databases: Arc<Databases>) {
    let (a, b) = two_nodes(&databases).await;
    for turn in 0..60 {
        let job = another_job(&a, 1).await;
        a.collect().await;
        // Every other time it is the last strike.
        if turn % 2 == 0 {
            a.grant(job, 1, "w").await;
            a.pass(65);
            a.sweep().await;
        }
        let task = a.grant(job, 1, "w").await[0];
        a.pass(65);
        let (settled, _) = tokio::join!(a.succeed(task, 1), b.sweep());
        assert_eq!(settled, Settled::Saved);
        a.sweep().await;
        assert_eq!(a.counts(job).await, [1, 0, 0, 1, 0]);
        assert!(a.job(job).await.status.is_final());
    }
    check(&a).await;
}

pub(crate) async fn an_answer_against_the_sweep_of_its_grant_leaves_no_suspects(databases: Arc<Databases>) {
    let (a, b) = two_nodes(&databases).await;
    for turn in 0..40 {
        let job = another_job(&a, 10).await;
        a.collect().await;
        let tasks = a.grant(job, 10, &format!("w{turn}")).await;
        a.pass(65);
        let (settled, _) = tokio::join!(a.succeed(tasks[turn % 10], 1), b.sweep());
        assert_eq!(settled, Settled::Saved);
        a.sweep().await;
        // Answered before, its siblings have plain strikes; answered after, they are cleared.
        assert_eq!(a.grant_of(job, None, 99, "x").await.len(), 9);
        for task in tasks {
            a.succeed(task, 0).await;
        }
    }
    check(&a).await;
}

pub(crate) async fn two_sweeps_at_once_charge_one_death(databases: Arc<Databases>) {
    let (a, b) = two_nodes(&databases).await;
    for turn in 0..20 {
        let job = another_job(&a, 30).await;
        a.collect().await;
        let worker = format!("dead {turn}");
        for _ in 0..10 {
            a.grant_process(job, 3, &worker).await;
            a.pass(1);
        }
        a.pass(65);
        tokio::join!(a.sweep(), b.sweep());
        let charged = log(&a, job)
            .await
            .iter()
            .filter(|l| l.contains("taken for dead"))
            .count();
        assert_eq!(charged, 1);
        assert_eq!(a.grant_of(job, None, 99, "x").await.len(), 27);
    }
    check(&a).await;
}

async fn lose_all(w: &World, job: trapline_core::JobId) {
    let vitals = w
        .store
        .vitals(trapline_core::JobId(job.0 - 1), 1, 2)
        .await
        .unwrap();
    let Some(seen) = vitals.first().filter(|v| v.job == job) else {
        return;
    };
    let request = MarkLost {
        job,
        run: seen.run,
        cutoff: seen.idle_since,
        strict: true,
        leases: w.policy(),
        queue: None,
        earlier: LostTasks::default(),
        now: w.now(),
        dry_run: false,
    };
    w.store.mark_lost(&request).await.unwrap();
}

pub(crate) async fn the_net_against_results_and_sweeps_keeps_the_counts(databases: Arc<Databases>) {
    let (a, b) = two_nodes(&databases).await;
    for _ in 0..20 {
        let job = another_job(&a, 60).await;
        a.collect().await;
        let tasks = a.grant(job, 60, "w").await;
        a.pass(65);
        let results = async {
            for few in tasks.chunks(10) {
                let items: Vec<_> = few.iter().map(success).collect();
                a.settle(&items).await;
            }
        };
        tokio::join!(results, b.sweep(), lose_all(&b, job), lose_all(&a, job));
        // A success is one, whatever the net made of its task before.
        assert_eq!(a.counts(job).await, [60, 0, 0, 60, 0]);
        let status = a.job(job).await.status;
        assert!(matches!(status, JobStatus::Success | JobStatus::Failure));
        check(&a).await;
    }
}

pub(crate) async fn late_results_against_a_purge_leave_nothing_behind(databases: Arc<Databases>) {
    let (a, b) = two_nodes(&databases).await;
    for _ in 0..5 {
        let job = another_job(&a, 500).await;
        a.collect().await;
        let tasks = a.grant(job, 500, "w").await;
        a.go(job, JobMove::Cancel).await;
        a.go(job, JobMove::Revoke).await;
        a.store.delete_job(job, a.now()).await.unwrap();
        a.store.cleaned(job, 1).await.unwrap();
        let late = async {
            for few in tasks.chunks(20) {
                for task in few {
                    a.succeed(*task, 1).await;
                }
            }
        };
        a.pass(65);
        let purge = async {
            b.sweep().await;
            while b.store.purge().await.unwrap() {}
        };
        tokio::join!(late, purge);
        a.sweep().await;
        while a.store.purge().await.unwrap() {}
        check(&a).await;
    }
}
