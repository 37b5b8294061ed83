//! A server of its own per test, and what every test asks of it.

use std::{collections::HashMap, path::Path, time::Duration};

use serde_json::{Value, json};
use trapline_testkit::{Client, Server, until};

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) admin: Client,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    /// `trapline serve` on a new store.
    pub(crate) async fn new(env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let binary = Path::new(env!("CARGO_BIN_EXE_trapline"));
        let server = Server::start(binary, folder.path(), env).await;
        Self {
            admin: server.client(),
            server,
            folder,
        }
    }

    /// Starts a job on this many captures that nobody can fetch.
    pub(crate) async fn start_job(&self, slug: &str, images: usize) -> i64 {
        let captures: Vec<Value> = (0..images)
            .map(|i| json!({ "url": format!("https://captures.test/{i}.jpg") }))
            .collect();
        let job = json!({
            "name": "night", "delay": 0, "project_id": 1, "pipeline_slug": slug, "captures": captures,
        });
        let job = self.admin.post("/api/v2/jobs/?start_now", &job).await;
        job["id"].as_i64().unwrap()
    }

    pub(crate) async fn job(&self, job: i64) -> Value {
        self.admin.get(&format!("/api/v2/jobs/{job}/")).await
    }

    /// The job, once it has landed.
    pub(crate) async fn landed(&self, job: i64, bound: Duration) -> Value {
        until("the job lands", bound, || async {
            let body = self.job(job).await;
            match body["status"].as_str() {
                Some("SUCCESS" | "FAILURE" | "REVOKED") => Ok(body),
                _ => Err(format!("{} {}", body["status"], body["counts"])),
            }
        })
        .await
    }

    /// What became of each image, by its id.
    pub(crate) async fn images(&self, job: i64) -> HashMap<String, Value> {
        let rows = self
            .admin
            .rows(&format!("/api/v2/jobs/{job}/images/?limit=1000"))
            .await;
        let count = rows.len();
        let by_id: HashMap<String, Value> = rows
            .into_iter()
            .map(|row| (row["image_id"].as_str().unwrap().to_owned(), row))
            .collect();
        assert_eq!(by_id.len(), count, "an image is listed twice");
        by_id
    }
}
