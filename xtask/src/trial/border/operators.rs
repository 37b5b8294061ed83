//! People who make jobs, start them, give them a pipeline late, stop them and run them again, at any moment.

use std::time::Duration;

use rand::{RngExt as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::json;
use tokio::sync::watch;
use trapline_drill::pass;

use super::{Project, workers::SLUG};

/// Operates until it is over.
pub(super) async fn operate(projects: &[Project], mut dice: StdRng, over: watch::Receiver<bool>) {
    let mut jobs: Vec<(usize, i64)> = Vec::new();
    for turn in 0_u64.. {
        if *over.borrow() {
            return;
        }
        let known = jobs.choose(&mut dice).copied();
        match (dice.random_range(0..100), known) {
            (0..35, _) | (_, None) => {
                let project = dice.random_range(0..projects.len());
                jobs.extend(
                    make(&projects[project], &mut dice, turn)
                        .await
                        .map(|job| (project, job)),
                );
            }
            (35..55, Some(job)) => moves(projects, job, "cancel").await,
            (55..75, Some(job)) => moves(projects, job, "retry-failed").await,
            (75..85, Some(job)) => moves(projects, job, "retry").await,
            (_, Some(job)) => moves(projects, job, "run").await,
        }
        pass(Duration::from_millis(dice.random_range(200..3_000))).await;
    }
}

/// A new job, started at once, later, or with its pipeline to come.
async fn make(project: &Project, dice: &mut StdRng, turn: u64) -> Option<i64> {
    let images = dice.random_range(20..400);
    let name: u64 = dice.random();
    let captures: Vec<_> = (0..images)
        .map(|n| json!({ "url": format!("https://captures.test/{name:x}/{n}.jpg") }))
        .collect();
    let mut body = json!({
        "name": format!("job {turn}"), "delay": 0, "project_id": project.id, "captures": captures, "pipeline_slug": SLUG,
    });
    let late = dice.random_ratio(1, 5);
    if late {
        body["pipeline_slug"] = serde_json::Value::Null;
    }
    let query = if !late && dice.random_ratio(3, 5) {
        "?start_now"
    } else {
        ""
    };
    let path = format!("/api/v2/jobs/{query}");
    let job = project.operator.try_post(&path, &body).await.ok()?.body["id"].as_i64()?;
    if late {
        let path = format!("/api/v2/jobs/{job}/");
        let patch = json!({ "pipeline_slug": SLUG });
        project.operator.try_send("PATCH", &path, Some(&patch)).await.ok();
        project
            .operator
            .try_post(&format!("{path}run/"), &json!({}))
            .await
            .ok();
    }
    Some(job)
}

/// Whatever comes of it: many are refused, as the job is in another state by then.
async fn moves(projects: &[Project], (project, job): (usize, i64), action: &str) {
    let path = format!("/api/v2/jobs/{job}/{action}/");
    projects[project].operator.try_post(&path, &json!({})).await.ok();
}
