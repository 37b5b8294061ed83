//! The cases of the store's part for the health check: ticks and their lease, idle jobs, outlook.

use std::time::Duration;

use trapline_core::{
    CaptureId, FailReason, JobId, JobStatus, Timestamp,
    health::{Action, LostTasks, TickReport, lost_line},
    job::{Expect, JobMove},
    ports::{
        Ended, ImageQuery, ImageState, LogPage, LogQuery, MarkLost, NewJob, Outlook, Posted, QueueCounters,
        Settlement, SignOfLife, Slice, Vitals, Want,
    },
};

use super::{World, cases};

const LEASE: Duration = Duration::from_secs(120);

fn tick(node: &str, started_at: Timestamp) -> TickReport {
    let mut tick = TickReport {
        node: node.into(),
        started_at,
        finished_at: started_at,
        ..TickReport::default()
    };
    tick.lost_images.found(JobId(7), Action::MarkedLost, "16");
    tick
}

async fn vitals(w: &World, job: JobId) -> Vitals {
    w.store
        .vitals(JobId(job.0 - 1), 1, w.policy().max_deliver)
        .await
        .unwrap()[0]
}

async fn lose(w: &World, job: JobId, strict: bool) -> MarkLost {
    let seen = vitals(w, job).await;
    MarkLost {
        job,
        run: seen.run,
        cutoff: seen.idle_since,
        strict,
        leases: w.policy(),
        queue: None,
        earlier: LostTasks::default(),
        now: w.now(),
        dry_run: false,
    }
}

/// The outlook of a job, which is that of it among others too, but for its lease.
pub(super) async fn outlook(w: &World, job: JobId, seen_since: Timestamp) -> Outlook {
    let alone = w.store.outlook(job, seen_since).await.unwrap().unwrap();
    let among = w.store.outlooks(&[JobId(999), job], seen_since).await.unwrap();
    let oldest_lease = None;
    let without_lease = Outlook {
        oldest_lease,
        ..alone.clone()
    };
    assert_eq!(among, [(job, without_lease)]);
    alone
}

/// Hands everything out, each image alone to a worker of its own, and lets the leases end.
async fn never_answered(w: &World, job: JobId) {
    let free = w
        .store
        .free_tasks(job, (i64::MIN, CaptureId(0)), 9_999)
        .await
        .unwrap();
    for (_, candidate) in free {
        let worker = w.worker(&format!("silent {}", candidate.capture)).await;
        let only = Some(vec![candidate.capture]);
        assert_eq!(w.hand_out(job, Want::Alone, only, 1, worker).await.0.len(), 1);
    }
    w.live(65).await;
}

async fn lost_of(w: &World, job: JobId) -> usize {
    let query = ImageQuery {
        job,
        state: Some(ImageState::Failed),
        reason: Some(FailReason::Lost),
        after: CaptureId(0),
        back: false,
        limit: 10_000,
    };
    w.store.images(&query).await.unwrap().len()
}

