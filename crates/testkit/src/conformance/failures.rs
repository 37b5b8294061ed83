//! The cases of how failed images are counted by why they failed.

use trapline_core::{
    FailReason, JobId,
    failures::GROUPS_MAX,
    job::JobMove,
    ports::{Posted, Settlement},
    verify::{Invariant, verify},
};

use super::{Grant, World, cases};

fn fail(task: Grant, detail: &str) -> Settlement {
    Settlement {
        receipt: task.0,
        posted: Posted::Fail {
            reason: FailReason::WorkerError,
            detail: detail.to_owned(),
        },
    }
}

async fn success(w: &World, task: Grant) -> Settlement {
    Settlement {
        receipt: task.0,
        posted: Posted::Success(w.detections(1).await),
    }
}

/// The groups that have images, by reason and text.
async fn groups(w: &World, job: JobId) -> Vec<(FailReason, String, u64)> {
    w.check_invariants().await;
    let counted = w.store.failure_groups(job).await.unwrap().unwrap();
    assert!(counted.is_counted && counted.is_whole(), "{counted:?}");
    let groups = counted.groups.into_iter().filter(|g| g.count > 0);
    let mut groups: Vec<_> = groups.map(|g| (g.reason, g.text, g.count)).collect();
    groups.sort_by(|a, b| (a.0.as_str(), &a.1).cmp(&(b.0.as_str(), &b.1)));
    groups
}

cases! { World;
    async fn failures_are_counted_by_group_as_they_come_and_go(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&[true, true, true, true, false]).await);
        let job = w.create(&w.new_job(pipeline, set)).await;
        w.collect().await;
        let of = |reason, text: &str, n| (reason, text.to_owned(), n);
        let no_url = of(FailReason::NoUrl, "the capture has no url", 1);
        let error = |text: &str, n| of(FailReason::WorkerError, text, n);
        assert_eq!(groups(&w, job).await, std::slice::from_ref(&no_url));
        let tasks = w.grant(job, 4, "w").await;
        w.settle(&[fail(tasks[0], "HTTP 404 for /moths/1"), fail(tasks[1], "HTTP 404 for /moths/2"), fail(tasks[2], "no moth")]).await;
        let seen = groups(&w, job).await;
        assert_eq!(seen, [no_url.clone(), error("HTTP 404 for …", 2), error("no moth", 1)]);
        // A result after all, and one that comes with another failure of the same kind.
        w.settle(&[success(&w, tasks[0]).await, fail(tasks[3], "no moth")]).await;
        assert_eq!(groups(&w, job).await, [no_url.clone(), error("HTTP 404 for …", 1), error("no moth", 2)]);
        w.go(job, JobMove::Retry).await;
        let begun = w.store.failure_groups(job).await.unwrap().unwrap();
        assert!(!begun.is_whole(), "what failed before is not of this run: {begun:?}");
        w.collect().await;
        assert_eq!(groups(&w, job).await, std::slice::from_ref(&no_url));
        // Workers die on it, alone in the end.
        while w.job(job).await.counts.failed == 1 {
            assert!(!w.grant(job, 1, "w").await.is_empty());
            w.outlive().await;
        }
        let counted = groups(&w, job).await;
        assert!(counted.iter().any(|(reason, _, n)| (*reason, *n) == (FailReason::Lost, 1)), "{counted:?}");
        w.store.delete_job(job, w.now()).await.unwrap();
        assert_eq!(w.store.failure_groups(job).await.unwrap(), None);
    }

    async fn failures_beyond_the_groups_that_are_told_apart_are_counted_too(w: World) {
        let job = w.job_of(GROUPS_MAX + 4).await;
        let tasks = w.grant(job, GROUPS_MAX + 4, "w").await;
        let text = |at: usize| format!("word{}", "x".repeat(at));
        for (at, task) in tasks.iter().enumerate().skip(1) {
            w.settle(&[fail(*task, &text(at))]).await;
        }
        let sum = |groups: Vec<(FailReason, String, u64)>| groups.iter().map(|g| g.2).sum::<u64>();
        assert_eq!(sum(groups(&w, job).await), GROUPS_MAX as u64 + 3);
        let last = tasks[GROUPS_MAX + 3];
        w.settle(&[success(&w, last).await, success(&w, tasks[1]).await, fail(tasks[0], &text(2))]).await;
        assert_eq!(sum(groups(&w, job).await), GROUPS_MAX as u64 + 2);
        let found = verify(&*w.store, 50).await.unwrap().violations;
        assert!(found.iter().all(|v| v.invariant != Invariant::FailureGroups), "{found:?}");
    }
}
