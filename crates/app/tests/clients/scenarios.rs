//! Workers that die, and nodes that are away: what the landing rules promise, on the real binary.

use std::time::Duration;

use serde_json::{Value, json};
use trapline_testkit::{Client, empty_result, until};

use crate::support::{Deployment, World, on_each_deployment};

pub(crate) const SLUG: &str = "bare";
/// Seconds.
const LEASE: &str = "2";
/// After the lease, what a strike and a sweep may take.
const SOON: Duration = Duration::from_secs(10);

/// A worker of one process, by hand.
struct Worker {
    http: Client,
    instance: &'static str,
    job: i64,
}

impl Worker {
    /// Up to `batch_size` tasks.
    async fn take(&self, batch_size: usize) -> Vec<Value> {
        let info = json!({ "instance": self.instance, "hostname": self.instance });
        let body = json!({ "batch_size": batch_size, "client_info": info });
        let mut body = self
            .http
            .post(&format!("/api/v2/jobs/{}/tasks/", self.job), &body)
            .await;
        match body["tasks"].take() {
            Value::Array(tasks) => tasks,
            other => panic!("no tasks: {other}"),
        }
    }

    /// Tasks until there are `count`, as they become free.
    async fn take_when_free(&self, count: usize) -> Vec<Value> {
        let mut taken = Vec::new();
        until("the tasks are offered again", 2 * SOON, async || {
            taken.extend(self.take(count - taken.len()).await);
            if taken.len() == count {
                Ok(std::mem::take(&mut taken))
            } else {
                Err(format!("{} of {count}", taken.len()))
            }
        })
        .await
    }

    /// Posts a result without detections for each; all must be saved.
    async fn post(&self, tasks: &[Value]) {
        let results: Vec<Value> = tasks.iter().map(|t| empty_result(t, SLUG)).collect();
        let path = format!("/api/v2/jobs/{}/result/", self.job);
        let answer = self.http.post(&path, &json!({ "results": results })).await;
        assert_eq!(answer["results_queued"].as_u64(), Some(tasks.len() as u64));
    }
}

/// Nodes with a started job of this many images, and its workers' pipeline.
pub(crate) async fn world(on: Deployment, images: usize, max_deliver: &str) -> (World, i64) {
    world_with_leases(on, images, max_deliver, LEASE).await
}

/// `lease` in seconds.
pub(crate) async fn world_with_leases(
    on: Deployment,
    images: usize,
    max_deliver: &str,
    lease: &str,
) -> (World, i64) {
    let world = World::new(on, &[("NATS_TASK_TTR", lease), ("NATS_MAX_DELIVER", max_deliver)]).await;
    let detector = json!({ "name": "D", "key": "bare_detector", "task_type": "localization", "version": 1 });
    let pipeline =
        json!({ "name": "Bare", "slug": SLUG, "version": 1, "algorithms": [detector], "stages": [] });
    let body = json!({ "processing_service_name": "bare", "pipelines": [pipeline] });
    world.admin.post("/api/v2/projects/1/pipelines/", &body).await;
    let job = world.start_job(SLUG, images).await;
    until("the job is dispatched", SOON, || async {
        let body = world.job(job).await;
        (body["counts"]["total"] == images && body["status"] == "STARTED")
            .then_some(())
            .ok_or_else(|| body["counts"].to_string())
    })
    .await;
    (world, job)
}

fn worker(world: &World, instance: &'static str, job: i64) -> Worker {
    Worker {
        http: world.admin.clone(),
        instance,
        job,
    }
}

async fn tasks_of_a_worker_that_died_are_offered_to_another_after_the_lease(on: Deployment) {
    let (world, job) = world(on, 8, "2").await;
    let (dies, other) = (worker(&world, "dies", job), worker(&world, "other", job));
    assert_eq!(dies.take(24).await.len(), 8);
    assert!(other.take(24).await.is_empty(), "they are leased");
    // Its whole answer died unanswered, so each of the tasks is a suspect and goes alone.
    for _ in 0..8 {
        let alone = other.take_when_free(1).await;
        assert_eq!((alone.len(), &alone[0]["attempt"]), (1, &json!(2)));
        other.post(&alone).await;
    }
    let landed = world.landed(job, SOON).await;
    assert_eq!(
        (&landed["status"], &landed["counts"]["processed"]),
        (&json!("SUCCESS"), &json!(8))
    );
}

