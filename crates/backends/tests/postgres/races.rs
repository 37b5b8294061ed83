//! Two nodes that hand out, settle and register at once.

use std::{collections::HashSet, sync::Arc};

use futures::future::join_all;
use trapline_core::{
    CaptureId, JobId, JobStatus, ProjectId, TokenId,
    catalog::{AlgorithmSpec, NewCapture, PipelineSpec, Registration},
    ports::{LogPage, LogQuery, NewJob, Posted, Settled, Settlement, Want, WorkerIdentity},
};
use trapline_testkit::conformance::{Grant, World};

use crate::{support::Databases, two_nodes};

pub(crate) fn success(grant: &Grant) -> Settlement {
    Settlement {
        receipt: grant.0,
        posted: Posted::Success(vec![]),
    }
}

/// A job on captures of its own that may have been processed before.
pub(crate) async fn another_job(w: &World, of: usize) -> JobId {
    let (pipeline, set) = (w.pipeline().await, w.set(&vec![true; of]).await);
    w.create(&NewJob {
        reprocess: true,
        ..w.new_job(pipeline, set)
    })
    .await
}

/// Every invariant holds once the projections of what landed are removed.
pub(crate) async fn check(w: &World) {
    for (job, run) in w.store.cleanup_due(1_000).await.unwrap() {
        w.store.cleaned(job, run).await.unwrap();
    }
    w.check_invariants().await;
}

pub(crate) async fn log(w: &World, job: JobId) -> Vec<String> {
    let query = LogQuery {
        job,
        level: None,
        capture: None,
        page: LogPage::After(0),
        limit: 10_000,
    };
    let lines = w.store.logs(&query).await.unwrap();
    lines.into_iter().map(|l| l.message).collect()
}

pub(crate) async fn two_concurrent_settles_of_the_last_two_tasks_land_the_job_once(
    databases: Arc<Databases>,
) {
    let (a, b) = two_nodes(&databases).await;
    for _ in 0..150 {
        let job = another_job(&a, 2).await;
        a.collect().await;
        let tasks = a.grant(job, 2, "w").await;
        let (first, second) = ([success(&tasks[0])], [success(&tasks[1])]);
        let (first, second) = tokio::join!(a.settle(&first), b.settle(&second));
        let landed = [first, second]
            .iter()
            .flat_map(|r| &r.touched)
            .filter(|t| t.landed)
            .count();
        assert_eq!(landed, 1);
        assert_eq!(a.job(job).await.status, JobStatus::Success);
        let told = log(&a, job).await;
        assert_eq!(
            told.iter().filter(|l| l.starts_with("Job landed")).count(),
            1,
            "{told:?}"
        );
    }
    check(&a).await;
}

pub(crate) async fn eight_reservers_never_get_the_same_task(databases: Arc<Databases>) {
    const TASKS: usize = 10_000;
    let (a, b) = two_nodes(&databases).await;
    let job = another_job(&a, TASKS).await;
    a.collect().await;
    let page = a
        .store
        .free_tasks(job, (i64::MIN, CaptureId(0)), TASKS as u64)
        .await
        .unwrap();
    let all: Vec<CaptureId> = page.into_iter().map(|(_, c)| c.capture).collect();
    let reserver = async |n: usize| {
        let (node, name) = (if n.is_multiple_of(2) { &a } else { &b }, format!("w{n}"));
        let mut got = Vec::new();
        // Every other one is told by a queue, and all of those the same.
        for chunk in all.chunks(50).filter(|_| n < 4) {
            got.extend(node.grant_of(job, Some(chunk.to_vec()), 37, &name).await);
        }
        loop {
            let more = node.grant_of(job, None, 37, &name).await;
            if more.is_empty() {
                return got;
            }
            got.extend(more);
        }
    };
    let got: Vec<Grant> = join_all((0..8).map(reserver))
        .await
        .into_iter()
        .flatten()
        .collect();
    let distinct: HashSet<CaptureId> = got.iter().map(|g| g.0.capture).collect();
    // A reserver finds nothing while others hold the rest for a moment, so a few may be left.
    let left = a.grant_of(job, None, 1_000, "last").await.len();
    assert_eq!(got.len(), distinct.len(), "none twice");
    assert_eq!(got.len() + left, TASKS);
    assert!(got.iter().all(|g| g.0.delivery == 1));
    a.check_counts(job).await;
}

