//! The cases of the two projections.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use trapline_core::{CaptureId, JobId};

/// A port, and jobs that no other case uses, because the cases of a run share one server.
pub struct Fixture<P: ?Sized> {
    /// What is tested.
    pub port: Arc<P>,
    base: i64,
}

impl<P: ?Sized> Fixture<P> {
    /// Jobs of its own.
    pub fn new(port: Arc<P>) -> Self {
        static NEXT: AtomicI64 = AtomicI64::new(1_000);
        Self {
            port,
            base: NEXT.fetch_add(1_000, Ordering::Relaxed),
        }
    }

    /// The `n`th job of this case.
    #[must_use]
    pub fn job(&self, n: i64) -> JobId {
        JobId(self.base + n)
    }

    /// Whether a job is of this case.
    #[must_use]
    pub fn is_mine(&self, job: JobId) -> bool {
        (self.base..self.base + 1_000).contains(&job.0)
    }
}

fn captures(of: std::ops::Range<i64>) -> Vec<CaptureId> {
    of.map(CaptureId).collect()
}

/// Those of the queue.
pub mod queue {
    use std::{collections::HashSet, ops::Range, time::Duration};

    use futures::future::join_all;
    use trapline_core::{
        CaptureId, JobId,
        ports::{Candidate, Queue, QueueInfo},
    };

    use crate::{conformance::cases, until};

    type Fixture = super::Fixture<dyn Queue>;

    /// How long a queue may take to work again by itself.
    const RETURNS: Duration = Duration::from_secs(10);

