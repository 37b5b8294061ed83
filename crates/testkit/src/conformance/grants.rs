//! The cases of the store: which tasks are handed out, and in which order (docs/rules.md A6, A7).

use std::time::Duration;

use trapline_core::{
    CaptureId, JobId, WorkerId,
    handout::last_try::SPARE,
    job::JobMove,
    ports::{FreeCursor, GrantKey, GrantRequest, Granted, LeaseChange, SignOfLife, Slice, Standing, Want},
};

use super::{Grant, World, cases, suspects::new_run};

const LAST_TRY: Want = Want::LastTry { only: true };

/// Every way to ask for tasks of a job.
pub(super) const WANTS: [Want; 4] = [Want::Batch, Want::Suspect, LAST_TRY, Want::Alone];

fn captures(grants: &[Grant]) -> Vec<CaptureId> {
    let mut all: Vec<_> = grants.iter().map(|g| g.0.capture).collect();
    all.sort();
    all
}

impl World {
    /// The free tasks of a job in the order of dispatch.
    pub async fn order(&self, job: JobId) -> Vec<CaptureId> {
        const START: FreeCursor = (i64::MIN, CaptureId(0));
        let page = self.store.free_tasks(job, START, 1_000).await.unwrap();
        page.into_iter().map(|(_, c)| c.capture).collect()
    }

    /// A request for tasks that the store picks. As the engine does: no two grants have one time.
    pub fn request(&self, job: JobId, want: Want, limit: usize, worker: WorkerId) -> GrantRequest {
        self.clock.advance(Duration::from_micros(1));
        let policy = self.policy();
        GrantRequest {
            job,
            want,
            candidates: Vec::new(),
            fill: true,
            limit,
            worker,
            now: self.now(),
            ttr: policy.ttr,
            exclusive_ttr: policy.ttr / 2,
            max_deliver: policy.max_deliver,
        }
    }
}

/// A job of nine images, in the order of dispatch three each that are free, before their last try, and suspect.
async fn job_of_every_kind(w: &World) -> (JobId, Vec<CaptureId>) {
    let job = w.job_of(9).await;
    let all = w.order(job).await;
    w.grant_of(job, Some(all[3..].to_vec()), 9, "a").await;
    w.outlive().await;
    let b = w.worker("b").await;
    for capture in &all[3..6] {
        let (one, _) = w.hand_out(job, Want::Suspect, Some(vec![*capture]), 1, b).await;
        assert_eq!(one.len(), 1);
    }
    w.outlive().await;
    let (none, seen) = w.hand_out(job, Want::Batch, None, 0, b).await;
    assert!(none.is_empty() && seen.suspects && seen.last_tries);
    (job, all)
}

/// Nobody gets anything of the job, and nobody is told that there is something.
async fn has_nothing(w: &World, job: JobId, all: &[CaptureId]) {
    for (n, want) in WANTS.into_iter().enumerate() {
        for candidates in [None, Some(all.to_vec())] {
            let worker = w.worker(&format!("{job} asks {n}")).await;
            let (none, seen) = w.hand_out(job, want, candidates, 9, worker).await;
            assert!(none.is_empty(), "{want:?}: {none:?}");
            assert!(!seen.suspects && !seen.last_tries, "{want:?}");
        }
    }
    let waiting = w
        .store
        .waiting_jobs(&[], None, w.policy().max_deliver)
        .await
        .unwrap();
    assert!(waiting.iter().all(|j| j.waiting.job != job));
}

/// A worker that holds a task of another job, and is put off for the last tries of this one.
async fn put_off(w: &World, job: JobId) -> WorkerId {
    let other = w.job_of(1).await;
    let worker = w.worker("busy").await;
    assert_eq!(w.hand_out(other, Want::Batch, None, 1, worker).await.0.len(), 1);
    assert!(w.hand_out(job, LAST_TRY, None, 1, worker).await.1.held_back);
    assert_eq!(w.standing(worker).await.waits_for, Some(job));
    worker
}

/// Hands out under another budget.
pub(super) async fn grant_within(
    w: &World,
    job: JobId,
    want: Want,
    max_deliver: i64,
    worker: &str,
) -> Granted {
    let request = GrantRequest {
        exclusive_ttr: w.policy().ttr,
        max_deliver,
        ..w.request(job, want, 9, w.worker(worker).await)
    };
    w.store.grant(&request).await.unwrap()
}