pub(crate) async fn overlapping_groups_in_opposite_order_settle_each_task_once(databases: Arc<Databases>) {
    let (a, b) = two_nodes(&databases).await;
    for _ in 0..40 {
        let jobs = [another_job(&a, 30).await, another_job(&a, 30).await];
        a.collect().await;
        let mut tasks = a.grant(jobs[0], 30, "w").await;
        tasks.extend(a.grant(jobs[1], 30, "w").await);
        let detections = a.detections(2).await;
        let items: Vec<Settlement> = tasks
            .iter()
            .map(|t| Settlement {
                receipt: t.0,
                posted: Posted::Success(detections.clone()),
            })
            .collect();
        let reversed: Vec<Settlement> = items.iter().rev().cloned().collect();
        let (first, second) = tokio::join!(a.settle(&items), b.settle(&reversed));
        let reports = [&first.items, &second.items];
        let saved = |items: &[Settled]| items.iter().filter(|i| **i == Settled::Saved).count();
        assert_eq!(reports.map(|items| saved(items)).iter().sum::<usize>(), 60);
        for job in jobs {
            assert_eq!(a.counts(job).await, [30, 0, 0, 30, 0]);
            assert_eq!(a.job(job).await.counts.detections, 60);
        }
    }
    check(&a).await;
}

pub(crate) async fn a_worker_met_by_many_nodes_at_once_is_one(databases: Arc<Databases>) {
    let (a, b) = two_nodes(&databases).await;
    let who = WorkerIdentity {
        token: TokenId(1),
        instance: "i".into(),
        name: "n".into(),
        client_info: None,
        service: None,
    };
    let met = join_all((0..16usize).map(|n| {
        let node = if n.is_multiple_of(2) { &a } else { &b };
        node.store.meet_worker(&who, node.now())
    }))
    .await;
    let ids: HashSet<_> = met.into_iter().map(Result::unwrap).collect();
    assert_eq!(ids.len(), 1);
}

fn registration(service: usize, turned: bool) -> Registration {
    let algorithm = |key: usize| AlgorithmSpec {
        key: format!("algorithm {key}"),
        version: 1,
        name: format!("A{key}"),
        task_type: None,
        description: None,
        version_name: None,
        uri: None,
        category_map: None,
    };
    let pipeline = |slug: usize| PipelineSpec {
        slug: format!("pipeline-{slug}"),
        name: "P".into(),
        version: 1,
        description: String::new(),
        version_name: String::new(),
        algorithms: (0..5).map(algorithm).collect(),
        stages: serde_json::json!([]),
    };
    let mut pipelines: Vec<_> = (0..5).map(pipeline).collect();
    if turned {
        pipelines.reverse();
    }
    Registration {
        project: ProjectId(1),
        owner: None,
        service_name: format!("service {service}"),
        instance: String::new(),
        endpoint_url: None,
        pipelines,
    }
}

pub(crate) async fn a_pipeline_registered_by_many_nodes_at_once_is_created_once(databases: Arc<Databases>) {
    let (a, b) = two_nodes(&databases).await;
    let done = join_all((0..12).map(|n| {
        let (a, b) = (&a, &b);
        async move {
            let node = if n % 2 == 0 { a } else { b };
            node.store
                .register(&registration(n / 2, n % 3 == 0))
                .await
                .unwrap()
        }
    }))
    .await;
    let created: usize = done.iter().map(|d| d.pipelines_created.len()).sum();
    assert_eq!(created, 5);
    let algorithms: usize = done.iter().map(|d| d.algorithms_created.len()).sum();
    assert_eq!(algorithms, 5);
    assert!(done.iter().all(|d| d.pipelines_updated.is_empty()));
}

pub(crate) async fn the_same_captures_added_by_two_nodes_in_opposite_order_are_stored_once(
    databases: Arc<Databases>,
) {
    let (a, b) = two_nodes(&databases).await;
    for turn in 0..10 {
        let set = a.store.create_collection(ProjectId(1), "s").await.unwrap().id;
        let mut captures: Vec<NewCapture> = (0..500)
            .map(|n| NewCapture {
                url: format!("https://x.test/{turn}/{n}"),
                ..NewCapture::default()
            })
            .collect();
        let forward = captures.clone();
        captures.reverse();
        let (first, second) = tokio::join!(
            a.store.add_captures(set, &forward),
            b.store.add_captures(set, &captures)
        );
        assert_eq!(first.unwrap().added + second.unwrap().added, 500);
        assert_eq!(
            a.store
                .collection_up_to(set, 9_999)
                .await
                .unwrap()
                .unwrap()
                .captures,
            500
        );
    }
}

pub(crate) async fn one_process_that_asks_twice_at_once_gets_nothing_beside_a_suspect(
    databases: Arc<Databases>,
) {
    let (a, b) = two_nodes(&databases).await;
    for turn in 0..25 {
        let job = another_job(&a, 12).await;
        a.collect().await;
        a.hand_out(job, Want::Batch, None, 4, a.worker(&format!("dead {turn}")).await)
            .await;
        a.pass(65);
        a.sweep().await;
        let process = a.process(&format!("p{turn}")).await;
        let (suspect, batch) = tokio::join!(
            a.hand_out(job, Want::Suspect, None, 1, process),
            b.hand_out(job, Want::Suspect, None, 1, process)
        );
        assert_eq!(suspect.0.len() + batch.0.len(), 1);
        assert!(suspect.1.held_back || batch.1.held_back);
        for grant in suspect.0.iter().chain(&batch.0) {
            a.succeed(*grant, 0).await;
        }
    }
}
