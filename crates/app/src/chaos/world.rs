//! What every scenario stands on: a private server, jobs on captures that nobody fetches, and the checks at the end.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use trapline_core::verify::verify;
use trapline_engine::SystemClock;
use trapline_worker::{
    Pipeline as _,
    client::{Api, ApiError, Payload, read},
    wire::Registration,
};

use super::{
    fleet::{DETECTIONS, QUICK, SLUG, TwoBoxes},
    server::Server,
    wait::until,
};
use crate::wiring::look_at_store;

/// Seconds that a lease lasts, where a scenario waits for its end.
pub(super) const SHORT_LEASE: (&str, &str) = ("NATS_TASK_TTR", "2");
const ANSWER: Duration = Duration::from_secs(60);

/// A private server, and its API.
pub(super) struct World {
    pub(super) server: Server,
    api: Api,
}

impl World {
    /// A server on a new store, where the pipeline is registered.
    pub(super) async fn new(settings: &[(&str, &str)]) -> Result<Self> {
        let server = Server::start(settings, None).await?;
        let api = Api::new(&server.url(), server.token())?;
        let registration = Registration {
            processing_service_name: "chaos",
            pipelines: &TwoBoxes(QUICK).registration(),
        };
        api.register(1, &registration).await?;
        Ok(Self { server, api })
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, ApiError> {
        let query: Vec<_> = query
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let sent = self.api.request(Method::GET, path, &query, Payload::none(ANSWER));
        read(sent.await?).await
    }

    /// One request, repeated by nobody: what it is refused with is the scenario's business.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        self.post_bytes(path, body.to_string().into_bytes()).await
    }

    pub(super) async fn post_bytes(&self, path: &str, body: Vec<u8>) -> Result<Value, ApiError> {
        let payload = Payload::json(body.into(), ANSWER);
        read(self.api.request(Method::POST, path, &[], payload).await?).await
    }

    /// `run`, `retry`, `cancel` and their like.
    pub(super) async fn press(&self, job: i64, verb: &str) -> Result<Value, ApiError> {
        self.post(&format!("jobs/{job}/{verb}/"), &json!({})).await
    }

    /// Makes a job that nobody has started.
    pub(super) async fn new_job(&self, images: u64) -> Result<i64> {
        let captures: Vec<Value> = (0..images)
            .map(|n| json!({ "url": format!("https://captures.test/{n}.jpg") }))
            .collect();
        let job = json!({
            "name": "chaos", "delay": 0, "project_id": 1, "pipeline_slug": SLUG, "captures": captures,
        });
        let job = self.post("jobs/", &job).await?;
        job["id"].as_i64().context("a job has an id")
    }

    /// Makes a job, starts it, and waits until its tasks are handed out.
    pub(super) async fn started_job(&self, images: u64) -> Result<i64> {
        let job = self.new_job(images).await?;
        self.press(job, "run").await?;
        self.until_job(job, "the job is dispatched", |body| {
            body["status"] == "STARTED" && body["counts"]["total"] == images
        })
        .await?;
        Ok(job)
    }

    pub(super) async fn job(&self, job: i64) -> Result<Value, ApiError> {
        self.get(&format!("jobs/{job}/"), &[("logs_limit", "1")]).await
    }

    /// The job, once it is as wanted; a server that is away is waited for.
    pub(super) async fn until_job(
        &self,
        job: i64,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        until(what, async || match self.job(job).await {
            Ok(body) if wanted(&body) => Ok(body),
            Ok(body) => Err(format!("{} {}", body["status"], body["counts"])),
            Err(error) => Err(error.to_string()),
        })
        .await
        .with_context(|| self.server.log_tail())
    }

    /// Waits until so many tasks are settled.
    pub(super) async fn until_processed(&self, job: i64, processed: u64) -> Result<Value> {
        let what = format!("{processed} task(s) are processed");
        self.until_job(job, &what, |body| {
            body["counts"]["processed"]
                .as_u64()
                .is_some_and(|n| n >= processed)
        })
        .await
    }

    /// Waits until the job is final, and asserts how, and every count.
    pub(super) async fn landed(&self, job: i64, status: &str, processed: u64, failed: u64) -> Result<Value> {
        let body = self
            .until_job(job, "the job lands", |body| {
                matches!(body["status"].as_str(), Some("SUCCESS" | "FAILURE" | "REVOKED"))
            })
            .await?;
        ensure!(
            body["status"] == status,
            "the job landed {}, not {status}: {} {}",
            body["status"],
            body["counts"],
            body["progress"]["errors"]
        );
        counted(&body, processed, failed)?;
        Ok(body)
    }

    /// What became of each image.
    pub(super) async fn images(&self, job: i64) -> Result<Vec<Value>> {
        let path = format!("jobs/{job}/images/");
        let mut page = self.get(&path, &[("limit", "1000")]).await?;
        match page["results"].take() {
            Value::Array(rows) => Ok(rows),
            other => anyhow::bail!("no list of images: {other}"),
        }
    }

    /// Asserts that every image was handed out exactly once.
    pub(super) async fn handed_out_once(&self, job: i64) -> Result<()> {
        for image in self.images(job).await? {
            ensure!(
                image["attempts"] == 1,
                "an image was handed out more than once: {image}"
            );
        }
        Ok(())
    }

    /// Stops the server, and checks every invariant of what it leaves behind.
    pub(super) async fn end(mut self) -> Result<()> {
        self.server.stop().await?;
        let database = format!("sqlite:{}", self.server.database().display());
        let store = look_at_store(&database, Arc::new(SystemClock::new())).await?;
        let verified = verify(store.as_ref(), 1_000).await?;
        ensure!(
            verified.violations.is_empty(),
            "the store is wrong: {:?}",
            verified.violations
        );
        Ok(())
    }
}

/// Asserts a job's counts.
pub(super) fn counted(job: &Value, processed: u64, failed: u64) -> Result<()> {
    let counts = &job["counts"];
    ensure!(
        counts["processed"] == processed
            && counts["failed"] == failed
            && counts["detections"] == processed * DETECTIONS,
        "counted {counts}; expected {processed} processed, {failed} failed, {} detections",
        processed * DETECTIONS
    );
    Ok(())
}