    /// Waits until a queue whose server was away takes a candidate and proposes it.
    pub async fn works_again(queue: &dyn Queue, job: JobId) {
        until("the queue works again", RETURNS, || async {
            queue
                .publish(job, &candidates(9_000..9_001))
                .await
                .map_err(|e| e.to_string())?;
            match queue.propose(job, 1_000).await {
                Ok(Some(_)) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Asks until the counters tell of what was just done: they are evidence for people, and NATS 2.15 may answer with
    /// those of a moment ago.
    pub async fn told(queue: &dyn Queue, job: JobId, seen: impl Fn(&QueueInfo) -> bool) {
        let mut last = None;
        for _ in 0..1_000 {
            last = queue.info(job).await.unwrap();
            if last.as_ref().is_some_and(&seen) {
                return;
            }
        }
        panic!("the counters are {last:?}");
    }

    /// Candidates of a job's first run, never handed out.
    #[must_use]
    pub fn candidates(of: Range<i64>) -> Vec<Candidate> {
        super::captures(of)
            .into_iter()
            .map(|capture| Candidate {
                capture,
                run: 1,
                delivery: 0,
            })
            .collect()
    }

    /// Publishes candidates and waits until they can be proposed: JetStream answers a publish before its consumer hears of it,
    /// and a pull in between finds nothing.
    pub async fn offer(queue: &dyn Queue, job: JobId, candidates: &[Candidate]) {
        let before = queue.info(job).await.unwrap().map_or(0, |i| i.num_pending);
        queue.publish(job, candidates).await.unwrap();
        told(queue, job, |i| i.num_pending >= before + candidates.len() as u64).await;
    }

    /// Takes and acknowledges what is proposed, a bounded number at a time, until nothing is.
    async fn drain(queue: &dyn Queue, job: JobId, limit: usize) -> Vec<Candidate> {
        let mut all = Vec::new();
        loop {
            let proposal = queue.propose(job, limit).await.unwrap().unwrap();
            assert!(proposal.candidates.len() <= limit);
            if proposal.candidates.is_empty() {
                return all;
            }
            all.extend(&proposal.candidates);
            queue.acknowledge(job, proposal).await.unwrap();
        }
    }

    cases! { Fixture;
        async fn what_is_published_is_proposed_once_in_order_and_bounded(f: Fixture) {
            let (queue, job) = (&f.port, f.job(1));
            assert!(queue.propose(job, 10).await.unwrap().is_none());
            offer(queue.as_ref(), job, &candidates(1..6)).await;
            let first = queue.propose(job, 3).await.unwrap().unwrap();
            assert_eq!(first.candidates, candidates(1..4));
            queue.acknowledge(job, first).await.unwrap();
            let rest = queue.propose(job, 10).await.unwrap().unwrap();
            assert_eq!(rest.candidates, candidates(4..6));
            queue.acknowledge(job, rest).await.unwrap();
            assert!(queue.propose(job, 10).await.unwrap().unwrap().candidates.is_empty());
        }

        async fn jobs_are_apart_and_a_removed_one_is_gone(f: Fixture) {
            let queue = &f.port;
            offer(queue.as_ref(), f.job(1), &candidates(1..3)).await;
            offer(queue.as_ref(), f.job(2), &candidates(7..8)).await;
            let mut listed = queue.list().await.unwrap();
            listed.retain(|q| f.is_mine(q.job));
            let listed: Vec<_> = listed.iter().map(|q| (q.job, q.num_pending)).collect();
            assert_eq!(listed, [(f.job(1), 2), (f.job(2), 1)]);
            assert!(queue.info(f.job(1)).await.unwrap().unwrap().created_at.is_some());
            queue.remove(f.job(1)).await.unwrap();
            queue.remove(f.job(1)).await.unwrap();
            assert!(queue.info(f.job(1)).await.unwrap().is_none());
            assert!(queue.propose(f.job(1), 9).await.unwrap().is_none());
            assert_eq!(queue.propose(f.job(2), 9).await.unwrap().unwrap().candidates, candidates(7..8));
        }

        async fn a_removed_queue_begins_anew_with_the_next_publish(f: Fixture) {
            let (queue, job) = (&f.port, f.job(1));
            offer(queue.as_ref(), job, &candidates(1..4)).await;
            queue.remove(job).await.unwrap();
            offer(queue.as_ref(), job, &candidates(3..5)).await;
            assert_eq!(drain(queue.as_ref(), job, 10).await, candidates(3..5));
        }

        async fn a_task_offered_anew_is_no_duplicate(f: Fixture) {
            let (queue, job) = (&f.port, f.job(1));
            offer(queue.as_ref(), job, &candidates(1..2)).await;
            let proposal = queue.propose(job, 9).await.unwrap().unwrap();
            queue.acknowledge(job, proposal).await.unwrap();
            let again = Candidate { capture: CaptureId(1), run: 1, delivery: 1 };
            offer(queue.as_ref(), job, &[again]).await;
            assert_eq!(queue.propose(job, 9).await.unwrap().unwrap().candidates, [again]);
        }

        async fn publishing_twice_loses_nothing_and_makes_up_nothing(f: Fixture) {
            let (queue, job) = (&f.port, f.job(1));
            offer(queue.as_ref(), job, &candidates(1..21)).await;
            queue.publish(job, &candidates(1..21)).await.unwrap();
            let proposed: HashSet<Candidate> = drain(queue.as_ref(), job, 50).await.into_iter().collect();
            assert_eq!(proposed, candidates(1..21).into_iter().collect());
        }

        async fn what_is_proposed_and_not_acknowledged_is_not_proposed_again_at_once(f: Fixture) {
            let (queue, job) = (&f.port, f.job(1));
            offer(queue.as_ref(), job, &candidates(1..6)).await;
            let first = queue.propose(job, 3).await.unwrap().unwrap();
            told(queue.as_ref(), job, |i| (i.num_pending, i.num_redelivered) == (2, 0)).await;
            assert_eq!(drain(queue.as_ref(), job, 10).await, candidates(4..6));
            queue.acknowledge(job, first).await.unwrap();
            told(queue.as_ref(), job, |i| (i.num_pending, i.num_ack_pending) == (0, 0)).await;
        }

        async fn acknowledging_twice_or_after_removal_is_harmless(f: Fixture) {
            let (queue, job) = (&f.port, f.job(1));
            offer(queue.as_ref(), job, &candidates(1..3)).await;
            let proposal = queue.propose(job, 9).await.unwrap().unwrap();
            for _ in 0..2 {
                queue.acknowledge(job, proposal.clone()).await.unwrap();
            }
            queue.remove(job).await.unwrap();
            queue.acknowledge(job, proposal).await.unwrap();
        }

        async fn many_candidates_reach_many_takers_once(f: Fixture) {
            let (queue, job) = (&f.port, f.job(1));
            offer(queue.as_ref(), job, &candidates(1..3001)).await;
            let takers = (0..8).map(|_| drain(queue.as_ref(), job, 100));
            let taken: Vec<Candidate> = join_all(takers).await.concat();
            assert_eq!(taken.len(), 3000);
            let once: HashSet<Candidate> = taken.into_iter().collect();
            assert_eq!(once, candidates(1..3001).into_iter().collect());
        }

        async fn it_answers_a_ping(f: Fixture) {
            f.port.ping().await.unwrap();
        }
    }
}

/// Those of the progress.
pub mod progress {
    use std::time::Duration;

    use futures::StreamExt as _;
    use trapline_core::{
        CaptureId,
        ports::{Hint, LiveCounts, Progress},
    };

    use super::captures;
    use crate::conformance::cases;

    type Fixture = super::Fixture<dyn Progress>;

    cases! { Fixture;
        async fn settling_twice_counts_once_and_a_late_success_clears_a_failure(f: Fixture) {
            let (progress, job) = (&f.port, f.job(1));
            assert!(progress.read(job).await.unwrap().is_none());
            progress.add(job, 3, &captures(1..4)).await.unwrap();
            for _ in 0..2 {
                progress.settled(job, &[(CaptureId(1), false), (CaptureId(2), true)]).await.unwrap();
            }
            let live = progress.read(job).await.unwrap().unwrap();
            assert_eq!(live, LiveCounts { total: 3, pending: 1, failed: 1 });
            progress.settled(job, &[(CaptureId(2), false)]).await.unwrap();
            assert_eq!(progress.read(job).await.unwrap().unwrap().failed, 0);
            progress.remove(job).await.unwrap();
            progress.remove(job).await.unwrap();
            assert!(progress.read(job).await.unwrap().is_none());
            progress.settled(job, &[(CaptureId(1), false), (CaptureId(3), true)]).await.unwrap();
            assert!(progress.read(job).await.unwrap().is_none());
        }

        async fn what_is_settled_after_removal_is_not_there_when_a_job_begins_anew(f: Fixture) {
            let (progress, job) = (&f.port, f.job(1));
            progress.add(job, 2, &captures(1..3)).await.unwrap();
            progress.remove(job).await.unwrap();
            progress.settled(job, &[(CaptureId(1), true)]).await.unwrap();
            progress.add(job, 2, &captures(1..3)).await.unwrap();
            let live = progress.read(job).await.unwrap().unwrap();
            assert_eq!(live, LiveCounts { total: 2, pending: 2, failed: 0 });
        }

        async fn adding_in_pages_and_twice_counts_once_and_jobs_are_apart(f: Fixture) {
            let progress = &f.port;
            for page in [1..20_001, 20_001..40_001, 1..20_001] {
                progress.add(f.job(1), 40_000, &captures(page)).await.unwrap();
            }
            progress.add(f.job(2), 5, &[]).await.unwrap();
            let settled: Vec<_> = captures(1..30_001).into_iter().map(|c| (c, c.0 % 10 == 0)).collect();
            progress.settled(f.job(1), &settled).await.unwrap();
            let live = progress.read(f.job(1)).await.unwrap().unwrap();
            assert_eq!(live, LiveCounts { total: 40_000, pending: 10_000, failed: 3_000 });
            let other = progress.read(f.job(2)).await.unwrap().unwrap();
            assert_eq!(other, LiveCounts { total: 5, pending: 0, failed: 0 });
        }

        async fn every_listener_hears_a_hint(f: Fixture) {
            let progress = &f.port;
            let mut listeners = [progress.hints().await.unwrap(), progress.hints().await.unwrap()];
            let hints = [Hint::Work(f.job(5)), Hint::Job(f.job(6)), Hint::Everything];
            for hint in hints {
                progress.hint(hint).await.unwrap();
            }
            for listener in &mut listeners {
                // Other cases share the channel.
                let mut mine = listener.filter(|hint| std::future::ready(hints.contains(hint)));
                for hint in hints {
                    let heard = crate::within(Duration::from_secs(5), mine.next()).await;
                    assert_eq!(heard, Some(hint));
                }
            }
        }

        async fn it_answers_a_ping(f: Fixture) {
            f.port.ping().await.unwrap();
        }
    }
}
