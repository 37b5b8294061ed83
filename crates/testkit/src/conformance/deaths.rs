//! The cases of the store: which of a dead worker's grants is charged (docs/rules.md A6).

use std::time::Duration;

use trapline_core::{
    JobId,
    handout::death::RETURNS_MAX,
    ports::{GrantKey, LeaseChange, Level, Settled, SignOfLife},
    receipt::Receipt,
};

use super::{
    Grant, World, cases,
    suspects::{all_free, log, new_run},
    world::DEATH,
};

async fn delete(w: &World, job: JobId) {
    w.store.delete_job(job, w.now()).await.unwrap().unwrap();
    for (job, run) in w.store.cleanup_due(10).await.unwrap() {
        w.store.cleaned(job, run).await.unwrap();
    }
    assert!(
        !w.store.purge().await.unwrap(),
        "its rows are needed until its leases end"
    );
}

cases! { World;
    async fn what_a_dead_worker_held_ahead_goes_back_uncharged_in_whichever_sweep_it_ends(w: World) {
        let job = w.job_of(12).await;
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(w.grant_process(job, 4, "w").await);
            w.pass(20);
        }
        // It dies now. The leases end 20 s apart, each in a sweep of its own.
        w.pass(5);
        for _ in 0..3 {
            assert_eq!(w.sweep().await.freed.len(), 4);
            w.pass(20);
        }
        let warned = log(&w, job, Level::Warning).await;
        assert!(warned.len() == 1 && warned[0].contains("Worker w answered none of the 4 image(s)"), "{warned:?}");
        let (batch, suspects) = all_free(&w, job, "next").await;
        let captures = |grants: &[Grant]| {
            let mut all: Vec<_> = grants.iter().map(|g| g.0.capture).collect();
            all.sort();
            all
        };
        assert_eq!(captures(&suspects), captures(&held[0]));
        assert_eq!(batch.len(), 8);
        // Of what a worker held that may be many processes, everything is charged.
        w.outlive().await;
        assert_eq!(w.counts(job).await[4], 0, "nothing is lost that was not alone");
        let (batch, suspects) = all_free(&w, job, "last").await;
        assert_eq!((batch.len(), suspects.len()), (0, 8));
        let last_try = w.grant_last_try(job, "other").await;
        assert!(held[0].iter().any(|g| g.0.capture == last_try[0].0.capture));
    }

    async fn another_life_of_the_same_worker_is_another_death(w: World) {
        let job = w.job_of(3).await;
        w.grant(job, 1, "w").await;
        w.outlive().await;
        w.grant(job, 1, "w").await;
        w.outlive().await;
        assert_eq!(log(&w, job, Level::Warning).await.len(), 2);
        let (batch, suspects) = all_free(&w, job, "next").await;
        assert_eq!((batch.len(), suspects.len()), (1, 2));
    }

    async fn a_task_is_held_ahead_once_at_most(w: World) {
        let job = w.job_of(2).await;
        let other = w.job_of(20).await;
        for round in 0..=RETURNS_MAX {
            // The worker dies on the other job's tasks, and holds this job's ahead.
            assert_eq!(w.grant_process(other, 4, "w").await.len(), 4);
            assert_eq!(w.grant_process(job, 2, "w").await.len(), 2, "round {round}");
            w.outlive().await;
        }
        let (batch, suspects) = all_free(&w, job, "next").await;
        assert_eq!((batch.len(), suspects.len()), (0, 2), "the second time they are charged");
    }

    async fn a_grant_answered_in_part_gives_plain_strikes(w: World) {
        let job = w.job_of(6).await;
        let tasks = w.grant(job, 6, "w").await;
        w.succeed(tasks[0], 0).await;
        w.fail(tasks[1]).await;
        w.outlive().await;
        assert!(log(&w, job, Level::Warning).await.is_empty());
        assert_eq!(w.grant_of(job, None, 6, "x").await.len(), 4, "no suspects");
        w.outlive().await;
        assert_eq!(w.counts(job).await, [6, 4, 0, 1, 1], "the second strike would be the last, and they were not alone");
        let (batch, suspects) = all_free(&w, job, "y").await;
        assert_eq!((batch.len(), suspects.len()), (0, 0));
        assert_eq!(w.grant_last_try(job, "z").await.len(), 1);
    }

    async fn a_death_is_charged_to_the_oldest_grant_whoever_took_its_tasks_meanwhile(w: World) {
        for taken_by in ["a new run", "its deletion", "late answers to an earlier hand-out"] {
            let (job, other) = (w.job_of(2).await, w.job_of(3).await);
            let receipts: Vec<_> = w.grant(job, 2, "slow").await.iter().map(|g| g.0).collect();
            w.store.change_leases(LeaseChange::Release, &receipts, &w.policy(), w.now()).await.unwrap();
            let oldest = w.grant_process(job, 2, "w").await;
            assert_eq!(oldest.len(), 2);
            w.pass(10);
            assert_eq!(w.grant_process(other, 3, "w").await.len(), 3);
            match taken_by {
                "a new run" => new_run(&w, job).await,
                "its deletion" => delete(&w, job).await,
                _ => for task in oldest {
                    let earlier = Receipt { delivery: task.0.delivery - 1, worker: w.worker("slow").await, ..task.0 };
                    assert_eq!(w.succeed(Grant(earlier), 0).await, Settled::Saved);
                },
            }
            w.outlive().await;
            assert!(log(&w, other, Level::Warning).await.is_empty(), "it died on another job's, taken by {taken_by}");
            assert_eq!(w.grant_of(other, None, 9, "x").await.len(), 3, "uncharged, and not suspect");
            w.outlive().await;
            while w.store.purge().await.unwrap() {}
            w.check_invariants().await;
        }
    }

    async fn a_death_on_what_lived_through_an_outage_is_charged_to_nothing_else(w: World) {
        let (job, other) = (w.job_of(2).await, w.job_of(3).await);
        w.beat().await;
        w.grant_process(job, 2, "w").await;
        w.pass(500);
        w.beat().await;
        w.live(5).await;
        assert_eq!(w.grant_process(other, 3, "w").await.len(), 3);
        w.live(DEATH).await;
        w.sweep().await;
        for job in [job, other] {
            assert!(log(&w, job, Level::Warning).await.is_empty());
            assert_eq!(w.grant_of(job, None, 9, "x").await.len(), if job == other { 3 } else { 2 });
        }
        w.live(DEATH).await;
        w.sweep().await;
        assert_eq!(log(&w, job, Level::Warning).await.len(), 1, "the next death is charged");
    }

    async fn a_grant_that_was_answered_or_given_back_is_no_death_though_its_tasks_are_gone(w: World) {
        for given_back in [true, false] {
            let (job, other) = (w.job_of(2).await, w.job_of(3).await);
            let older = w.grant(job, 2, "w").await;
            if given_back {
                let receipts: Vec<_> = older.iter().map(|g| g.0).collect();
                w.store.change_leases(LeaseChange::Release, &receipts, &w.policy(), w.now()).await.unwrap();
            }
            w.pass(10);
            assert_eq!(w.grant(other, 3, "w").await.len(), 3);
            new_run(&w, job).await;
            if !given_back {
                // The worker does not know of the new run.
                assert_eq!(w.succeed(older[0], 0).await, Settled::Saved);
            }
            w.outlive().await;
            let warned = log(&w, other, Level::Warning).await;
            assert!(warned.len() == 1 && warned[0].contains("Worker w answered none of the 3 image(s)"), "{warned:?}");
        }
    }

    async fn an_answer_that_changes_nothing_is_one_all_the_same(w: World) {
        let job = w.job_of(3).await;
        let slow = w.grant(job, 3, "slow").await;
        w.succeed(slow[0], 0).await;
        w.outlive().await;
        let tasks = w.grant(job, 2, "w").await;
        let late = slow.into_iter().find(|t| t.0.capture == tasks[0].0.capture).unwrap();
        assert_eq!(w.succeed(late, 0).await, Settled::Saved);
        assert!(matches!(w.succeed(tasks[0], 0).await, Settled::Ignored(_)));
        w.outlive().await;
        assert!(log(&w, job, Level::Warning).await.is_empty(), "nobody died");
    }

    async fn an_answer_to_later_tasks_does_not_end_what_an_earlier_one_keeps_alive(w: World) {
        let job = w.job_of(3).await;
        let mut held = Vec::new();
        for _ in 0..3 {
            held.extend(w.grant(job, 1, "w").await);
            w.pass(4);
        }
        let sign = async |of: Grant| {
            let sign = SignOfLife { worker: of.0.worker, seen_at: w.now(), reserved_at: Some(of.0.granted_at), pipelines: vec![] };
            w.store.keep_alive(&[sign], &w.policy(), w.now()).await.unwrap();
            w.sweep().await;
        };
        w.pass(38);
        w.succeed(held[0], 0).await;
        sign(held[0]).await;
        // Another process behind the same address answers the later one, steadily.
        for _ in 0..4 {
            w.pass(28);
            sign(held[2]).await;
            assert_eq!(w.counts(job).await, [3, 0, 2, 1, 0], "both live");
        }
        w.pass(28);
        sign(held[2]).await;
        assert_eq!(w.counts(job).await, [3, 1, 1, 1, 0], "nothing so old was answered for two leases");
    }

    async fn what_was_handed_out_is_found_by_job_worker_and_time(w: World) {
        let (job, other) = (w.job_of(4).await, w.job_of(2).await);
        let grants = [w.grant(job, 2, "w").await, w.grant(other, 2, "w").await, w.grant(job, 2, "x").await];
        let keys = grants.each_ref().map(|g| g[0].0.grant());
        let of = async |keys: &[GrantKey]| w.store.receipts_of(keys).await.unwrap();
        let receipts = |grants: &[Grant]| grants.iter().map(|g| g.0).collect::<Vec<_>>();
        assert_eq!(of(&keys[..1]).await, receipts(&grants[0]));
        assert_eq!(of(&keys[1..2]).await, receipts(&grants[1]));
        assert_eq!(of(&[keys[0], keys[2]]).await.len(), 4);
        let never = GrantKey { granted_at: w.now().plus(Duration::from_secs(1)), ..keys[0] };
        assert_eq!(of(&[never]).await, []);
        w.succeed(grants[0][0], 0).await;
        assert_eq!(of(&keys[..1]).await, receipts(&grants[0][1..]));
        w.store.change_leases(LeaseChange::Undelivered, &receipts(&grants[0]), &w.policy(), w.now()).await.unwrap();
        assert_eq!(of(&keys[..1]).await, [], "taken back once");
    }
}
