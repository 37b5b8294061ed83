//! Large jobs, as a client makes them: captures from a manifest, and a pipeline to run on them.

use futures::stream;
use serde_json::{Value, json};

use crate::Client;

/// A pipeline without algorithms: its results are empty.
pub const BARE: &str = "bare";
/// Lines of the manifest that are sent at a time.
const CHUNK: u64 = 1_000;

impl Client {
    /// Registers a pipeline of that slug without algorithms.
    pub async fn register_pipeline(&self, slug: &str) {
        let pipeline = json!({ "name": slug, "slug": slug, "version": 1, "algorithms": [], "stages": [] });
        let body = json!({ "processing_service_name": slug, "pipelines": [pipeline] });
        self.post("/api/v2/projects/1/pipelines/", &body).await;
    }

    /// A set of this many captures, from a manifest that is made as it is sent. Sets of different names share none.
    ///
    /// # Panics
    /// If one was there already, or is refused.
    pub async fn upload_captures(&self, name: &str, images: u64) -> i64 {
        let set = json!({ "name": name, "project_id": 1 });
        let set = id(&self.post("/api/v2/captures/collections/", &set).await);
        let prefix = name.to_owned();
        let chunks = (0..images).step_by(CHUNK as usize).map(move |from| {
            let lines = from..images.min(from + CHUNK);
            let lines: String = lines
                .map(|n| format!("{{\"url\":\"https://captures.test/{prefix}/{n:07}.jpg\"}}\n"))
                .collect();
            Ok::<_, std::convert::Infallible>(lines)
        });
        let body = reqwest::Body::wrap_stream(stream::iter(chunks));
        let path = format!("/api/v2/captures/collections/{set}/captures/");
        let answer = self.upload(&path, "application/x-ndjson", body).await;
        assert_eq!(answer["added"], images, "{answer}");
        set
    }

    /// Starts a job on a set.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn start_job(&self, pipeline: &str, set: i64) -> i64 {
        let job = json!({
            "name": pipeline, "delay": 0, "project_id": 1, "pipeline_slug": pipeline, "source_image_collection_id": set,
        });
        id(&self.post("/api/v2/jobs/?start_now", &job).await)
    }
}

fn id(body: &Value) -> i64 {
    body["id"]
        .as_i64()
        .unwrap_or_else(|| panic!("an answer without an id: {body}"))
}
