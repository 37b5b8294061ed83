//! Every invariant broken by hand, for each store that is told by SQL: its pages are statements of its own.

use trapline_core::{
    JobId,
    verify::{Invariant, Violation},
};
use trapline_testkit::conformance::World;

/// A way to break a store, and what `verify` says then.
pub(crate) struct Case {
    pub(crate) why: &'static str,
    /// The same in every dialect, run without the constraints of the schema: what those forbid a bug of ours could still have
    /// written under another one.
    pub(crate) sql: &'static str,
    /// Which invariants are named, of which job, and what the first row says.
    named: &'static [(Invariant, Option<i64>, &'static str)],
}

impl Case {
    /// Asserts that exactly this was found, of one row each.
    pub(crate) fn assert_named(&self, found: &[Violation]) {
        let names: Vec<_> = found.iter().map(|v| (v.invariant, v.job)).collect();
        let expected: Vec<_> = self
            .named
            .iter()
            .map(|(i, job, _)| (*i, job.map(JobId)))
            .collect();
        assert_eq!(names, expected, "{}: {found:?}", self.why);
        for (violation, (_, _, row)) in found.iter().zip(self.named) {
            assert!(violation.rows[0].contains(row), "{}: {found:?}", self.why);
            assert_eq!(violation.count, violation.rows.len() as u64, "{}", self.why);
        }
    }
}

/// A store with job 1, which runs, has a processed task 1 with two detections, a leased task 2 and a free task 3; and job 2,
/// landed SUCCESS on tasks 4 and 5 and cleaned up. Nothing of it is broken.
pub(crate) async fn fill(world: &World) -> (JobId, JobId) {
    world.beat().await;
    let running = world.job_of(3).await;
    let mut tasks = world.grant(running, 2, "w").await;
    tasks.sort_by_key(|t| t.0.capture);
    world.succeed(tasks[0], 2).await;
    let landed = world.job_of(2).await;
    for task in world.grant(landed, 2, "w").await {
        world.succeed(task, 1).await;
    }
    world.store.cleaned(landed, 1).await.unwrap();
    world.check_invariants().await;
    assert_eq!((running, landed), (JobId(1), JobId(2)));
    (running, landed)
}