async fn an_image_that_kills_its_worker_even_alone_is_lost_and_the_job_lands_with_nobody_online(
    on: Deployment,
) {
    let (world, job) = world(on, 3, "2").await;
    let dies = worker(&world, "dies", job);
    let killer = dies.take(1).await.remove(0)["image_id"].clone();
    // The others are done between its deaths.
    let mut deaths = 1;
    while deaths < 3 {
        let tasks = dies.take_when_free(1).await;
        if tasks[0]["image_id"] == killer {
            deaths += 1;
        } else {
            dies.post(&tasks).await;
        }
    }
    let lease: u64 = LEASE.parse().unwrap();
    let landed = world.landed(job, Duration::from_secs(lease) + SOON).await;
    assert_eq!(landed["status"], "SUCCESS");
    assert_eq!(landed["counts"]["processed"], 2);
    assert_eq!(landed["counts"]["failed"], 1);
    let row = &world.images(job).await[killer.as_str().unwrap()];
    assert_eq!(
        (&row["state"], &row["reason"], &row["attempts"]),
        (&json!("failed"), &json!("lost"), &json!(3))
    );
    let detail = row["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("no answer after 3 hand-out(s), 2 of them counted"),
        "how often: {detail}"
    );
    assert_eq!(detail.matches("dies").count(), 3, "to whom: {detail}");

    world.press(job, "retry-failed").await;
    let other = worker(&world, "other", job);
    other.post(&other.take_when_free(1).await).await;
    let counts = world.landed(job, SOON).await["counts"].take();
    assert_eq!(
        (&counts["processed"], &counts["failed"]),
        (&json!(3), &json!(0)),
        "redeemed"
    );
}

async fn a_cancel_with_tasks_in_flight_revokes_at_once_and_saves_what_comes_late(on: Deployment) {
    let (world, job) = world(on, 8, "2").await;
    let busy = worker(&world, "busy", job);
    let tasks = busy.take(3).await;
    assert_eq!(world.press(job, "cancel").await["status"], "REVOKED");
    assert!(
        worker(&world, "other", job).take(8).await.is_empty(),
        "it is over"
    );
    busy.post(&tasks).await;
    let body = world.job(job).await;
    assert_eq!(
        (
            &body["status"],
            &body["counts"]["processed"],
            &body["counts"]["failed"]
        ),
        (&json!("REVOKED"), &json!(3), &json!(0))
    );
}

async fn while_no_node_is_up_for_longer_than_a_lease_nothing_is_lost_and_late_posts_count(on: Deployment) {
    // With a budget of one, a single strike would lose a task.
    let (mut world, job) = world(on, 8, "1").await;
    let busy = worker(&world, "busy", job);
    let tasks = busy.take(24).await;
    assert_eq!(tasks.len(), 8);
    world.kill();
    // The length of the outage is what is tested; nothing is awaited by it.
    let lease_and_margin = Duration::from_secs(3);
    let away = tokio::time::timeout(
        lease_and_margin + Duration::from_millis(500),
        std::future::pending::<()>(),
    );
    assert!(away.await.is_err(), "the outage is longer than a lease");
    world.restart().await;

    let (in_time, later) = tasks.split_at(4);
    busy.post(in_time).await;
    assert_eq!(world.job(job).await["counts"]["processed"], 4);
    // Nobody answers the rest in the grace: they are offered again, and none is lost.
    let again = busy.take_when_free(4).await;
    busy.post(later).await;
    let landed = world.landed(job, SOON).await;
    assert_eq!(landed["status"], "SUCCESS");
    // The second hand-outs are answered as well; a replay counts nothing.
    busy.post(&again).await;
    let counts = world.job(job).await["counts"].take();
    assert_eq!(
        (&counts["total"], &counts["processed"], &counts["failed"]),
        (&json!(8), &json!(8), &json!(0))
    );
}

on_each_deployment!(
    tasks_of_a_worker_that_died_are_offered_to_another_after_the_lease,
    an_image_that_kills_its_worker_even_alone_is_lost_and_the_job_lands_with_nobody_online,
    a_cancel_with_tasks_in_flight_revokes_at_once_and_saves_what_comes_late,
    while_no_node_is_up_for_longer_than_a_lease_nothing_is_lost_and_late_posts_count,
);

/// One node that dies is no outage: a worker goes on at the other, with the receipts that the dead one signed.
#[tokio::test]
async fn a_worker_goes_on_at_the_other_node_when_one_dies_for_good() {
    // With a budget of one, a single strike would lose a task.
    let (mut world, job) = world(Deployment::TwoNodes, 8, "1").await;
    let first = Worker {
        http: world.nodes[0].client(),
        instance: "wanders",
        job,
    };
    let tasks = first.take(4).await;
    assert_eq!(tasks.len(), 4);
    world.nodes[0].kill();
    let (http, job) = (world.nodes[1].client(), first.job);
    let wanders = Worker { http, ..first };
    wanders.post(&tasks).await;
    wanders.post(&wanders.take_when_free(4).await).await;
    world.admin = world.nodes[1].client();
    let landed = world.landed(job, SOON).await;
    assert_eq!(
        (&landed["status"], &landed["counts"]["processed"]),
        (&json!("SUCCESS"), &json!(8))
    );
    for image in world.images(job).await.values() {
        assert_eq!(image["attempts"], 1, "handed out once: {image}");
    }
}
