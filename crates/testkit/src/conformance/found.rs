//! Cases of the store that the simulation found, each a schedule that once broke a promise.

use std::time::Duration;

use trapline_core::{
    CaptureId,
    job::JobMove,
    ports::{SignOfLife, Slice},
};

use super::{World, cases};

const CLAIM: Duration = Duration::from_secs(30);

cases! { World;
    async fn a_second_outage_does_not_forget_the_first_while_a_lease_of_before_it_lives(w: World) {
        let job = w.job_of(2).await;
        w.beat().await;
        let tasks = w.grant(job, 2, "w").await;
        w.pass(30);
        w.beat().await;
        // Its answer to the other task keeps this one's lease alive beyond the grace of the first outage.
        for _ in 0..3 {
            w.live(40).await;
            let sign = SignOfLife { worker: tasks[0].0.worker, seen_at: w.now(), reserved_at: Some(tasks[0].0.granted_at), pipelines: vec![] };
            w.store.keep_alive(&[sign], &w.policy(), w.now()).await.unwrap();
        }
        w.pass(30);
        let first = w.now();
        let gap = w.beat().await.unwrap();
        assert!(gap.to == first && gap.from < tasks[0].0.granted_at.plus(Duration::from_secs(31)));
        // It goes on with what it reserved later, so that these leases are as long as they were granted.
        let sign = SignOfLife { worker: tasks[0].0.worker, seen_at: w.now(), reserved_at: Some(w.now()), pipelines: vec![] };
        w.store.keep_alive(&[sign], &w.policy(), w.now()).await.unwrap();
        w.live(65).await;
        assert_eq!(w.sweep().await.freed.len(), 2);
        // Neither outage was a strike: it takes two more ends to lose them.
        w.grant(job, 2, "w").await;
        w.live(65).await;
        assert_eq!(w.sweep().await.freed.len(), 2);
    }

    async fn a_clean_end_does_not_hide_the_outage_before_it(w: World) {
        w.beat().await;
        let last = w.now();
        w.pass(30);
        w.store.stopped_cleanly().await.unwrap();
        w.pass(1);
        let gap = w.pulse(true).await.gap.unwrap();
        assert_eq!((gap.from, gap.to), (last, w.now()));
    }

    async fn a_set_completed_by_a_later_run_counts_as_skipped_only_what_is_no_task(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&vec![true; 10_500]).await);
        let job = w.create(&w.new_job(pipeline, set)).await;
        let claim = w.store.claim_job(w.now(), CLAIM, 7).await.unwrap().unwrap();
        assert!(matches!(w.store.collect_slice(&claim, w.now(), CLAIM).await.unwrap(), Slice::More(_)));
        let tasks = async |job| -> Vec<CaptureId> {
            let all = w.store.free_tasks(job, (i64::MIN, CaptureId(0)), 10_500).await.unwrap();
            all.into_iter().map(|(_, c)| c.capture).collect()
        };
        let own = tasks(job).await;
        w.go(job, JobMove::Cancel).await;
        w.go(job, JobMove::Revoke).await;
        // Meanwhile another job processes one that is a task of the first, and one that is not yet.
        let other = w.create(&w.new_job(pipeline, set)).await;
        w.collect().await;
        let new = tasks(other).await.into_iter().find(|c| !own.contains(c)).unwrap();
        for task in w.grant_of(other, Some(vec![own[0], new]), 2, "w").await {
            w.succeed(task, 0).await;
        }
        w.go(job, JobMove::RetryFailed).await;
        w.collect().await;
        let view = w.job(job).await;
        assert_eq!((view.counts.total, view.counts.skipped, view.candidates), (10_499, 1, 10_500));
    }

    async fn what_a_claim_skipped_is_a_task_of_the_next_claim_if_nobody_has_processed_it_by_then(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&[true; 3]).await);
        let other = w.create(&w.new_job(pipeline, set)).await;
        w.collect().await;
        let done = w.grant(other, 1, "w").await[0];
        w.succeed(done, 0).await;
        let job = w.create(&w.new_job(pipeline, set)).await;
        let claim = w.store.claim_job(w.now(), CLAIM, 7).await.unwrap().unwrap();
        assert!(matches!(w.store.collect_slice(&claim, w.now(), CLAIM).await.unwrap(), Slice::More(_)));
        assert_eq!(w.job(job).await.counts.total, 2);
        w.store.delete_job(other, w.now()).await.unwrap();
        w.pass(31);
        w.collect().await;
        let view = w.job(job).await;
        assert_eq!((view.counts.total, view.counts.skipped, view.candidates), (3, 0, 3));
    }
}