/// The cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        why: "a settled job that did not land has no owner",
        sql: "UPDATE jobs SET status = 'STARTED' WHERE id = 2",
        named: &[(Invariant::JobHasAnOwner, Some(2), "all its tasks are settled")],
    },
    Case {
        why: "nothing moves a job whose state is unknown",
        sql: "UPDATE jobs SET status = 'UNKNOWN' WHERE id = 1",
        named: &[(Invariant::JobHasAnOwner, Some(1), "UNKNOWN")],
    },
    Case {
        why: "a running job whose tasks nobody can take has no owner",
        sql: "UPDATE tasks SET run = 0 WHERE job_id = 1 AND state = 'pending'",
        named: &[(Invariant::JobHasAnOwner, Some(1), "none of its tasks")],
    },
    Case {
        why: "a cancel that nobody finished has no owner",
        sql: "UPDATE jobs SET status = 'CANCELING', updated_at = (SELECT alive_at FROM cluster) - 61000000 WHERE id = 1",
        named: &[(Invariant::JobHasAnOwner, Some(1), "CANCELING for 61 s")],
    },
    Case {
        why: "a landed job has tasks remaining",
        sql: "UPDATE tasks SET state = 'pending', settled_at = NULL WHERE job_id = 2 AND capture_id = 4; \
              UPDATE jobs SET processed = 1 WHERE id = 2",
        named: &[(Invariant::LandedIsComplete, Some(2), "SUCCESS with 1 remaining")],
    },
    Case {
        why: "a job's counters do not equal its rows",
        sql: "UPDATE jobs SET processed = 0 WHERE id = 1",
        named: &[(
            Invariant::JobCounts,
            Some(1),
            "says [3, 0, 0, 2, 2], its rows [3, 1, 0, 2, 2]",
        )],
    },
    Case {
        why: "a job counts classifications that are not there",
        sql: "UPDATE jobs SET classifications = 9 WHERE id = 2",
        named: &[(Invariant::JobCounts, Some(2), "says [2, 2, 0, 2, 9]")],
    },
    Case {
        why: "a group of failures has no task",
        sql: "INSERT INTO job_failures VALUES (1, 1, 7, 'lost', 'word', 2, 3, 0, 0)",
        named: &[(
            Invariant::FailureGroups,
            Some(1),
            "group 00000007 of failures: says 2, its rows 0",
        )],
    },
    Case {
        why: "a failed task is in no group",
        sql: "UPDATE tasks SET state = 'failed', reason = 'lost', detail = 'word' WHERE job_id = 2 AND capture_id = 4; \
              UPDATE jobs SET processed = 1, failed = 1 WHERE id = 2",
        named: &[(Invariant::FailureGroups, Some(2), "says 0, its rows 1")],
    },
    Case {
        why: "a task counts detections that are not there",
        sql: "UPDATE tasks SET n_detections = 9 WHERE job_id = 2 AND capture_id = 5",
        named: &[(Invariant::TaskCounts, Some(2), "task 5: says 9 detection(s)")],
    },
    Case {
        why: "a task has two outcomes",
        sql: "UPDATE tasks SET reason = 'lost' WHERE job_id = 2 AND capture_id = 4",
        named: &[(Invariant::OneOutcome, Some(2), "task 4: is processed")],
    },
    Case {
        why: "a pending task was settled once",
        sql: "UPDATE tasks SET settled_at = 1 WHERE job_id = 1 AND capture_id = 3",
        named: &[(Invariant::OneOutcome, Some(1), "task 3: is pending")],
    },
    Case {
        why: "a task was settled that was never handed out",
        sql: "UPDATE tasks SET delivery = 0 WHERE job_id = 2 AND capture_id = 4",
        named: &[(Invariant::SettledWasHandedOut, Some(2), "task 4")],
    },
    Case {
        why: "a grant has no job",
        sql: "UPDATE grants SET job_id = 99 WHERE job_id = 2",
        named: &[(Invariant::GrantHasJob, Some(99), "grant 2 to worker 1")],
    },
    Case {
        why: "a lease has no grant",
        sql: "DELETE FROM grants WHERE job_id = 1",
        named: &[(Invariant::LeaseHasGrant, Some(1), "task 2")],
    },
    Case {
        why: "a settled task is under a lease",
        sql: "UPDATE tasks SET grant_id = (SELECT min(id) FROM grants) WHERE job_id = 2 AND capture_id = 4",
        named: &[(Invariant::NoLeaseOnSettled, Some(2), "task 4: is processed")],
    },
    Case {
        why: "a task of a landed job is under a lease",
        sql: "UPDATE tasks SET state = 'pending', settled_at = NULL, grant_id = (SELECT min(id) FROM grants), \
                 lease_until = (SELECT alive_at FROM cluster) WHERE job_id = 2 AND capture_id = 4; \
              UPDATE jobs SET processed = 1 WHERE id = 2",
        named: &[
            (Invariant::LandedIsComplete, Some(2), "SUCCESS"),
            (
                Invariant::NoLeaseOnLanded,
                Some(2),
                "task 4: is under a lease, and its job is SUCCESS",
            ),
        ],
    },
    Case {
        why: "a lease of a revoked job lives until it ends",
        sql: "UPDATE jobs SET status = 'REVOKED' WHERE id = 1",
        named: &[],
    },
    Case {
        why: "a lease that is over is not ended, of a running job",
        sql: "UPDATE tasks SET lease_until = (SELECT alive_at FROM cluster) - 301000000 WHERE capture_id = 2",
        named: &[(
            Invariant::LeaseIsEnded,
            Some(1),
            "task 2: its lease was over for 301 s",
        )],
    },
    Case {
        why: "a lease that is over is not ended, of a revoked job",
        sql: "UPDATE tasks SET lease_until = (SELECT alive_at FROM cluster) - 301000000 WHERE capture_id = 2; \
              UPDATE jobs SET status = 'REVOKED' WHERE id = 1",
        named: &[(Invariant::LeaseIsEnded, Some(1), "task 2")],
    },
    Case {
        why: "a lease that its worker's signs of life extend is alive",
        sql: "UPDATE tasks SET lease_until = (SELECT alive_at FROM cluster) - 301000000 WHERE capture_id = 2; \
              UPDATE workers SET extend_from = 0, extended_until = (SELECT alive_at FROM cluster)",
        named: &[],
    },
    Case {
        why: "a grant is due and nobody looks",
        sql: "UPDATE grants SET due_at = (SELECT alive_at FROM cluster) - 301000000 WHERE job_id = 2",
        named: &[(Invariant::GrantIsEnded, Some(2), "grant 2 to worker 1")],
    },
    Case {
        why: "what was due before an outage is ended after it",
        sql: "UPDATE tasks SET lease_until = (SELECT alive_at FROM cluster) - 900000000 WHERE capture_id = 2; \
              UPDATE grants SET due_at = (SELECT alive_at FROM cluster) - 900000000; \
              UPDATE cluster SET gap_from = alive_at - 800000000, gap_to = alive_at - 300000000, \
                 grace_until = alive_at - 290000000",
        named: &[],
    },
    Case {
        why: "an outage long ago excuses nothing",
        sql: "UPDATE tasks SET lease_until = (SELECT alive_at FROM cluster) - 900000000 WHERE capture_id = 2; \
              UPDATE grants SET due_at = (SELECT alive_at FROM cluster) - 900000000 WHERE job_id = 1; \
              UPDATE cluster SET gap_from = alive_at - 800000000, gap_to = alive_at - 310000000, \
                 grace_until = alive_at - 305000000",
        named: &[
            (Invariant::LeaseIsEnded, Some(1), "task 2"),
            (Invariant::GrantIsEnded, Some(1), "grant 1 to worker 1"),
        ],
    },
    Case {
        why: "projections are marked on a running job",
        sql: "UPDATE jobs SET cleanup_due = true WHERE id = 1",
        named: &[(Invariant::CleanedUp, Some(1), "STARTED")],
    },
    Case {
        why: "projections of a landed job are left for long",
        sql: "UPDATE jobs SET cleanup_due = true, updated_at = (SELECT alive_at FROM cluster) - 61000000 WHERE id = 2",
        named: &[(Invariant::CleanedUp, Some(2), "SUCCESS")],
    },
    Case {
        why: "a detection has no task",
        sql: "INSERT INTO detections (job_id, ord, capture_id, n, algorithm_id, at) VALUES (1, 5, 77, 1, 1, 0)",
        named: &[(Invariant::DetectionHasTask, Some(1), "of task 77")],
    },
    Case {
        why: "a classification has no detection",
        sql: "INSERT INTO classifications \
                 (job_id, ord, capture_id, n, position, algorithm_id, label, terminal, scores, logits, at) \
              SELECT 9, ord, capture_id, 55, position, algorithm_id, label, terminal, scores, logits, at \
              FROM classifications LIMIT 1",
        named: &[(
            Invariant::ClassificationHasDetection,
            Some(9),
            "classifications of detection 55 of task",
        )],
    },
    Case {
        why: "a detection is stored twice",
        sql: "INSERT INTO detections (job_id, ord, capture_id, n, algorithm_id, x1, y1, x2, y2, at) \
                 SELECT job_id, ord, capture_id, n + 1, algorithm_id, x1, y1, x2, y2, at FROM detections WHERE capture_id = 4; \
              UPDATE tasks SET n_detections = 2 WHERE job_id = 2 AND capture_id = 4; \
              UPDATE jobs SET detections = 3 WHERE id = 2",
        named: &[(
            Invariant::DetectionsUnique,
            Some(2),
            "task 4: 2 detections, 1 keys",
        )],
    },
];
