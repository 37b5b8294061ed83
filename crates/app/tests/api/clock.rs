//! A server whose clock is set: the API shows what the clock shows, and nothing is late or early for it.

use std::time::Duration;

use serde_json::{Value, json};
use trapline_core::Timestamp;
use trapline_testkit::until;

use crate::fleet::{Fleet, SHORT_LEASE, success};

const TWO_DAYS: i64 = 2 * 24 * 3_600 * 1_000_000;

fn time(value: &Value) -> Timestamp {
    Timestamp::parse(value.as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn after_the_clock_was_set_times_are_shown_by_it_and_leases_end_when_they_should() {
    for by in [-TWO_DAYS, TWO_DAYS] {
        let fleet = Fleet::short_lease().await;
        let job = fleet.job(2).await;
        let tasks = fleet.tasks(job, 2).await;
        fleet.app.set_clock(by);
        fleet.pass(Duration::from_secs(3)).await;
        fleet.settle(job, &[success(&tasks[0])]).await;
        let shown = fleet.show(job).await;
        let age = |at: &Value| {
            fleet
                .app
                .now()
                .since(time(at))
                .max(time(at).since(fleet.app.now()))
        };
        for name in ["created_at", "started_at", "updated_at"] {
            assert!(
                age(&shown[name]) < Duration::from_secs(10),
                "{name}, by {by}: {shown}"
            );
        }
        let rows = fleet.images(job, "state=processed").await;
        assert_eq!(time(&rows[0]["settled_at"]), fleet.app.now());
        let logs = fleet.admin.get(&format!("/api/v2/jobs/{job}/logs/")).await;
        for line in logs.body["results"].as_array().unwrap() {
            assert!(age(&line["at"]) < Duration::from_secs(10), "{line}");
        }
        let services = fleet
            .admin
            .get("/api/v2/ml/processing_services/?project_id=1")
            .await;
        let service = &services.body["results"][0];
        assert!(age(&service["last_seen"]) < Duration::from_secs(10), "{service}");
        assert_eq!(service["last_seen_live"], json!(true));
        let why = fleet
            .admin
            .get(&format!("/api/v2/jobs/{job}/explain/"))
            .await
            .body;
        assert!(
            why["sentence"]
                .as_str()
                .unwrap()
                .contains("by 2 d; leases, delays and ages go on"),
            "{why}"
        );
        assert_eq!(why["clock_step"]["by_seconds"], json!(by / 1_000_000));
        // Its own lease and the one that the result gave it are not over, and then they are.
        fleet.pass(SHORT_LEASE).await;
        assert_eq!(fleet.images(job, "state=in_flight").await.len(), 1, "by {by}");
        fleet.pass(Duration::from_secs(20)).await;
        until("the lease ends", Duration::from_secs(20), async || {
            match fleet.images(job, "state=pending").await.len() {
                1 => Ok(()),
                n => Err(format!("{n} are free, by {by}")),
            }
        })
        .await;
        fleet.pass(Duration::from_secs(90)).await;
        let services = fleet
            .admin
            .get("/api/v2/ml/processing_services/?project_id=1")
            .await;
        assert_eq!(services.body["results"][0]["last_seen_live"], json!(false));
    }
}
