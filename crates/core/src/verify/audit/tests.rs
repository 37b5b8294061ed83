use super::*;
use crate::{
    CaptureId,
    handout::lease::{Gap, SignsOfLife},
};

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}

/// What is said of a lease from 0 to 60 of a pending task, of a store that was last served at that time.
fn found(served: i64, status: JobStatus, gap: Option<Gap>, life: Option<SignsOfLife>) -> Vec<Invariant> {
    let job = JobAudit {
        job: JobId(1),
        run: 1,
        status,
        collected: true,
        counters: [1, 0, 0, 0, 0],
        can_run: true,
        has_spec: true,
        cleanup_due: false,
        updated_at: at(0),
        served_at: at(served),
        gap,
    };
    let mut audit = Audit::default();
    let task = TaskAudit {
        capture: CaptureId(1),
        run: 1,
        state: TaskState::Pending,
        reason: None,
        detail: None,
        delivery: 1,
        strikes: 0,
        settled_at: None,
        by_strict_policy: false,
        lease: Some(LeaseAudit {
            has_grant: true,
            granted_at: at(0),
            until: at(60),
            life,
        }),
        n_detections: 0,
        n_classifications: 0,
        stored_detections: 0,
        distinct_detections: 0,
        stored_classifications: 0,
    };
    audit.task(&job, &task);
    audit.broken.into_keys().collect()
}

/// What is said of a job that last changed at 0, of a store that was last served at that time.
fn unmoved(served: i64, status: JobStatus, cleanup_due: bool, gap: Option<Gap>) -> Vec<Invariant> {
    let job = JobAudit {
        job: JobId(1),
        run: 1,
        status,
        collected: true,
        counters: [0; 5],
        can_run: true,
        has_spec: true,
        cleanup_due,
        updated_at: at(0),
        served_at: at(served),
        gap,
    };
    let mut audit = Audit::default();
    audit.job(&job);
    audit.broken.into_keys().collect()
}

#[test]
fn what_an_outage_held_up_is_named_only_once_the_store_was_served_long_enough_to_do_it() {
    let gap = Some(Gap {
        from: at(1),
        to: at(1_000),
        grace_until: at(1_060),
    });
    for (status, mark, what) in [
        (JobStatus::Success, true, Invariant::CleanedUp),
        (JobStatus::Canceling, false, Invariant::JobHasAnOwner),
    ] {
        assert_eq!(unmoved(60, status, mark, None), []);
        assert_eq!(unmoved(61, status, mark, None), [what]);
        assert_eq!(unmoved(1_060, status, mark, gap), []);
        assert_eq!(unmoved(1_061, status, mark, gap), [what]);
    }
}

#[test]
fn a_lease_that_is_over_is_named_once_the_store_was_served_long_enough_to_end_it() {
    for status in [JobStatus::Started, JobStatus::Revoked] {
        assert_eq!(found(360, status, None, None), []);
        assert_eq!(found(361, status, None, None), [Invariant::LeaseIsEnded]);
    }
    assert_eq!(
        found(10, JobStatus::Success, None, None),
        [Invariant::NoLeaseOnLanded]
    );
}

#[test]
fn a_job_that_could_not_be_run_or_has_nothing_to_judge_results_by_is_named() {
    let mut job = JobAudit {
        job: JobId(1),
        run: 1,
        status: JobStatus::Created,
        collected: false,
        counters: [0; 5],
        can_run: false,
        has_spec: false,
        cleanup_due: false,
        updated_at: at(0),
        served_at: at(0),
        gap: None,
    };
    let found = |job: &JobAudit| {
        let mut audit = Audit::default();
        audit.job(job);
        audit.broken.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(found(&job), []);
    for status in [JobStatus::Pending, JobStatus::Retry, JobStatus::Started] {
        job.status = status;
        assert_eq!(found(&job), [Invariant::JobCanRun]);
    }
    (job.status, job.collected) = (JobStatus::Success, true);
    assert_eq!(found(&job), [Invariant::JobCanRun, Invariant::RunHasSpec]);
}

#[test]
fn what_signs_of_life_keep_alive_is_not_overdue() {
    let life = |from| {
        Some(SignsOfLife {
            extend_from: at(from),
            extended_until: at(900),
            answers: Vec::new(),
        })
    };
    assert_eq!(found(1_200, JobStatus::Started, None, life(0)), []);
    assert_eq!(
        found(1_201, JobStatus::Started, None, life(0)),
        [Invariant::LeaseIsEnded]
    );
    assert_eq!(
        found(1_200, JobStatus::Started, None, life(1)),
        [Invariant::LeaseIsEnded],
        "it was skipped"
    );
}

#[test]
fn nobody_had_to_end_a_lease_during_an_outage_or_within_its_grace() {
    let gap = |from, to, grace| {
        Some(Gap {
            from: at(from),
            to: at(to),
            grace_until: at(grace),
        })
    };
    // It lived through it, and has its grace.
    assert_eq!(found(1_360, JobStatus::Started, gap(30, 1_000, 1_060), None), []);
    assert_eq!(
        found(1_361, JobStatus::Started, gap(30, 1_000, 1_060), None),
        [Invariant::LeaseIsEnded]
    );
    // It was over before, and the nodes died just then.
    assert_eq!(found(1_300, JobStatus::Started, gap(61, 1_000, 1_060), None), []);
    assert_eq!(
        found(1_301, JobStatus::Started, gap(61, 1_000, 1_060), None),
        [Invariant::LeaseIsEnded]
    );
}
