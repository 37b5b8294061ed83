//! How pages look to everybody: in both themes, on a desk and on a phone, without anything in them, as usual, and with
//! what is longest and worst.
//!
//! With `TRAPLINE_SCREENSHOTS` naming a folder, each is also taken there as a picture (`cargo xtask screenshots`).

use std::{fs, path::Path, path::PathBuf};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use trapline_testkit::{Client, Server};

use super::{BINARY, browser::Browser, half_done, job::fail_the_rest};

/// axe-core 4.14.1, as its package has it; MPL-2.0, in `vendor/axe.LICENSE`.
const AXE: &str = include_str!("vendor/axe.min.js");
const DESK: u32 = 1_280;
const PHONE: u32 = 375;
const SMALL_PHONE: u32 = 360;
/// 400% zoom of a desk.
const NARROWEST: u32 = 320;

/// What axe finds that keeps somebody from using the page.
const SERIOUS: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, {resultTypes: ['violations']}).then(
        found => done(found.violations
            .filter(v => ['serious', 'critical'].includes(v.impact))
            .map(v => v.id + ': ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join('; '))),
        error => done([String(error)]));";

/// Pages with the names of their pictures.
type Pages = Vec<(&'static str, String)>;

/// A signed-in browser, and the pages to look at: what is shown before there is anything, then after.
pub(crate) struct Tour {
    server: Server,
    pub(crate) browser: Browser,
    _folder: tempfile::TempDir,
}

impl Tour {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
        let browser = Browser::start(&server.url()).await;
        Self {
            server,
            browser,
            _folder: folder,
        }
    }

    async fn sign_in(&self) {
        self.browser.open("/login").await;
        self.browser.sign_in().await;
        self.browser.shows("h1", "Jobs").await;
    }

    /// A capture set of two images.
    async fn set(&self, name: &str) -> String {
        let client = self.server.client();
        let set = json!({"name": name, "project_id": 1});
        let set = client.post("/api/v2/captures/collections/", &set).await["id"].to_string();
        let images = json!([{"url": format!("http://photos.invalid/{set}/1.jpg")}, {"url": "http://photos.invalid/2.jpg"}]);
        let path = format!("/api/v2/captures/collections/{set}/captures/");
        client.post(&path, &images).await;
        set
    }

    /// The address of a link that signs its reader in.
    async fn link(&self) -> String {
        let client = self.server.client();
        let token = json!({"name": "ana", "role": "viewer"});
        let token = client.post("/api/v2/tokens/", &token).await["id"].clone();
        let link = client
            .post(&format!("/api/v2/tokens/{token}/link/"), &json!({}))
            .await;
        let link = link["url"].as_str().unwrap();
        link[link.find("/login").unwrap()..].to_owned()
    }

    /// The address of a list of which most lines are broken.
    async fn draft(&self) -> String {
        let send = "
            const done = arguments[arguments.length - 1], form = new FormData();
            form.set('name', '\\u202e<b>' + 'Ω'.repeat(250));
            form.set('project', '1');
            form.set('urls', 'http://photos.invalid/1.jpg\\n' + ('\\u202e' + 'Ω'.repeat(300) + '\\n').repeat(150));
            fetch('/jobs/new', {method: 'POST', body: form}).then(page => done(new URL(page.url).pathname));";
        self.browser.run_async(send).await.as_str().unwrap().to_owned()
    }

    /// Each page in each of its states.
    pub(crate) async fn each(&self, mut look: impl AsyncFnMut(&str, &str)) {
        look("sign-in", "/login").await;
        look("link", &self.link().await).await;
        look("link-gone", "/login/link/gone").await;
        self.sign_in().await;
        look("jobs-empty", "/jobs").await;
        look("sets-empty", "/sets").await;
        look("workers-empty", "/workers").await;
        look("pipelines-empty", "/pipelines").await;
        look("not-found", "/jobs/404").await;
        let mut look = async |name: &str, path: &str| {
            look(name, path).await;
            let title = self.browser.title().await;
            assert!(!title.starts_with("Not found"), "{path} is no page");
        };
        let (usual, held) = half_done(&self.server).await;
        let image = processed_image(&self.server.client(), usual).await;
        for (name, path) in of_job("", usual, &image) {
            look(name, &path).await;
        }
        for (name, path) in BESIDE_JOBS {
            look(name, path).await;
        }
        fail_the_rest(&self.server.client(), usual, &held).await;
        let set = self.set("QC-07, June").await;
        for (name, path) in of_set("", &set) {
            look(name, &path).await;
        }
        look("done", &format!("/jobs/{usual}")).await;
        look("done-failed", &format!("/jobs/{usual}/images")).await;
        look("retry-failed", &format!("/jobs/{usual}/retry-failed")).await;
        look("run-again", &format!("/jobs/{usual}/run-again")).await;
        let worst = worst(&self.server.client()).await;
        let image = processed_image(&self.server.client(), worst).await;
        for (name, path) in of_job("worst-", worst, &image) {
            look(name, &path).await;
        }
        let set = self.set(&"Ω".repeat(255)).await;
        for (name, path) in of_set("worst-", &set) {
            look(name, &path).await;
        }
        look("worst-list", &self.draft().await).await;
        look("worst-workers", "/workers").await;
        look("worst-worker", "/workers/1").await;
        look("worst-pipelines", "/pipelines").await;
    }
}

const BESIDE_JOBS: [(&str, &str); 12] = [
    ("workers", "/workers"),
    ("worker", "/workers/1"),
    ("drain", "/workers/1/drain"),
    ("pipelines", "/pipelines"),
    ("health", "/health?all=1"),
    ("check", "/health/check"),
    ("tokens", "/settings/tokens"),
    ("revoke", "/settings/tokens/1/revoke"),
    ("projects", "/settings/projects"),
    ("project", "/settings/projects/1"),
    ("me", "/settings/me"),
    ("about", "/about"),
];

fn of_job(prefix: &str, job: i64, image: &str) -> Pages {
    let name = |usual, worst| if prefix.is_empty() { usual } else { worst };
    vec![
        (name("jobs", "worst-jobs"), "/jobs".to_owned()),
        (
            name("jobs-none", "worst-jobs-none"),
            "/jobs?q=nothing+has+this+name".to_owned(),
        ),
        (name("job", "worst-job"), format!("/jobs/{job}")),
        (name("why", "worst-why"), format!("/jobs/{job}?why")),
        (name("stop", "worst-stop"), format!("/jobs/{job}/stop")),
        (name("delete", "worst-delete"), format!("/jobs/{job}/delete")),
        (name("failed", "worst-failed"), format!("/jobs/{job}/images")),
        (
            name("waiting", "worst-waiting"),
            format!("/jobs/{job}/images?state=waiting"),
        ),
        (name("log", "worst-log"), format!("/jobs/{job}/log")),
        (name("results", "worst-results"), format!("/jobs/{job}/results")),
        (
            name("results-none", "worst-results-none"),
            format!("/jobs/{job}/results?label=none"),
        ),
        (name("summary", "worst-summary"), format!("/jobs/{job}/summary")),
        // The photographs are of a host that is not there.
        (
            name("result", "worst-result"),
            format!("/jobs/{job}/results/{image}?photos=0"),
        ),
    ]
}

fn of_set(prefix: &str, set: &str) -> Pages {
    let name = |usual, worst| if prefix.is_empty() { usual } else { worst };
    vec![
        (name("new-job", "worst-new-job"), "/jobs/new".to_owned()),
        (name("start", "worst-start"), format!("/jobs/new/{set}")),
        (name("sets", "worst-sets"), "/sets".to_owned()),
        (name("set", "worst-set"), format!("/sets/{set}")),
    ]
}

async fn processed_image(client: &Client, job: i64) -> String {
    let images = client
        .get(&format!("/api/v2/jobs/{job}/images/?state=processed&limit=1"))
        .await;
    images["results"][0]["image_id"].as_str().unwrap().to_owned()
}

/// A job whose every text is as long and as strange as may be. It runs, and two of its images failed.
async fn worst(client: &Client) -> i64 {
    let slug = "m".repeat(100);
    let pipelines = json!({"processing_service_name": "\u{202e}xob", "pipelines": [{
        "name": "<img src=x onerror=alert(1)> ".repeat(8), "slug": slug, "version": 1,
        "algorithms": [{"name": "Ω".repeat(255), "key": "detector", "version": 1},
            {"name": "C", "key": "classifier", "version": 1}]}]});
    client.post("/api/v2/projects/1/pipelines/", &pipelines).await;
    let captures: Vec<Value> = (0..5)
        .map(|n| json!({"url": format!("http://photos.invalid/{}/{n}.jpg", "long".repeat(480))}))
        .collect();
    let name = format!("\u{202e}\u{7}<b>{}", "Ω".repeat(250));
    let job = json!({"name": name, "delay": 0, "project_id": 1, "pipeline_slug": slug, "captures": captures});
    let id = client.post("/api/v2/jobs/?start_now", &job).await["id"]
        .as_i64()
        .unwrap();
    let claim = json!({"pipelines": [slug], "batch_size": 4, "wait_seconds": 25,
        "client_info": {"hostname": "gpu".repeat(80)}});
    let tasks = client.post("/api/v2/tasks/claim/", &claim).await["tasks"].clone();
    let reasons = ["no space ".repeat(1_100), "x".repeat(10_000)];
    let labels = [
        "Ω".repeat(255),
        "\u{202e}htom".to_owned(),
        "<img src=x onerror=alert(1)>".to_owned(),
    ];
    let detection = |at: usize| {
        json!({"source_image_id": tasks[2]["image_id"], "algorithm": {"name": "D", "key": "detector"},
            "bbox": {"x1": at * 70, "y1": at * 31 % 400, "x2": at * 70 + 60, "y2": at * 31 % 400 + 90}, "classifications": [{
                "classification": labels[at % 3], "scores": [0.5], "labels": [labels[at % 3]], "terminal": true,
                "algorithm": {"name": "C", "key": "classifier"}, "timestamp": "2026-06-21T22:14:30Z"}]})
    };
    let found = json!({"pipeline": slug, "total_time": 0.1, "source_images": [{"id": tasks[2]["image_id"]}],
        "detections": (0..30).map(detection).collect::<Vec<_>>()});
    let mut results: Vec<Value> = reasons
        .iter()
        .enumerate()
        .map(|(n, why)| json!({"reply_subject": tasks[n]["reply_subject"], "result": {"error": why, "image_id": tasks[n]["id"]}}))
        .collect();
    results.push(json!({"reply_subject": tasks[2]["reply_subject"], "result": found}));
    let answer = client
        .post(
            &format!("/api/v2/jobs/{id}/result/"),
            &json!({ "results": results }),
        )
        .await;
    assert_eq!(answer["results_queued"], 3, "{answer}");
    id
}

/// Where pictures go, if anybody wants them.
fn pictures() -> Option<PathBuf> {
    std::env::var_os("TRAPLINE_SCREENSHOTS").map(PathBuf::from)
}

/// The most of a page that a picture shows, in px from its top.
const TALL_MAX: u64 = 3_000;

/// Takes what of the open page is on the screen, if anybody wants pictures.
pub(crate) async fn picture(browser: &Browser, name: &str) {
    if let Some(folder) = pictures() {
        taken(browser, &folder.join(format!("{name}.png")), json!({})).await;
    }
}

/// Takes the whole page that is open, if anybody wants pictures.
pub(crate) async fn whole_picture(browser: &Browser, name: &str, width: u32) {
    let Some(folder) = pictures() else { return };
    let height = "return document.documentElement.scrollHeight";
    let height = browser.run(height, json!([])).await.as_u64().unwrap();
    let clip = json!({"x": 0, "y": 0, "width": width, "height": height.min(TALL_MAX), "scale": 1});
    let all = json!({"captureBeyondViewport": true, "clip": clip});
    taken(browser, &folder.join(format!("{name}.png")), all).await;
}

async fn taken(browser: &Browser, file: &Path, how: Value) {
    let taken = browser.cdp("Page.captureScreenshot", how).await;
    let png = BASE64_STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
    fs::write(file, png).unwrap();
}

#[tokio::test]
async fn axe_finds_nothing_serious() {
    let tour = Tour::start().await;
    let browser = &tour.browser;
    browser
        .cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": AXE }))
        .await;
    let mut found = Vec::new();
    tour.each(async |name, path| {
        for theme in ["light", "dark"] {
            let feature = json!({"name": "prefers-color-scheme", "value": theme});
            browser
                .cdp("Emulation.setEmulatedMedia", json!({ "features": [feature] }))
                .await;
            for width in [DESK, PHONE] {
                browser.is_wide(width).await;
                browser.open(path).await;
                let serious = browser.run_async(SERIOUS).await;
                if serious != json!([]) {
                    found.push(format!("{path} ({theme}, {width} px): {serious:#}"));
                }
                whole_picture(browser, &format!("{name}-{theme}-{width}"), width).await;
                if (theme, width) == ("light", DESK) {
                    picture(browser, name).await;
                }
            }
        }
    })
    .await;
    browser
        .run("document.body.append(document.createElement('img'))", json!([]))
        .await;
    let broken = browser.run_async(SERIOUS).await;
    assert!(
        broken.to_string().contains("image-alt"),
        "axe sees nothing: {broken}"
    );
    tour.browser.end().await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn nothing_scrolls_sideways_at_320() {
    let tour = Tour::start().await;
    let browser = &tour.browser;
    let mut wide = Vec::new();
    tour.each(async |_, path| {
        for width in [NARROWEST, PHONE, DESK] {
            browser.is_wide(width).await;
            browser.open(path).await;
            let shown = browser
                .run("return document.documentElement.scrollWidth", json!([]))
                .await;
            if shown.as_u64().unwrap() > u64::from(width) {
                wide.push(format!("{path} at {width} px: {shown} px"));
            }
        }
    })
    .await;
    tour.browser.end().await;
    assert!(wide.is_empty(), "{wide:?}");
}

/// How many rows the bar has: what is in one has its middle at about the same height.
pub(crate) const ROWS: &str = "
    const middle = e => { const r = e.getBoundingClientRect(); return (r.top + r.bottom) / 2; };
    const all = [...document.querySelectorAll('.bar a, .bar .who button, .bar .health, .bar .project summary')].map(middle).sort((a, b) => a - b);
    return all.filter((y, n) => n == 0 || y - all[n - 1] > 8).length;";

#[tokio::test]
async fn the_bar_of_a_phone_has_two_rows() {
    let tour = Tour::start().await;
    let browser = &tour.browser;
    tour.sign_in().await;
    let mut rows = Vec::new();
    for width in [SMALL_PHONE, PHONE] {
        browser.is_wide(width).await;
        browser.open("/jobs").await;
        rows.push(browser.run(ROWS, json!([])).await);
    }
    tour.browser.end().await;
    assert_eq!(rows, [2, 2]);
}
