//! A night of photographs: its classes and hours lead to its images, and its images to what was found in them.

use std::path::Path;

use serde_json::{Value, json};
use trapline_testkit::{Client, Server, until};

use super::{
    BINARY, PATIENCE,
    browser::Browser,
    job::signed_in,
    looks::{picture, whole_picture},
};

/// Classes, the most frequent first.
const CLASSES: [&str; 6] = [
    "Noctua pronuba",
    "Idia aemula",
    "Hypena scabra",
    "Agrotis ipsilon",
    "Malacosoma",
    "Cisseps",
];
/// Moths in the photographs of a night, one each quarter of an hour from 21:00.
const MOTHS: [usize; 24] = [
    0, 1, 2, 4, 5, 7, 9, 12, 14, 13, 15, 12, 11, 12, 9, 8, 8, 6, 5, 3, 3, 2, 1, 0,
];

/// Numbers that look like chance and are the same each time.
struct Spread(u64);

impl Spread {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % end
    }
}

/// A moth somewhere in a photograph of 4,000 by 3,000 pixels. A class is half as frequent as the one before.
fn moth(image: &Value, spread: &mut Spread) -> Value {
    let (x, y) = (60 + spread.below(3_500), 60 + spread.below(2_600));
    let (w, h) = (140 + spread.below(260), 110 + spread.below(180));
    let class = CLASSES[(spread.below(63) + 1).leading_zeros() as usize - 58];
    let score = 0.4 + f64::from(u32::try_from(spread.below(60)).unwrap()) / 100.0;
    json!({"source_image_id": image, "algorithm": {"name": "Detector", "key": "detector"},
        "bbox": {"x1": x, "y1": y, "x2": x + w, "y2": y + h}, "timestamp": "2026-06-14T05:14:30Z",
        "classifications": [{"classification": class, "scores": [score], "labels": [class], "terminal": true,
            "algorithm": {"name": "Classifier", "key": "classifier"}, "timestamp": "2026-06-14T05:14:30Z"}]})
}

/// A job of the photographs of a night that is done.
async fn night(client: &Client) -> i64 {
    let pipelines = json!({"processing_service_name": "box", "pipelines": [{"name": "Moths", "slug": "moths", "version": 3,
        "algorithms": [{"name": "Detector", "key": "detector", "version": 1},
            {"name": "Classifier", "key": "classifier", "version": 2}]}]});
    client.post("/api/v2/projects/1/pipelines/", &pipelines).await;
    let capture = |at: usize| {
        let minutes = 21 * 60 + at * 15;
        let (day, hour, minute) = (13 + minutes / 1_440, minutes / 60 % 24, minutes % 60);
        json!({"url": format!("http://photos.invalid/QC-07/202606{day}-{hour:02}{minute:02}.jpg"),
            "taken_at": format!("2026-06-{day}T{hour:02}:{minute:02}:00")})
    };
    let captures: Vec<Value> = (0..MOTHS.len()).map(capture).collect();
    let job = json!({"name": "June night, QC-07", "delay": 0, "project_id": 1, "pipeline_slug": "moths", "shuffle": false,
        "captures": captures});
    let id = client.post("/api/v2/jobs/?start_now", &job).await["id"]
        .as_i64()
        .unwrap();
    let claim = json!({"pipelines": ["moths"], "batch_size": MOTHS.len(), "wait_seconds": 25});
    let tasks = client.post("/api/v2/tasks/claim/", &claim).await["tasks"].clone();
    let mut spread = Spread(7);
    let mut result = |(task, n): (&Value, &usize)| {
        let image = &task["image_id"];
        let moths: Vec<Value> = (0..*n).map(|_| moth(image, &mut spread)).collect();
        json!({"reply_subject": task["reply_subject"], "result": {"pipeline": "moths", "total_time": 0.1, "detections": moths,
            "source_images": [{"id": image, "url": task["image_url"], "width": 4_000, "height": 3_000}]}})
    };
    let tasks = tasks.as_array().unwrap();
    let results: Vec<Value> = tasks.iter().zip(&MOTHS).map(&mut result).collect();
    let path = format!("/api/v2/jobs/{id}/result/");
    let answer = client.post(&path, &json!({ "results": results })).await;
    assert_eq!(answer["results_queued"], MOTHS.len(), "{answer}");
    id
}

/// Opens a summary once all is counted.
async fn counted(browser: &Browser, path: &str) {
    until("all is counted", PATIENCE, async || {
        browser.open(path).await;
        let told = browser.text("main p[data-final]").await;
        told.map(drop).ok_or_else(|| "not yet".to_owned())
    })
    .await;
}

#[tokio::test]
async fn a_night_adds_up_by_class_and_hour_and_leads_to_its_images() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let job = night(&server.client()).await;
    let browser = signed_in(&server, "/jobs").await;
    browser.is_wide(1_280).await;
    let summary = format!("/jobs/{job}/summary");
    browser.shows("h1", "Jobs").await;
    counted(&browser, &summary).await;
    let all: usize = MOTHS.iter().sum();
    browser
        .shows(
            "[data-final]",
            &format!("{all} detections in 24 processed images."),
        )
        .await;
    browser.shows(".ranks a", CLASSES[0]).await;
    whole_picture(&browser, "summary-of-night", 1_280).await;

    // 23:00 to 23:30 has two photographs.
    browser.press("#activity ~ details > summary").await;
    browser.press("details th a[href*='hour=23%3A00']").await;
    browser
        .until("document.querySelectorAll('.tile').length === 2")
        .await;
    browser.open(&summary).await;
    browser.press(CLASSES[0]).await;
    browser.shows(".chip[aria-current] bdi", CLASSES[0]).await;
    browser.open(&format!("/jobs/{job}/results?n=1%2B")).await;
    browser
        .until("document.querySelectorAll('.tile').length === 22")
        .await;
    picture(&browser, "grid-of-night").await;
    browser.end().await;
}
