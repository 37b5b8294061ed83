//! The cases of the two projections.

/// Those of the queue.
pub mod queue {
    use std::sync::Arc;

    use trapline_core::{
        CaptureId, JobId,
        ports::{Candidate, Queue},
    };

    type Fixture = Arc<dyn Queue>;

    fn candidates(of: std::ops::Range<i64>) -> Vec<Candidate> {
        of.map(|id| Candidate {
            capture: CaptureId(id),
            run: 1,
            delivery: 0,
        })
        .collect()
    }

    use crate::conformance::cases;

    cases! { Fixture;
        async fn what_is_published_is_proposed_once_in_order_and_bounded(queue: Fixture) {
            let job = JobId(1);
            assert!(queue.propose(job, 10).await.unwrap().is_none());
            queue.publish(job, &candidates(1..6)).await.unwrap();
            let first = queue.propose(job, 3).await.unwrap().unwrap();
            assert_eq!(first.candidates, candidates(1..4));
            queue.acknowledge(job, first).await.unwrap();
            let rest = queue.propose(job, 10).await.unwrap().unwrap();
            assert_eq!(rest.candidates, candidates(4..6));
            queue.acknowledge(job, rest).await.unwrap();
            assert!(queue.propose(job, 10).await.unwrap().unwrap().candidates.is_empty());
        }

        async fn jobs_are_apart_and_a_removed_one_is_gone(queue: Fixture) {
            queue.publish(JobId(1), &candidates(1..3)).await.unwrap();
            queue.publish(JobId(2), &candidates(7..8)).await.unwrap();
            let listed: Vec<_> = queue.list().await.unwrap().iter().map(|q| (q.job, q.num_pending)).collect();
            assert_eq!(listed, [(JobId(1), 2), (JobId(2), 1)]);
            assert!(queue.info(JobId(1)).await.unwrap().unwrap().created_at.is_some());
            queue.remove(JobId(1)).await.unwrap();
            queue.remove(JobId(1)).await.unwrap();
            assert!(queue.info(JobId(1)).await.unwrap().is_none());
            assert_eq!(queue.propose(JobId(2), 9).await.unwrap().unwrap().candidates, candidates(7..8));
        }

        async fn a_task_offered_anew_is_no_duplicate(queue: Fixture) {
            let job = JobId(1);
            queue.publish(job, &candidates(1..2)).await.unwrap();
            let proposal = queue.propose(job, 9).await.unwrap().unwrap();
            queue.acknowledge(job, proposal).await.unwrap();
            let again = Candidate { capture: CaptureId(1), run: 1, delivery: 1 };
            queue.publish(job, &[again]).await.unwrap();
            assert_eq!(queue.propose(job, 9).await.unwrap().unwrap().candidates, [again]);
        }
    }
}

/// Those of the progress.
pub mod progress {
    use std::{sync::Arc, time::Duration};

    use futures::StreamExt as _;
    use trapline_core::{
        CaptureId, JobId,
        ports::{Hint, LiveCounts, Progress},
    };

    use crate::conformance::cases;

    type Fixture = Arc<dyn Progress>;

    cases! { Fixture;
        async fn settling_twice_counts_once_and_a_late_success_clears_a_failure(progress: Fixture) {
            let job = JobId(1);
            assert!(progress.read(job).await.unwrap().is_none());
            progress.add(job, 3, &[CaptureId(1), CaptureId(2), CaptureId(3)]).await.unwrap();
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
            progress.settled(job, &[(CaptureId(1), false)]).await.unwrap();
            assert!(progress.read(job).await.unwrap().is_none());
        }

        async fn every_listener_hears_a_hint(progress: Fixture) {
            let mut one = progress.hints().await.unwrap();
            let mut two = progress.hints().await.unwrap();
            progress.hint(Hint::Work(JobId(5))).await.unwrap();
            for listener in [&mut one, &mut two] {
                let heard = crate::wait::within(Duration::from_secs(5), listener.next()).await;
                assert_eq!(heard, Some(Hint::Work(JobId(5))));
            }
        }
    }
}
