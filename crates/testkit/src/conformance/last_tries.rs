//! The cases of the store: the last try of a suspect is alone with its worker (docs/rules.md A6).

use trapline_core::{
    JobId,
    handout::last_try::IN_A_ROW,
    ports::{LeaseChange, Level, Want},
};

use super::{
    Grant, World, cases,
    health::outlook,
    suspects::{all_free, log},
};

const LAST_TRY: Want = Want::LastTry { only: false };

/// A job of `n` images whose next unanswered hand-out may be the last.
async fn job_of_last_tries(w: &World, n: usize) -> JobId {
    let job = w.job_of(n).await;
    w.grant(job, n, "first").await;
    w.outlive().await;
    let (batch, suspects) = all_free(w, job, "second").await;
    assert_eq!((batch.len(), suspects.len()), (0, n));
    w.outlive().await;
    assert_eq!(w.counts(job).await[4], 0);
    job
}

/// Ends the leases of what was handed out exclusively, and no others of the same time.
async fn outlive_exclusive(w: &World) {
    w.pass(35);
    w.sweep().await;
}

cases! { World;
    async fn a_worker_that_holds_anything_is_put_off_until_it_is_free_for_a_last_try(w: World) {
        let (job, other) = (job_of_last_tries(&w, 2).await, w.job_of(9).await);
        let worker = w.worker("10.0.0.1").await;
        let held = w.grant_of(other, None, 2, "10.0.0.1").await;
        let (none, seen) = w.hand_out(job, LAST_TRY, None, 9, worker).await;
        assert!(none.is_empty() && seen.held_back && seen.last_tries);
        let standing = w.standing(worker).await;
        assert!(standing.busy && !standing.held_back && standing.waits_for == Some(job));
        let outlook = async || outlook(&w, job, w.now()).await;
        assert_eq!(outlook().await.put_off.as_deref(), Some("10.0.0.1"));
        for want in [Want::Batch, Want::Suspect] {
            let (none, seen) = w.hand_out(other, want, None, 9, worker).await;
            assert!(none.is_empty() && seen.held_back, "nothing more until it is free");
        }
        w.succeed(held[0], 0).await;
        assert!(w.hand_out(job, LAST_TRY, None, 9, worker).await.0.is_empty(), "it holds one still");
        w.succeed(held[1], 0).await;
        assert!(!w.standing(worker).await.busy);
        let (alone, seen) = w.hand_out(job, LAST_TRY, None, 9, worker).await;
        assert!(alone.len() == 1 && seen.last_tries && !seen.held_back);
        assert!(w.standing(worker).await.held_back);
        assert_eq!(outlook().await.tried_by.as_deref(), Some("10.0.0.1"));
        for want in [Want::Batch, Want::Suspect, LAST_TRY, Want::LastTry { only: true }] {
            for job in [job, other] {
                let (none, seen) = w.hand_out(job, want, None, 9, worker).await;
                assert!(none.is_empty() && seen.held_back, "nothing beside it");
            }
        }
        // Another worker is not concerned.
        assert_eq!(w.grant_of(other, None, 2, "10.0.0.2").await.len(), 2);
        w.succeed(alone[0], 0).await;
        let (next, seen) = w.hand_out(job, LAST_TRY, None, 9, worker).await;
        assert!(next.len() == 1 && !seen.last_tries, "the next one follows at once");
        w.succeed(next[0], 0).await;
        assert_eq!(w.standing(worker).await.waits_for, None, "none is left to wait for");
        assert_eq!((outlook().await.tried_by, outlook().await.put_off), (None, None));
        assert_eq!(w.grant_of(other, None, 2, "10.0.0.1").await.len(), 2);
        w.check_counts(job).await;
    }

    async fn only_the_end_of_a_last_try_loses_an_image_and_its_lease_may_be_shorter(w: World) {
        let job = job_of_last_tries(&w, 3).await;
        let alone = w.grant_last_try(job, "x").await;
        outlive_exclusive(&w).await;
        assert_eq!(w.counts(job).await, [3, 2, 0, 0, 1]);
        let images = log(&w, job, Level::Error).await;
        assert!(images.len() == 1 && images[0].contains("no answer after 3 hand-out(s), 2 of them counted: to first"), "{images:?}");
        assert!(images[0].contains(&format!("Image {} failed (lost)", alone[0].0.capture)), "{images:?}");
        assert!(log(&w, job, Level::Warning).await.last().unwrap().contains("It held nothing else"));
        // Given back, it is a last try as before.
        let given_back = w.grant_last_try(job, "x").await[0];
        let receipts = [given_back.0];
        w.store.change_leases(LeaseChange::Release, &receipts, &w.policy(), w.now()).await.unwrap();
        assert_eq!(w.counts(job).await, [3, 2, 0, 0, 1]);
        assert_eq!(all_free(&w, job, "y").await.1.len(), 0);
        w.check_counts(job).await;
    }

    async fn a_suspect_that_dies_in_company_again_and_again_is_not_lost(w: World) {
        let (job, other) = (w.job_of(1).await, w.job_of(40).await);
        for _ in 0..2 {
            w.grant(other, 2, "w").await;
            w.grant(job, 1, "w").await;
            w.outlive().await;
        }
        // From now on it is not handed out in company: neither beside others, nor to who holds anything.
        let busy = w.worker("x").await;
        assert_eq!(w.grant_of(other, None, 2, "x").await.len(), 2);
        for want in [Want::Batch, Want::Suspect, LAST_TRY] {
            assert!(w.hand_out(job, want, None, 1, busy).await.0.is_empty());
        }
        w.outlive().await;
        assert_eq!(w.counts(job).await, [1, 1, 0, 0, 0]);
    }

    async fn after_many_last_tries_in_a_row_batches_have_their_turn(w: World) {
        let n = IN_A_ROW as usize + 1;
        let (job, other) = (job_of_last_tries(&w, n).await, w.job_of(9).await);
        let worker = w.worker("w").await;
        for _ in 0..IN_A_ROW {
            let alone: Vec<Grant> = w.hand_out(job, LAST_TRY, None, 1, worker).await.0;
            w.succeed(alone[0], 0).await;
        }
        let (none, seen) = w.hand_out(job, LAST_TRY, None, 1, worker).await;
        assert!(none.is_empty() && seen.last_tries && !seen.held_back);
        assert_eq!(w.hand_out(other, Want::Batch, None, 4, worker).await.0.len(), 4);
        assert!(!w.hand_out(job, LAST_TRY, None, 1, worker).await.1.held_back);
        // If there is nothing else to be had in the job, it is put off all the same.
        assert!(w.hand_out(job, Want::LastTry { only: true }, None, 1, worker).await.1.held_back);
    }

    async fn what_is_taken_alone_on_purpose_is_lost_after_as_many_hand_outs_as_are_allowed(w: World) {
        let job = w.job_of(3).await;
        let capture = w.grant(job, 1, "w").await[0].0.capture;
        w.outlive().await;
        for n in 1..=2 {
            let chaos = w.worker("chaos").await;
            let (alone, _) = w.hand_out(job, Want::Alone, Some(vec![capture]), 1, chaos).await;
            assert_eq!(alone.len(), 1);
            assert!(w.hand_out(job, Want::Batch, None, 1, chaos).await.1.held_back);
            outlive_exclusive(&w).await;
            assert_eq!(w.counts(job).await[4], n / 2);
        }
        w.check_counts(job).await;
    }
}
