//! The cases of the store: the rules of the tasks' and the jobs' rows.

use std::time::Duration;

use trapline_core::{
    CaptureId, FailReason, JobStatus, TaskState,
    job::{JobMove, RunMode, land},
    ports::{
        DetectionsOf, ImageQuery, ImageState, LeaseChange, LogPage, LogQuery, Posted, Settled, Settlement,
        SignOfLife, Slice,
    },
};

use super::{World, cases, world::failure};

const CLAIM: Duration = Duration::from_secs(30);

fn failed(job: trapline_core::JobId) -> ImageQuery {
    ImageQuery {
        state: Some(ImageState::Failed),
        ..ImageQuery::first(job, 100)
    }
}

cases! { World;
    async fn a_job_is_collected_handed_out_settled_and_lands(w: World) {
        let job = w.job_of(5).await;
        assert_eq!(w.counts(job).await, [5, 5, 0, 0, 0]);
        let tasks = w.grant(job, 10, "w").await;
        assert_eq!(tasks.len(), 5);
        assert_eq!(w.counts(job).await, [5, 0, 5, 0, 0]);
        for (at, task) in tasks.iter().enumerate() {
            assert_eq!(w.job(job).await.status, JobStatus::Started);
            assert_eq!(w.succeed(*task, at).await, Settled::Saved);
        }
        let done = w.job(job).await;
        assert_eq!(done.status, JobStatus::Success);
        assert_eq!(done.finished_at, Some(w.now()));
        assert_eq!(done.counts.detections, 10);
        w.check_counts(job).await;
        assert_eq!(w.store.cleanup_due(10).await.unwrap(), [(job, 1)]);
        assert!(w.store.cleaned(job, 1).await.unwrap());
        assert_eq!(w.store.cleanup_due(10).await.unwrap(), []);
    }

    async fn landing_agrees_with_the_rule_for_every_split(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&[true; 4]).await);
        for threshold in [0.0, 0.25, 0.5, 1.0] {
            for bad in 0..=4 {
                let new = trapline_core::ports::NewJob { failure_threshold: threshold, reprocess: true, ..w.new_job(pipeline, set) };
                let job = w.create(&new).await;
                w.collect().await;
                for (at, task) in w.grant(job, 4, "w").await.into_iter().enumerate() {
                    if at < bad { w.fail(task).await } else { w.succeed(task, 0).await };
                }
                let expected = land(JobStatus::Started, true, 4, 4 - bad as u64, bad as u64, threshold);
                assert_eq!(w.job(job).await.status, expected, "{bad} of 4 failed, threshold {threshold}");
            }
        }
    }

    async fn a_job_without_captures_lands_success_and_missing_urls_fail_at_once(w: World) {
        let pipeline = w.pipeline().await;
        let empty = w.set(&[]).await;
        let job = w.create(&w.new_job(pipeline, empty)).await;
        w.collect().await;
        assert_eq!(w.job(job).await.status, JobStatus::Success);
        let half = w.set(&[true, false]).await;
        let job = w.create(&w.new_job(pipeline, half)).await;
        w.collect().await;
        assert_eq!(w.counts(job).await, [2, 1, 0, 0, 1]);
        assert_eq!(w.store.images(&failed(job)).await.unwrap()[0].reason, Some(FailReason::NoUrl));
        let task = w.grant(job, 9, "w").await[0];
        w.succeed(task, 1).await;
        assert_eq!(w.job(job).await.status, JobStatus::Success);
        let none = w.set(&[false, false]).await;
        let job = w.create(&w.new_job(pipeline, none)).await;
        w.collect().await;
        assert_eq!(w.job(job).await.status, JobStatus::Failure);
        w.check_counts(job).await;
    }

    async fn a_replay_changes_nothing_and_counts_nothing(w: World) {
        let job = w.job_of(2).await;
        let tasks = w.grant(job, 2, "w").await;
        assert_eq!(w.succeed(tasks[0], 3).await, Settled::Saved);
        let first = w.job(job).await;
        for _ in 0..3 {
            assert!(matches!(w.succeed(tasks[0], 3).await, Settled::Ignored(_)));
            assert!(matches!(w.fail(tasks[0]).await, Settled::Ignored(_)));
        }
        assert_eq!(w.job(job).await.counts, first.counts);
        // The same item twice, and another's, in one group.
        let items: Vec<Settlement> = [tasks[1], tasks[1], tasks[0]]
            .map(|g| Settlement { receipt: g.0, posted: Posted::Success(vec![]) })
            .to_vec();
        let report = w.settle(&items).await;
        assert_eq!(report.items[0], Settled::Saved);
        assert!(report.items[1..].iter().all(|i| matches!(i, Settled::Ignored(_))));
        w.check_counts(job).await;
        assert_eq!(w.job(job).await.status, JobStatus::Success);
    }

    async fn no_task_is_twice_in_one_grant_or_under_two_leases(w: World) {
        let job = w.job_of(20).await;
        let first = w.grant(job, 8, "a").await;
        let twice: Vec<CaptureId> = first.iter().chain(&first).map(|g| g.0.capture).collect();
        assert!(w.grant_of(job, Some(twice), 20, "b").await.is_empty());
        let free: Vec<CaptureId> = w.store.free_tasks(job, (i64::MIN, CaptureId(0)), 100).await.unwrap()
            .into_iter().map(|(_, c)| c.capture).collect();
        assert_eq!(free.len(), 12);
        let doubled: Vec<CaptureId> = free.iter().chain(&free).copied().collect();
        let second = w.grant_of(job, Some(doubled), 20, "b").await;
        let mut all: Vec<_> = first.iter().chain(&second).map(|g| g.0.capture).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 20);
        assert_eq!(second.len(), 12);
    }

    async fn the_end_of_a_lease_makes_a_suspect_then_is_a_strike_and_the_last_try_loses_the_task(w: World) {
        let job = w.job_of(1).await;
        w.grant(job, 1, "first").await;
        w.pass(60);
        assert!(w.sweep().await.freed.is_empty(), "within the margin");
        assert!(w.grant(job, 1, "second").await.is_empty(), "a lease is one until it is swept");
        w.pass(4);
        assert_eq!(w.sweep().await.freed.len(), 1);
        w.grant(job, 1, "second").await;
        w.pass(64);
        assert_eq!(w.sweep().await.freed.len(), 1);
        let again = w.grant(job, 1, "third").await;
        assert_eq!(again[0].0.delivery, 3);
        w.pass(64);
        let swept = w.sweep().await;
        assert!(swept.freed.is_empty() && swept.touched[0].landed);
        let row = &w.store.images(&failed(job)).await.unwrap()[0];
        assert_eq!(row.reason, Some(FailReason::Lost));
        let detail = row.detail.clone().unwrap();
        assert!(detail.contains("after 3 hand-out(s), 2 of them counted"), "{detail}");
        assert!(["first", "second", "third"].iter().all(|whom| detail.contains(whom)), "{detail}");
        assert_eq!(w.job(job).await.status, JobStatus::Failure);
        // The late success corrects the counts, not the status.
        assert_eq!(w.succeed(again[0], 2).await, Settled::Saved);
        assert_eq!(w.counts(job).await, [1, 0, 0, 1, 0]);
        assert_eq!(w.job(job).await.status, JobStatus::Failure);
        w.check_counts(job).await;
    }

    async fn an_error_is_believed_only_from_the_newest_hand_out_a_success_from_any(w: World) {
        let job = w.job_of(2).await;
        let old = w.grant(job, 2, "w").await;
        w.pass(64);
        w.sweep().await;
        // Nothing was answered, so both are suspect and go one by one.
        let mut new = w.grant(job, 2, "w").await;
        new.extend(w.grant(job, 2, "w").await);
        assert!(matches!(w.fail(old[0]).await, Settled::Ignored(_)));
        assert_eq!(w.succeed(old[1], 1).await, Settled::Saved);
        assert_eq!(w.counts(job).await, [2, 0, 1, 1, 0]);
        let newest = new.iter().find(|g| g.0.capture == old[0].0.capture).unwrap();
        assert_eq!(w.fail(*newest).await, Settled::Saved);
        assert_eq!(w.job(job).await.status, JobStatus::Success);
        w.check_counts(job).await;
    }

    async fn signs_of_life_keep_later_leases_and_let_skipped_ones_end(w: World) {
        let job = w.job_of(3).await;
        w.grant(job, 1, "w").await;
        w.pass(10);
        let second = w.grant(job, 1, "w").await[0];
        w.pass(10);
        w.grant(job, 1, "w").await;
        for _ in 0..5 {
            w.pass(30);
            let sign = SignOfLife { worker: second.0.worker, seen_at: w.now(), reserved_at: Some(second.0.granted_at), pipelines: vec![] };
            w.store.keep_alive(&[sign], &w.policy(), w.now()).await.unwrap();
            w.sweep().await;
        }
        assert_eq!(w.counts(job).await, [3, 1, 2, 0, 0], "the first lease was skipped, the others live");
        w.pass(65);
        w.sweep().await;
        assert_eq!(w.counts(job).await, [3, 3, 0, 0, 0]);
    }

    async fn a_lease_that_lived_through_an_outage_ends_after_a_grace_and_without_a_strike(w: World) {
        let job = w.job_of(1).await;
        w.beat().await;
        let task = w.grant(job, 1, "w").await[0];
        w.pass(500);
        let gap = w.beat().await.expect("a gap is recorded");
        assert_eq!(gap.to, w.now());
        assert!(w.sweep().await.freed.is_empty());
        w.live(63).await;
        assert!(w.sweep().await.freed.is_empty(), "the grace is not over");
        w.live(2).await;
        assert_eq!(w.sweep().await.freed.len(), 1);
        // No strike, and no suspicion: it takes three more to lose it, and the late post still counts.
        for _ in 0..3 {
            assert_eq!(w.counts(job).await[4], 0);
            w.grant(job, 1, "w").await;
            w.live(64).await;
            w.sweep().await;
        }
        assert_eq!(w.counts(job).await, [1, 0, 0, 0, 1]);
        assert_eq!(w.succeed(task, 0).await, Settled::Saved);
    }

    async fn an_unclean_start_records_a_gap_and_a_clean_one_does_not(w: World) {
        assert!(w.pulse(true).await.gap.is_none());
        w.pass(1);
        assert!(w.pulse(true).await.gap.is_some(), "the first node did not end cleanly");
        let before = w.pulse(false).await.gap;
        w.store.stopped_cleanly().await.unwrap();
        w.pass(1);
        assert_eq!(w.pulse(true).await.gap, before);
    }

    async fn a_released_task_is_free_at_once_without_a_strike_five_times(w: World) {
        let job = w.job_of(1).await;
        for _ in 0..5 {
            let receipt = w.grant(job, 1, "w").await[0].0;
            let (answers, freed) = w.store.change_leases(LeaseChange::Release, &[receipt, receipt], &w.policy(), w.now()).await.unwrap();
            assert!(answers[0].is_ok() && answers[1].is_err());
            assert_eq!(freed.len(), 1);
        }
        let receipt = w.grant(job, 1, "w").await[0].0;
        let (answers, _) = w.store.change_leases(LeaseChange::Release, &[receipt], &w.policy(), w.now()).await.unwrap();
        assert!(answers[0].is_err());
        // An answer that was never read is taken back however often.
        let (answers, _) = w.store.change_leases(LeaseChange::Undelivered, &[receipt], &w.policy(), w.now()).await.unwrap();
        assert!(answers[0].is_ok());
        assert_eq!(w.counts(job).await, [1, 1, 0, 0, 0]);
    }

    async fn an_extended_lease_lives_on_and_one_that_is_over_is_not_revived(w: World) {
        let job = w.job_of(1).await;
        let receipt = w.grant(job, 1, "w").await[0].0;
        for _ in 0..4 {
            w.pass(50);
            let (answers, _) = w.store.change_leases(LeaseChange::Extend, &[receipt], &w.policy(), w.now()).await.unwrap();
            assert_eq!(answers, [Ok(())]);
            assert!(w.sweep().await.freed.is_empty());
        }
        w.pass(64);
        let (answers, _) = w.store.change_leases(LeaseChange::Extend, &[receipt], &w.policy(), w.now()).await.unwrap();
        assert!(answers[0].is_err());
        assert_eq!(w.sweep().await.freed.len(), 1);
    }

    async fn a_dispatcher_without_the_newest_claim_changes_nothing(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&vec![true; 10_500]).await);
        let job = w.create(&w.new_job(pipeline, set)).await;
        let old = w.store.claim_job(w.now(), CLAIM, 7).await.unwrap().unwrap();
        assert!(matches!(w.store.collect_slice(&old, w.now(), CLAIM).await.unwrap(), Slice::More(_)));
        // The same slice again, as by a dispatcher that repeats itself.
        assert_eq!(w.store.collect_slice(&old, w.now(), CLAIM).await.unwrap(), Slice::Fenced);
        assert!(w.store.claim_job(w.now(), CLAIM, 7).await.unwrap().is_none(), "the claim is alive");
        w.pass(31);
        let new = w.store.claim_job(w.now(), CLAIM, 8).await.unwrap().unwrap();
        assert!(new.epoch > old.epoch && new.watermark != 0);
        let awake = trapline_core::ports::Claim { watermark: new.watermark, ..old };
        assert_eq!(w.store.collect_slice(&awake, w.now(), CLAIM).await.unwrap(), Slice::Fenced);
        w.pass(31);
        w.collect().await;
        assert_eq!(w.counts(job).await[0], 10_500);
    }

    async fn the_order_is_shuffled_by_the_seed_and_a_limit_takes_its_first(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&vec![true; 3_000]).await);
        let new = trapline_core::ports::NewJob { limit: Some(100), ..w.new_job(pipeline, set) };
        let (some, all) = (w.create(&new).await, w.create(&w.new_job(pipeline, set)).await);
        w.collect().await;
        let order = |job| {
            let store = std::sync::Arc::clone(&w.store);
            async move {
                let page = store.free_tasks(job, (i64::MIN, CaptureId(0)), 5_000).await.unwrap();
                page.into_iter().map(|(_, c)| c.capture).collect::<Vec<_>>()
            }
        };
        let (some, all) = (order(some).await, order(all).await);
        assert_eq!((some.len(), all.len()), (100, 3_000));
        assert_eq!(some, all[..100], "both jobs have the same seed here");
        assert!(!all.is_sorted());
        let ascending = all.windows(2).filter(|p| p[0] < p[1]).count();
        assert!((1_200..1_800).contains(&ascending), "{ascending} of 2,999 pairs ascend");
    }

    async fn captures_that_the_pipeline_has_processed_are_skipped_unless_asked_for(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&[true; 4]).await);
        let first = w.create(&w.new_job(pipeline, set)).await;
        w.collect().await;
        let tasks = w.grant(first, 4, "w").await;
        for task in &tasks[..3] {
            w.succeed(*task, 0).await;
        }
        w.fail(tasks[3]).await;
        let second = w.create(&w.new_job(pipeline, set)).await;
        w.collect().await;
        let view = w.job(second).await;
        assert_eq!((view.counts.total, view.counts.skipped, view.candidates), (1, 3, 4));
        let again = trapline_core::ports::NewJob { reprocess: true, ..w.new_job(pipeline, set) };
        let third = w.create(&again).await;
        w.collect().await;
        assert_eq!(w.job(third).await.counts.total, 4);
        // Other algorithms do other work.
        w.pipeline_at(2).await;
        let fourth = w.create(&w.new_job(pipeline, set)).await;
        w.collect().await;
        assert_eq!(w.job(fourth).await.counts.total, 4);
    }

    async fn retry_failed_settles_the_failed_again_and_keeps_the_processed(w: World) {
        let job = w.job_of(4).await;
        let tasks = w.grant(job, 4, "w").await;
        w.succeed(tasks[0], 2).await;
        for task in &tasks[1..] {
            w.fail(*task).await;
        }
        assert_eq!(w.job(job).await.status, JobStatus::Failure);
        assert_eq!(w.go(job, JobMove::RetryFailed).await, (JobStatus::Started, true));
        assert_eq!(w.go(job, JobMove::RetryFailed).await, (JobStatus::Started, false), "pressed twice");
        let view = w.job(job).await;
        assert_eq!((view.run, view.mode, view.finished_at), (2, RunMode::Failed, None));
        w.collect().await;
        assert_eq!(w.counts(job).await, [4, 3, 0, 1, 0]);
        for task in w.grant(job, 9, "w").await {
            assert_eq!(task.0.run, 2);
            w.succeed(task, 1).await;
        }
        assert_eq!(w.job(job).await.status, JobStatus::Success);
        w.check_counts(job).await;
        assert_eq!(w.go(job, JobMove::RetryFailed).await, (JobStatus::Success, false), "nothing to do");
    }

    async fn retry_settles_all_anew_and_replaces_stored_detections(w: World) {
        let job = w.job_of(3).await;
        for task in w.grant(job, 3, "w").await {
            w.succeed(task, 2).await;
        }
        assert_eq!(w.go(job, JobMove::Retry).await, (JobStatus::Retry, true));
        w.collect().await;
        assert_eq!(w.counts(job).await, [3, 3, 0, 0, 0]);
        w.check_counts(job).await;
        let tasks = w.grant(job, 3, "w").await;
        w.succeed(tasks[0], 1).await;
        assert_eq!(w.job(job).await.counts.detections, 5);
        w.fail(tasks[1]).await;
        w.succeed(tasks[2], 0).await;
        let view = w.job(job).await;
        assert_eq!((view.status, view.run, view.counts.detections), (JobStatus::Success, 2, 3));
        w.check_counts(job).await;
    }

    async fn cancel_keeps_what_is_unsettled_pending_and_late_results_are_saved(w: World) {
        let job = w.job_of(4).await;
        let tasks = w.grant(job, 2, "w").await;
        assert_eq!(w.go(job, JobMove::Cancel).await, (JobStatus::Canceling, true));
        assert!(w.grant(job, 9, "w").await.is_empty());
        assert_eq!(w.go(job, JobMove::Revoke).await, (JobStatus::Revoked, true));
        assert_eq!(w.go(job, JobMove::Cancel).await, (JobStatus::Revoked, false));
        assert_eq!(w.succeed(tasks[0], 1).await, Settled::Saved);
        w.pass(1_000);
        w.sweep().await;
        assert_eq!(w.counts(job).await, [4, 3, 0, 1, 0]);
        assert_eq!(w.job(job).await.status, JobStatus::Revoked);
        w.check_counts(job).await;
        assert_eq!(w.go(job, JobMove::RetryFailed).await, (JobStatus::Started, true));
        w.collect().await;
        assert_eq!(w.counts(job).await, [4, 3, 0, 1, 0]);
    }

    async fn a_cancel_cut_short_is_finished_by_the_sweep(w: World) {
        let job = w.job_of(2).await;
        w.go(job, JobMove::Cancel).await;
        w.pass(9);
        w.sweep().await;
        assert_eq!(w.job(job).await.status, JobStatus::Canceling);
        w.pass(1);
        w.sweep().await;
        assert_eq!(w.job(job).await.status, JobStatus::Revoked);
    }

    async fn a_cancel_while_collecting_fences_the_dispatcher_and_a_retry_completes_the_set(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&vec![true; 10_500]).await);
        let job = w.create(&w.new_job(pipeline, set)).await;
        let mut claim = w.store.claim_job(w.now(), CLAIM, 7).await.unwrap().unwrap();
        let Slice::More(to) = w.store.collect_slice(&claim, w.now(), CLAIM).await.unwrap() else { panic!("a slice") };
        claim.watermark = to;
        let early = w.grant(job, 1, "w").await[0];
        w.go(job, JobMove::Cancel).await;
        w.go(job, JobMove::Revoke).await;
        assert_eq!(w.store.collect_slice(&claim, w.now(), CLAIM).await.unwrap(), Slice::Fenced);
        w.succeed(early, 1).await;
        w.go(job, JobMove::RetryFailed).await;
        w.collect().await;
        assert_eq!(w.counts(job).await, [10_500, 10_499, 0, 1, 0]);
    }

    async fn a_delay_is_waited_for_and_priority_goes_first(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&[true]).await);
        let slow = w.create(&trapline_core::ports::NewJob { delay_seconds: 100, ..w.new_job(pipeline, set) }).await;
        let low = w.create(&w.new_job(pipeline, set)).await;
        let high = w.create(&trapline_core::ports::NewJob { priority: 9, ..w.new_job(pipeline, set) }).await;
        let first = w.store.claim_job(w.now(), CLAIM, 7).await.unwrap().unwrap();
        assert_eq!(first.job, high);
        assert_eq!(w.store.claim_job(w.now(), CLAIM, 7).await.unwrap().unwrap().job, low);
        w.pass(99);
        w.collect().await;
        assert!(w.job(high).await.collected && w.job(low).await.collected && !w.job(slow).await.collected);
        w.pass(1);
        assert_eq!(w.store.claim_job(w.now(), CLAIM, 7).await.unwrap().unwrap().job, slow);
    }

    async fn scores_read_back_to_the_same_bits_and_classifications_keep_their_detection(w: World) {
        let job = w.job_of(1).await;
        let task = w.grant(job, 1, "w").await[0];
        w.succeed(task, 300).await;
        let rows = w.store.detections(DetectionsOf::first(job, 1_000), true).await.unwrap();
        assert_eq!(rows.len(), 300);
        for row in rows {
            let at = (row.bbox.unwrap()[0] - 0.1).round();
            assert_eq!(row.bbox.unwrap()[0].to_bits(), (at + 0.1).to_bits());
            let class = &row.classifications[0];
            assert_eq!(class.label, if at as i64 % 2 == 0 { "a" } else { "b" });
            assert_eq!(class.scores, [0.1f32 + at as f32, 0.9]);
            let own = (at as i64 % 5 == 0).then(|| vec!["a \u{1f98b}".to_owned(), "b".to_owned()]);
            let score = if class.label == "a" { 0.1f32 + at as f32 } else { 0.9 };
            assert_eq!((class.score, &class.labels), (Some(score), &own));
        }
        let page = w.store.detections(DetectionsOf::first(job, 7), false).await.unwrap();
        assert!(page.len() == 7 && page[0].classifications[0].scores.is_empty());
        assert_eq!(page[0].classifications[0].labels, None, "not asked for");
    }

    async fn an_item_that_the_database_refuses_is_refused_alone(w: World) {
        let job = w.job_of(9).await;
        let tasks = w.grant(job, 9, "w").await;
        let mut items: Vec<Settlement> = Vec::new();
        for (at, task) in tasks.iter().enumerate() {
            let mut detections = w.detections(2).await;
            if at == 4 {
                // The same key twice: `core` would have merged them; the plan refuses it all the same.
                detections[1].bbox = detections[0].bbox;
            }
            items.push(Settlement { receipt: task.0, posted: Posted::Success(detections) });
        }
        let report = w.settle(&items).await;
        let refused: Vec<usize> = (0..9).filter(|at| matches!(report.items[*at], Settled::Refused(_))).collect();
        assert_eq!(refused, [4]);
        assert_eq!(w.counts(job).await, [9, 0, 1, 8, 0]);
        w.check_counts(job).await;
    }

    async fn failures_are_in_the_jobs_log_and_pages_go_by_key(w: World) {
        let job = w.job_of(30).await;
        let tasks = w.grant(job, 30, "w").await;
        let items: Vec<Settlement> = tasks.iter().map(|t| failure(*t)).collect();
        w.settle(&items).await;
        let query = LogQuery { job, level: Some(trapline_core::ports::Level::Error), capture: None, page: LogPage::After(0), limit: 20 };
        let first = w.store.logs(&query).await.unwrap();
        assert_eq!(first.len(), 20);
        let rest = w.store.logs(&LogQuery { page: LogPage::After(first[19].id), ..query }).await.unwrap();
        assert_eq!(rest.len(), 11, "30 images and the landing");
        let about = w.store.logs(&LogQuery { capture: Some(tasks[3].0.capture), ..query }).await.unwrap();
        assert_eq!(about.len(), 1);
        let page = w.store.images(&ImageQuery { limit: 7, ..failed(job) }).await.unwrap();
        let next = w.store.images(&ImageQuery { after: page[6].capture, ..failed(job) }).await.unwrap();
        assert_eq!((page.len(), next.len()), (7, 23));
        assert!(page.iter().all(|r| r.state == TaskState::Failed && r.worker.as_deref() == Some("w")));
    }

    async fn a_deleted_job_is_gone_at_once_and_its_rows_soon(w: World) {
        let job = w.job_of(500).await;
        let tasks = w.grant(job, 400, "w").await;
        let detections = w.detections(1).await;
        let items: Vec<Settlement> = tasks.iter().map(|t| Settlement { receipt: t.0, posted: Posted::Success(detections.clone()) }).collect();
        w.settle(&items).await;
        for by in [JobMove::Cancel, JobMove::Revoke] { w.go(job, by).await; }
        w.store.delete_job(job, w.now()).await.unwrap().unwrap();
        assert!(w.store.job(job).await.unwrap().is_none());
        assert!(w.store.delete_job(job, w.now()).await.unwrap().is_none());
        for (job, run) in w.store.cleanup_due(10).await.unwrap() {
            w.store.cleaned(job, run).await.unwrap();
        }
        w.outlive().await;
        while w.store.purge().await.unwrap() {}
        let all = ImageQuery { state: None, ..failed(job) };
        assert!(w.store.images(&all).await.unwrap().is_empty());
        assert!(w.store.detections(DetectionsOf::first(job, 9), false).await.unwrap().is_empty());
        assert_eq!(w.settle(&items[..1]).await.items, [Settled::Gone]);
    }
}