cases! { World;
    async fn a_node_that_was_paused_makes_no_job_look_idle(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&[true; 3]).await);
        let job = w.create(&w.new_job(pipeline, set)).await;
        let before = w.now();
        w.live(100).await;
        // What a node claims and settles that read the time before it was paused.
        let mut claim = w.store.claim_job(before, Duration::from_secs(30), 7).await.unwrap().unwrap();
        while let Slice::More(to) = w.store.collect_slice(&claim, w.now(), Duration::from_secs(30)).await.unwrap() {
            claim.watermark = to;
        }
        assert_eq!(vitals(&w, job).await.idle_since, w.now());
        let tasks = w.grant(job, 2, "w").await;
        w.live(10).await;
        for (task, now) in tasks.iter().zip([w.now(), before]) {
            w.store.settle(&[Settlement { receipt: task.0, posted: Posted::Success(vec![]) }], now).await.unwrap();
            assert_eq!(vitals(&w, job).await.idle_since, w.now());
        }
        w.live(10).await;
        w.store.move_job(job, JobMove::Cancel, &Expect::ANYTHING, before).await.unwrap();
        assert_eq!(vitals(&w, job).await.idle_since, w.now());
    }

    async fn one_node_holds_the_tick_and_a_dead_one_loses_it(w: World) {
        let take = async |node, not_since| w.store.take_tick(node, w.now(), LEASE, not_since).await.unwrap();
        assert!(take("a", None).await);
        assert!(take("a", None).await, "renewed");
        assert!(!take("b", None).await);
        w.pass(120);
        assert!(take("b", None).await, "a node that died does not keep it");
        assert!(!take("a", None).await);
        w.store.save_tick(&tick("b", w.now()), Timestamp(0)).await.unwrap();
        w.pass(1);
        assert!(!take("a", Some(w.now().minus(Duration::from_secs(54)))).await, "one has just been run");
        assert!(take("a", None).await, "on request it runs all the same");
    }

    async fn ticks_are_kept_for_a_while_and_read_newest_first_page_by_page(w: World) {
        let first = w.now();
        for _ in 0..4 {
            w.store.save_tick(&tick("a", w.now()), first.plus(Duration::from_secs(1))).await.unwrap();
            w.pass(60);
        }
        let all = w.store.ticks(None, 10).await.unwrap();
        let kept: Vec<_> = all.iter().map(|(_, tick)| tick.clone()).collect();
        assert_eq!(kept.len(), 3);
        assert!(kept.windows(2).all(|t| t[0].started_at > t[1].started_at));
        assert_eq!(kept[2], tick("a", first.plus(Duration::from_secs(60))));
        let first_page = w.store.ticks(None, 2).await.unwrap();
        assert_eq!(first_page, all[..2]);
        w.store.save_tick(&tick("a", w.now()), first).await.unwrap();
        let second_page = w.store.ticks(Some(first_page[1].0), 2).await.unwrap();
        assert_eq!(second_page, all[2..], "a newer one moves nothing");
        assert_eq!(w.store.ticks(Some(all[2].0), 2).await.unwrap(), []);
    }

    async fn vitals_tell_free_leased_and_exhausted_tasks_and_since_when_a_job_is_idle(w: World) {
        w.beat().await;
        let job = w.job_of(5).await;
        let started = w.now();
        let of = async |job| { let v = vitals(&w, job).await; (v.free, v.leased, v.exhausted, v.idle_since) };
        assert_eq!(of(job).await, (5, 0, 0, started));
        let tasks = w.grant(job, 2, "w").await;
        w.live(10).await;
        assert_eq!(of(job).await, (3, 2, 0, started), "a hand-out is no result");
        w.succeed(tasks[0], 0).await;
        assert_eq!(of(job).await, (3, 1, 0, w.now()));
        w.pass(100);
        w.beat().await;
        assert_eq!(of(job).await.3, w.now(), "nobody is idle for an outage of ours");
        w.go(job, JobMove::Cancel).await;
        w.go(job, JobMove::Revoke).await;
        assert!(w.store.vitals(JobId(0), 9, 2).await.unwrap().is_empty(), "it runs no more");
    }

    async fn the_net_ends_leases_as_the_sweep_does_and_lands_the_job_with_one_line(w: World) {
        w.beat().await;
        let job = w.job_of(12).await;
        never_answered(&w, job).await;
        let first = w.store.mark_lost(&lose(&w, job, false).await).await.unwrap();
        assert_eq!((first.freed.len(), first.lost.len(), first.raced), (12, 0, false));
        assert!(first.touched.is_none() && w.job(job).await.errors.is_empty());
        never_answered(&w, job).await;
        let second = w.store.mark_lost(&lose(&w, job, false).await).await.unwrap();
        assert_eq!((second.freed.len(), second.lost.len()), (0, 12));
        assert!(second.touched.unwrap().landed);
        let done = w.job(job).await;
        assert_eq!(done.status, JobStatus::Failure);
        assert_eq!(done.errors, [lost_line(None, &second.lost[..].into())]);
        let query = LogQuery { job, level: None, capture: None, page: LogPage::Newest, limit: 50 };
        let log = w.store.logs(&query).await.unwrap();
        let full = log.iter().find(|l| l.message.contains("(full IDs: [")).unwrap();
        assert!(second.lost.iter().all(|id| full.message.contains(&format!("'{id}'"))));
        w.check_counts(job).await;
    }

    async fn the_net_judges_a_death_on_all_that_the_worker_held_of_whatever_job(w: World) {
        w.beat().await;
        let (older, idle) = (w.job_of(3).await, w.job_of(2).await);
        w.grant_process(older, 3, "w").await;
        w.live(1).await;
        w.grant_process(idle, 2, "w").await;
        w.live(66).await;
        let done = w.store.mark_lost(&lose(&w, idle, false).await).await.unwrap();
        assert_eq!((done.freed.len(), done.lost.len(), done.touched.is_none()), (5, 0, true));
        assert_eq!(w.grant_of(idle, None, 9, "x").await.len(), 2, "held ahead, so uncharged");
        assert!(w.grant_of(older, None, 9, "x").await.is_empty());
        assert_eq!(w.grant_suspect(older, "x").await.len(), 1, "the oldest is charged");
        w.check_counts(older).await;
    }

    async fn a_job_is_not_idle_while_it_is_being_canceled(w: World) {
        w.beat().await;
        let job = w.job_of(2).await;
        w.live(100).await;
        let idle = lose(&w, job, false).await;
        let canceled = w.now();
        w.go(job, JobMove::Cancel).await;
        let seen = vitals(&w, job).await;
        assert_eq!((seen.status, seen.idle_since), (JobStatus::Canceling, canceled));
        let ended = w.store.end_stale(&seen, idle.cutoff, "line", w.now(), false).await.unwrap();
        assert_eq!(ended, Ended::Raced);
        assert!(w.job(job).await.errors.is_empty());
    }

    async fn what_a_lower_budget_exhausts_is_not_lost_by_the_net_and_gets_a_last_try_from_the_sweep(w: World) {
        w.beat().await;
        let job = w.job_of(3).await;
        never_answered(&w, job).await;
        w.sweep().await;
        let mut request = lose(&w, job, false).await;
        assert!(w.store.mark_lost(&request).await.unwrap().lost.is_empty());
        request.leases.max_deliver = 1;
        assert_eq!(w.store.vitals(JobId(0), 9, 1).await.unwrap()[0].exhausted, 3);
        for dry_run in [true, false] {
            let request = MarkLost { dry_run, ..request.clone() };
            assert!(w.store.mark_lost(&request).await.unwrap().lost.is_empty(), "its last try was not alone");
        }
        w.store.sweep(&request.leases, None, w.now()).await.unwrap();
        assert_eq!(w.store.vitals(JobId(0), 9, 1).await.unwrap()[0].exhausted, 0);
        assert_eq!(w.counts(job).await, [3, 3, 0, 0, 0]);
        w.check_counts(job).await;
    }

    async fn a_result_between_choosing_and_acting_wins(w: World) {
        w.beat().await;
        let job = w.job_of(4).await;
        let tasks = w.grant(job, 2, "w").await;
        let request = lose(&w, job, true).await;
        w.live(1).await;
        w.succeed(tasks[0], 1).await;
        let done = w.store.mark_lost(&request).await.unwrap();
        assert!(done.raced && done.lost.is_empty());
        let stale = w.store.end_stale(&vitals(&w, job).await, request.cutoff, "line", w.now(), false).await.unwrap();
        assert_eq!(stale, Ended::Raced);
        assert_eq!(w.counts(job).await, [4, 2, 1, 1, 0]);
        w.check_counts(job).await;
    }

    async fn strict_loses_every_pending_task_in_slices_under_one_line(w: World) {
        w.beat().await;
        // A slice looks at 500 grants.
        let job = w.job_of(1_100).await;
        never_answered(&w, job).await;
        let request = lose(&w, job, false).await;
        let dry = MarkLost { dry_run: true, ..request };
        let freed = w.store.mark_lost(&dry).await.unwrap();
        assert_eq!((freed.freed.len(), freed.lost.len(), freed.more), (1_100, 0, false));
        let mut last_hand_out = dry;
        last_hand_out.leases.max_deliver = 1;
        let lost = w.store.mark_lost(&last_hand_out).await.unwrap();
        assert_eq!((lost.freed.len(), lost.lost.len(), lost.more), (0, 1_100, false));
        assert_eq!(w.counts(job).await, [1_100, 0, 1_100, 0, 0], "and does nothing");
        let counters = QueueCounters::new();
        while w.store.sweep(&last_hand_out.leases, Some(&counters), w.now()).await.unwrap().more {}
        assert_eq!(lost_of(&w, job).await, 1_100);
    }

    async fn an_unexplained_job_is_revoked_with_its_results(w: World) {
        w.beat().await;
        let job = w.job_of(3).await;
        let tasks = w.grant(job, 1, "w").await;
        w.succeed(tasks[0], 2).await;
        w.live(1).await;
        let seen = vitals(&w, job).await;
        let line = "Reaping stalled job: no progress for 600 s";
        let end = async |dry| w.store.end_stale(&seen, seen.idle_since, line, w.now(), dry).await.unwrap();
        assert_eq!(end(true).await, Ended::Reaped);
        assert_eq!(w.job(job).await.status, JobStatus::Started, "a dry run does nothing");
        assert_eq!(end(false).await, Ended::Reaped);
        let done = w.job(job).await;
        assert_eq!((done.status, done.counts.processed, done.counts.detections), (JobStatus::Revoked, 1, 2));
        assert_eq!(done.errors, [line]);
        assert_eq!(w.store.cleanup_due(9).await.unwrap(), [(job, 1)]);
        assert_eq!(end(false).await, Ended::Raced);
        w.check_counts(job).await;
    }

    async fn the_outlook_tells_workers_and_what_they_are_busy_with_the_oldest_lease_and_strikes(w: World) {
        w.beat().await;
        let (a, b) = (w.job_of(2).await, w.job_of(2).await);
        let outlook = async |job| outlook(&w, job, w.now().minus(Duration::from_secs(300))).await;
        assert_eq!(outlook(a).await, Outlook::default());
        let granted_at = w.grant(a, 1, "gpu").await[0].0.granted_at;
        w.live(3).await;
        let worker = w.worker("gpu").await;
        let sign = SignOfLife { worker, seen_at: w.now(), reserved_at: None, pipelines: vec!["p".into()] };
        w.store.keep_alive(&[sign], &w.policy(), w.now()).await.unwrap();
        let seen = outlook(b).await;
        assert_eq!((seen.workers.len(), seen.workers[0].busy_with, seen.last_seen), (1, Some(a), Some(w.now())));
        let lease = outlook(a).await.oldest_lease.unwrap();
        assert_eq!((lease.granted_at, lease.worker.as_str()), (granted_at, "gpu"));
        w.live(65).await;
        w.sweep().await;
        let after = outlook(a).await;
        assert_eq!((after.strikes, after.struck_by.as_deref(), after.oldest_lease), (1, Some("gpu"), None));
        assert_eq!(after.workers[0].busy_with, None);
        assert!(w.store.outlook(JobId(999), w.now()).await.unwrap().is_none());
    }

    async fn the_outlooks_of_jobs_are_each_its_own(w: World) {
        w.beat().await;
        let (a, b) = (w.job_of(2).await, w.job_of(2).await);
        let no_pipeline = NewJob { pipeline: None, start: false, ..w.new_job(w.pipeline().await, w.set(&[true]).await) };
        let c = w.create(&no_pipeline).await;
        w.grant(a, 1, "gpu").await;
        w.live(65).await;
        w.sweep().await;
        w.grant(b, 1, "cpu").await;
        for name in ["gpu", "cpu"] {
            let worker = w.worker(name).await;
            let sign = SignOfLife { worker, seen_at: w.now(), reserved_at: None, pipelines: vec!["p".into()] };
            w.store.keep_alive(&[sign], &w.policy(), w.now()).await.unwrap();
        }
        let all = w.store.outlooks(&[c, b, a], w.now()).await.unwrap();
        let told = |(job, of): &(JobId, Outlook)| (*job, of.strikes, of.struck_by.clone(), of.workers.len());
        let told: Vec<_> = all.iter().map(told).collect();
        assert_eq!(told, [(a, 1, Some("gpu".to_owned()), 2), (b, 0, None, 2), (c, 0, None, 0)]);
        let busy: Vec<_> = all[0].1.workers.iter().map(|w| (w.name.as_str(), w.busy_with)).collect();
        assert_eq!(busy, [("gpu", None), ("cpu", Some(b))]);
        w.pass(1);
        let later = w.store.outlooks(&[a], w.now()).await.unwrap();
        assert_eq!((later[0].1.workers.len(), later[0].1.last_seen), (0, all[0].1.last_seen));
        w.store.delete_job(b, w.now()).await.unwrap();
        assert_eq!(w.store.outlooks(&[b], w.now()).await.unwrap(), []);
    }
}