cases! { World;
    async fn hand_outs_asked_for_at_once_share_no_task(w: World) {
        let job = w.job_of(100).await;
        let mut requests = Vec::new();
        for worker in 0..8 {
            let worker = w.worker(&format!("w{worker}")).await;
            requests.push(w.request(job, Want::Batch, 10, worker));
        }
        let granted = futures::future::join_all(requests.iter().map(|r| w.store.grant(r))).await;
        let tasks: Vec<_> = granted.into_iter().flat_map(|g| g.unwrap().tasks).map(|t| t.capture).collect();
        let distinct: std::collections::BTreeSet<_> = tasks.iter().collect();
        assert_eq!((tasks.len(), distinct.len()), (80, 80));
        assert_eq!(w.counts(job).await, [100, 20, 80, 0, 0]);
        w.check_invariants().await;
    }

    async fn what_the_queue_did_not_propose_is_handed_out_in_the_order_of_dispatch(w: World) {
        // The first captures of a store are hardly shuffled.
        w.set(&[true; 300]).await;
        let job = w.job_of(20).await;
        let all = w.order(job).await;
        assert!(!all.is_sorted());
        for expected in all.chunks(4) {
            let mut expected = expected.to_vec();
            expected.sort();
            assert_eq!(captures(&w.grant_of(job, None, 4, "a").await), expected);
        }
        w.outlive().await;
        for expected in &all {
            assert_eq!(captures(&w.grant_suspect(job, "b").await), [*expected]);
        }
        w.outlive().await;
        for (n, expected) in all.iter().enumerate() {
            assert_eq!(captures(&w.grant_last_try(job, &format!("c {n}")).await), [*expected]);
        }
    }

    async fn what_is_proposed_and_what_fills_it_up_are_one_grant_and_no_task_is_in_it_twice(w: World) {
        w.set(&[true; 300]).await;
        let job = w.job_of(20).await;
        let all = w.order(job).await;
        w.grant_of(job, Some(vec![all[0]]), 1, "a").await;
        let b = w.worker("b").await;
        // The first is out already; of the rest two are also the next to be filled in, and one is proposed twice.
        let proposed = vec![all[0], all[1], all[9], all[3], all[1]];
        let request = GrantRequest { candidates: proposed, ..w.request(job, Want::Batch, 5, b) };
        let tasks = w.store.grant(&request).await.unwrap().tasks;
        let mut expected = [1, 3, 9, 2, 4].map(|at| all[at]).to_vec();
        expected.sort();
        let mut handed: Vec<CaptureId> = tasks.iter().map(|t| t.capture).collect();
        handed.sort();
        assert_eq!(handed, expected);
        let key = GrantKey { job, worker: b, granted_at: request.now };
        let receipts = w.store.receipts_of(&[key]).await.unwrap();
        let of_one: Vec<CaptureId> = receipts.iter().map(|r| r.capture).collect();
        assert_eq!(of_one, expected);
        w.check_invariants().await;
    }

    async fn no_more_is_handed_out_than_was_asked_for(w: World) {
        let job = w.job_of(9).await;
        let all = w.order(job).await;
        assert_eq!(w.grant_of(job, Some(all.clone()), 4, "a").await.len(), 4);
        assert_eq!(w.grant_of(job, None, 3, "a").await.len(), 3);
        let b = w.worker("b").await;
        assert_eq!(w.hand_out(job, Want::Alone, Some(all), 9, b).await.0.len(), 1);
    }

    async fn a_job_that_is_being_canceled_or_deleted_hands_out_nothing_of_any_kind(w: World) {
        for deleted in [false, true] {
            let (job, all) = job_of_every_kind(&w).await;
            let worker = put_off(&w, job).await;
            match deleted {
                false => drop(w.go(job, JobMove::Cancel).await),
                true => drop(w.store.delete_job(job, w.now()).await.unwrap()),
            }
            has_nothing(&w, job, &all).await;
            assert_eq!(w.standing(worker).await, Standing::default());
            w.outlive().await;
        }
    }

    async fn tasks_that_a_new_run_has_not_taken_up_yet_are_not_handed_out(w: World) {
        let (job, all) = job_of_every_kind(&w).await;
        let worker = put_off(&w, job).await;
        for by in [JobMove::Cancel, JobMove::Revoke, JobMove::RetryFailed] {
            w.go(job, by).await;
        }
        assert_eq!(w.job(job).await.run, 2);
        has_nothing(&w, job, &all).await;
        assert_eq!(w.order(job).await, []);
        assert_eq!(w.standing(worker).await, Standing::default());
        w.collect().await;
        assert_eq!(w.grant_of(job, None, 9, "x").await.len(), 9);
    }

    async fn what_has_used_up_a_smaller_budget_is_not_handed_out(w: World) {
        let job = w.job_of(3).await;
        let tasks = w.grant(job, 3, "w").await;
        w.succeed(tasks[0], 0).await;
        w.outlive().await;
        assert!(grant_within(&w, job, Want::Batch, 1, "x").await.tasks.is_empty(), "each has a plain strike");
        assert!(w.store.waiting_jobs(&[], None, 1).await.unwrap().is_empty());
        assert_eq!(grant_within(&w, job, Want::Batch, 2, "x").await.tasks.len(), 2);
        // Of suspects, those without a strike have one try left, and the others none.
        let (job, all) = job_of_every_kind(&w).await;
        for n in 0..3 {
            let granted = grant_within(&w, job, LAST_TRY, 1, &format!("y {n}")).await;
            assert_eq!(granted.tasks[0].capture, all[6 + n]);
            assert_eq!((granted.suspects, granted.last_tries), (false, n < 2));
        }
        assert!(grant_within(&w, job, LAST_TRY, 1, "z").await.tasks.is_empty());
        assert!(grant_within(&w, job, Want::Suspect, 1, "z").await.tasks.is_empty());
    }

    async fn what_can_not_be_handed_out_hides_nothing_that_can(w: World) {
        // The first in the order of dispatch has a plain strike.
        let job = w.job_of(3).await;
        let all = w.order(job).await;
        let held = w.grant_of(job, Some(all[..2].to_vec()), 9, "w").await;
        w.succeed(*held.iter().find(|g| g.0.capture == all[1]).unwrap(), 0).await;
        w.outlive().await;
        assert_eq!(w.order(job).await, [all[0], all[2]]);
        let granted = grant_within(&w, job, Want::Batch, 1, "x").await;
        assert_eq!(granted.tasks.iter().map(|t| t.capture).collect::<Vec<_>>(), all[2..]);
        // Nor do the suspects of one job hide those of another.
        let jobs = [job_of_every_kind(&w).await, job_of_every_kind(&w).await];
        for (job, all) in &jobs {
            assert_eq!(captures(&w.grant_suspect(*job, "y").await), all[6..7]);
            assert_eq!(captures(&w.grant_last_try(*job, &format!("alone in {job}")).await), all[3..4]);
        }
    }

    async fn only_jobs_with_a_free_task_wait_for_a_caller(w: World) {
        let job = w.job_of(2).await;
        let waiting = || async {
            let jobs = w.store.waiting_jobs(&["p".into()], None, 2).await.unwrap().len();
            assert_eq!(w.store.is_waiting(job, 2).await.unwrap(), jobs == 1);
            jobs
        };
        assert_eq!(waiting().await, 1);
        assert!(!w.store.is_waiting(trapline_core::JobId(job.0 + 1), 2).await.unwrap());
        assert!(w.store.waiting_jobs(&["q".into()], None, 2).await.unwrap().is_empty());
        assert!(w.store.waiting_jobs(&[], Some(trapline_core::ProjectId(99)), 2).await.unwrap().is_empty());
        w.grant(job, 2, "w").await;
        assert_eq!(waiting().await, 0);
        w.pass(64);
        w.sweep().await;
        assert_eq!(waiting().await, 1);
        w.go(job, JobMove::Cancel).await;
        assert_eq!(waiting().await, 0);
    }

    async fn pending_tasks_are_all_that_are_not_settled_page_by_page_in_the_order_of_dispatch(w: World) {
        w.set(&[true; 300]).await;
        let job = w.job_of(9).await;
        let order = w.order(job).await;
        let held = w.grant(job, 3, "w").await;
        w.succeed(held[1], 0).await;
        let (mut after, mut pending) = ((i64::MIN, CaptureId(0)), Vec::new());
        loop {
            let page = w.store.pending_tasks(job, after, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            after = *last;
            pending.extend(page.into_iter().map(|(_, capture)| capture));
        }
        let expected: Vec<_> = order.into_iter().filter(|c| *c != held[1].0.capture).collect();
        assert_eq!(pending, expected);
    }

    async fn a_run_that_is_being_collected_hands_out_what_it_has_taken_up(w: World) {
        let job = w.job_of(2_100).await;
        for by in [JobMove::Cancel, JobMove::Revoke, JobMove::RetryFailed] {
            w.go(job, by).await;
        }
        let lease = w.policy().ttr;
        let mut claim = w.store.claim_job(w.now(), lease, 7).await.unwrap().unwrap();
        while w.order(job).await.is_empty() {
            let Slice::More(to) = w.store.collect_slice(&claim, w.now(), lease).await.unwrap() else { panic!("a slice") };
            claim.watermark = to;
        }
        for limit in [40, 9] {
            assert_eq!(w.grant_of(job, None, limit, "w").await.len(), limit);
        }
    }

    async fn what_is_settled_is_not_handed_out_and_each_task_comes_with_its_own_url(w: World) {
        let job = w.job_of(5).await;
        let all = w.order(job).await;
        let held = w.grant_of(job, Some(all[..2].to_vec()), 9, "w").await;
        w.succeed(held[0], 0).await;
        w.fail(held[1]).await;
        let x = w.worker("x").await;
        for (n, candidates) in [Some(all[..3].to_vec()), None].into_iter().enumerate() {
            let (_, granted) = w.hand_out(job, Want::Batch, candidates, 9, x).await;
            assert_eq!(granted.tasks.len(), n + 1, "the settled ones are not among them");
            for task in granted.tasks {
                let capture = w.store.capture(task.capture).await.unwrap().unwrap();
                assert_eq!(task.url, capture.url);
            }
        }
    }

    async fn a_suspect_that_was_handed_out_too_often_has_its_last_try_and_a_new_run_counts_anew(w: World) {
        let job = w.job_of(1).await;
        for _ in 1..SPARE {
            let receipts = [w.grant(job, 1, "w").await[0].0];
            w.store.change_leases(LeaseChange::Undelivered, &receipts, &w.policy(), w.now()).await.unwrap();
        }
        w.grant(job, 1, "dead").await;
        w.outlive().await;
        let x = w.worker("x").await;
        let (suspects, seen) = w.hand_out(job, Want::Suspect, None, 1, x).await;
        assert!(suspects.len() == 1 && !seen.last_tries, "{} hand-outs before", SPARE);
        w.store.change_leases(LeaseChange::Undelivered, &[suspects[0].0], &w.policy(), w.now()).await.unwrap();
        let (none, seen) = w.hand_out(job, Want::Suspect, None, 1, x).await;
        assert!(none.is_empty() && seen.last_tries && !seen.suspects, "one more than that");
        put_off(&w, job).await;
        assert_eq!(w.grant_last_try(job, "x").await.len(), 1);
        new_run(&w, job).await;
        w.grant(job, 1, "dead again").await;
        w.outlive().await;
        assert_eq!(w.grant_suspect(job, "x").await.len(), 1);
    }

    async fn an_answer_within_the_margin_is_a_sign_of_life_and_one_after_it_revives_nothing(w: World) {
        let job = w.job_of(2).await;
        for (seconds, lives) in [(62, true), (64, false)] {
            let held = w.grant(job, 1, &format!("after {seconds}")).await[0].0;
            w.pass(seconds);
            let sign = SignOfLife { worker: held.worker, seen_at: w.now(), reserved_at: Some(held.granted_at), pipelines: vec![] };
            w.store.keep_alive(&[sign], &w.policy(), w.now()).await.unwrap();
            w.pass(10);
            let (answers, _) = w.store.change_leases(LeaseChange::Extend, &[held], &w.policy(), w.now()).await.unwrap();
            assert_eq!(answers[0].is_ok(), lives, "an answer after {seconds} s");
            assert_eq!(w.sweep().await.freed.is_empty(), lives, "an answer after {seconds} s");
        }
    }

    async fn a_lease_can_be_extended_and_given_back_until_the_margin_is_over(w: World) {
        let job = w.job_of(3).await;
        for change in [LeaseChange::Extend, LeaseChange::Release, LeaseChange::Undelivered] {
            let held = [w.grant(job, 1, "w").await[0].0];
            w.pass(62);
            let (answers, _) = w.store.change_leases(change, &held, &w.policy(), w.now()).await.unwrap();
            assert_eq!(answers, [Ok(())], "{change:?}");
            w.outlive().await;
        }
    }
}
