//! The cases of what is frozen with a run: what its results may name.

use std::time::Duration;

use trapline_core::{
    CaptureId, FailReason, JobId, JobStatus,
    job::JobMove,
    ports::{
        ImageQuery, ImageState, JobFilter, NewJob, OffsetPage, Posted, RunAlgorithms, Settled, Settlement,
        Slice, Want,
    },
};

use super::{Grant, World, cases};

const CLAIM: Duration = Duration::from_secs(30);

async fn spec(w: &World, job: JobId, run: i64) -> Option<RunAlgorithms> {
    w.store.run_algorithms(job, run).await.unwrap()
}

/// A job of `n` captures that no dispatcher has claimed.
async fn unclaimed(w: &World, n: usize) -> JobId {
    let (pipeline, set) = (w.pipeline().await, w.set(&vec![true; n]).await);
    w.create(&w.new_job(pipeline, set)).await
}

async fn cancel(w: &World, job: JobId) {
    w.go(job, JobMove::Cancel).await;
    w.go(job, JobMove::Revoke).await;
}

cases! { World;
    async fn the_first_claim_of_a_run_freezes_what_its_results_may_name(w: World) {
        let job = unclaimed(&w, 3).await;
        assert_eq!(spec(&w, job, 1).await, None);
        w.pipeline_at(2).await;
        let claim = w.store.claim_job(w.now(), CLAIM, 7).await.unwrap().unwrap();
        let first = spec(&w, job, 1).await.unwrap();
        assert_eq!(first.len(), 2);
        assert!(first.iter().any(|(_, map)| map.is_some()));
        // Another claim of the run, at its beginning and in the middle of its collect, changes nothing.
        w.pipeline_at(3).await;
        w.pass(31);
        let again = w.store.claim_job(w.now(), CLAIM, 7).await.unwrap().unwrap();
        assert!(again.epoch > claim.epoch);
        assert_eq!(spec(&w, job, 1).await.unwrap(), first);
        assert!(matches!(w.store.collect_slice(&again, w.now(), CLAIM).await.unwrap(), Slice::More(_)));
        w.pass(31);
        w.collect().await;
        assert_eq!(spec(&w, job, 1).await.unwrap(), first);
        assert_eq!(spec(&w, job, 2).await, None);
    }

    async fn each_way_to_begin_a_run_freezes_the_pipeline_as_it_is_then(w: World) {
        let job = unclaimed(&w, 2).await;
        w.collect().await;
        let first = spec(&w, job, 1).await.unwrap();
        for (run, by) in [(2, JobMove::RetryFailed), (3, JobMove::Retry), (4, JobMove::Run)] {
            cancel(&w, job).await;
            w.pipeline_at(run).await;
            w.go(job, by).await;
            assert_eq!(spec(&w, job, run).await, None, "before its claim");
            w.collect().await;
            let now = spec(&w, job, run).await.unwrap();
            assert_ne!(now, first);
            assert_ne!(Some(now), spec(&w, job, run - 1).await);
            assert_eq!(spec(&w, job, 1).await.unwrap(), first);
        }
    }

    async fn a_job_takes_what_its_slug_means_at_the_claim_and_keeps_it(w: World) {
        let job = unclaimed(&w, 2).await;
        let named = w.job(job).await.pipeline.unwrap();
        let current = w.pipeline_at(2).await;
        assert_ne!(named.0, current);
        w.collect().await;
        let frozen = w.job(job).await.pipeline.unwrap();
        assert_eq!((frozen.0, &frozen.1), (current, &named.1));
        let next = w.pipeline_at(3).await;
        w.pass(31);
        w.collect().await;
        assert_eq!(w.job(job).await.pipeline.unwrap().0, current);
        cancel(&w, job).await;
        w.go(job, JobMove::RetryFailed).await;
        w.collect().await;
        assert_eq!(w.job(job).await.pipeline.unwrap().0, next);
        // Whichever definition a filter names, it is the slug that is meant.
        for pipeline in [named.0, current, next] {
            let filter = JobFilter { pipeline: Some(pipeline), ..JobFilter::default() };
            let page = OffsetPage { limit: 9, offset: 0 };
            assert_eq!(w.store.jobs(&filter, page).await.unwrap().count, 1);
        }
    }

    async fn a_run_that_was_canceled_before_its_claim_leaves_the_next_one_its_own(w: World) {
        let job = unclaimed(&w, 2).await;
        cancel(&w, job).await;
        assert_eq!(w.go(job, JobMove::RetryFailed).await, (JobStatus::Started, true));
        w.collect().await;
        assert_eq!(spec(&w, job, 1).await, None);
        assert_eq!(spec(&w, job, 2).await.unwrap().len(), 2);
        assert_eq!(w.succeed(w.grant(job, 1, "w").await[0], 1).await, Settled::Saved);
        w.check_invariants().await;
    }

    async fn a_capture_counts_as_processed_by_the_run_whose_receipt_brought_its_result(w: World) {
        let job = unclaimed(&w, 2).await;
        w.collect().await;
        let old = w.grant(job, 2, "w").await;
        cancel(&w, job).await;
        w.pipeline_at(2).await;
        w.go(job, JobMove::Run).await;
        w.collect().await;
        // One result of run 1 comes late, and one of run 2.
        assert_eq!(w.succeed(old[0], 1).await, Settled::Saved);
        for task in w.grant(job, 2, "w").await {
            w.succeed(task, 1).await;
        }
        assert_eq!(w.job(job).await.status, JobStatus::Success);
        let skipped = async |version| {
            let pipeline = w.pipeline_at(version).await;
            let same = NewJob { collection: w.job(job).await.collection, ..w.new_job(pipeline, w.set(&[]).await) };
            let other = w.create(&same).await;
            w.collect().await;
            w.job(other).await.counts.skipped
        };
        assert_eq!((skipped(1).await, skipped(2).await, skipped(3).await), (1, 1, 0));
    }

    async fn a_job_that_lacks_what_a_run_needs_is_not_begun_in_any_way(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&[true]).await);
        let whole = NewJob { start: false, ..w.new_job(pipeline, set) };
        let bare = NewJob { pipeline: None, ..whole.clone() };
        let empty = NewJob { collection: None, ..whole.clone() };
        for lacking in [bare, empty] {
            let job = w.create(&lacking).await;
            assert_eq!(w.go(job, JobMove::Run).await, (JobStatus::Created, false));
            cancel(&w, job).await;
            for by in [JobMove::Run, JobMove::Retry, JobMove::RetryFailed] {
                assert_eq!(w.go(job, by).await, (JobStatus::Revoked, false), "{by:?}");
            }
        }
        let job = w.create(&whole).await;
        cancel(&w, job).await;
        assert_eq!(w.go(job, JobMove::RetryFailed).await, (JobStatus::Started, true));
    }

    async fn a_result_by_what_its_run_does_not_know_is_a_strike_and_only_the_last_one_is_final(w: World) {
        let job = unclaimed(&w, 2).await;
        w.collect().await;
        let mismatch = |task: Grant| Settlement {
            receipt: task.0,
            posted: Posted::Mismatch { detail: "unknown algorithm `x`".into(), max_deliver: 2 },
        };
        let first = w.grant(job, 2, "old").await;
        let report = w.settle(&[mismatch(first[0]), mismatch(first[1])]).await;
        assert_eq!(report.items, [Settled::Saved, Settled::Saved]);
        assert_eq!(report.freed.len(), 2, "they are offered at once");
        assert_eq!(w.counts(job).await, [2, 2, 0, 0, 0]);
        let again = w.settle(&[mismatch(first[0])]).await;
        assert!(matches!(again.items[0], Settled::Ignored(_)) && again.freed.is_empty(), "the same post again");
        // They are no suspects: one answer hands both out.
        let (second, _) = w.hand_out(job, Want::Batch, None, 9, w.worker("new").await).await;
        assert_eq!(second.len(), 2);
        assert_eq!(w.succeed(second[0], 1).await, Settled::Saved);
        assert!(w.settle(&[mismatch(second[1])]).await.freed.is_empty());
        assert_eq!(w.counts(job).await, [2, 0, 0, 1, 1]);
        let query = ImageQuery { job, state: Some(ImageState::Failed), reason: Some(FailReason::InvalidResult), after: CaptureId(0), back: false, limit: 9 };
        let failed = w.store.images(&query).await.unwrap();
        assert_eq!(failed[0].detail.as_deref(), Some("unknown algorithm `x`"));
        w.check_counts(job).await;
    }

    async fn what_is_known_of_a_deleted_job_goes_with_its_rows(w: World) {
        let job = unclaimed(&w, 1).await;
        w.collect().await;
        cancel(&w, job).await;
        w.store.delete_job(job, w.now()).await.unwrap().unwrap();
        assert_eq!(w.store.job_head(job).await.unwrap(), None);
        for (job, run) in w.store.cleanup_due(9).await.unwrap() {
            w.store.cleaned(job, run).await.unwrap();
        }
        while w.store.purge().await.unwrap() {}
        assert_eq!(spec(&w, job, 1).await, None);
    }

    async fn only_the_run_that_ended_is_marked_as_cleaned_up(w: World) {
        let job = unclaimed(&w, 1).await;
        cancel(&w, job).await;
        assert_eq!(w.store.cleanup_due(9).await.unwrap(), [(job, 1)]);
        w.go(job, JobMove::RetryFailed).await;
        cancel(&w, job).await;
        // A node that was slow removed what run 1 had projected; what run 2 had may be there.
        assert!(!w.store.cleaned(job, 1).await.unwrap());
        assert_eq!(w.store.cleanup_due(9).await.unwrap(), [(job, 2)]);
        assert!(w.store.cleaned(job, 2).await.unwrap());
        assert!(w.store.cleanup_due(9).await.unwrap().is_empty());
    }
}
