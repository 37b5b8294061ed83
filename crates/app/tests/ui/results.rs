//! What was found, on photographs: real ones of this disk, and of another server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use axum::{Router, routing::get};
use serde_json::{Value, json};
use trapline_testkit::{Client, Server, until};
use trapline_worker::samples::{SAMPLE_SEED, write_samples};

use super::{BINARY, PATIENCE, browser::Browser, half_done, looks::picture};

/// `trapline run` on the folder `photos` beside its store, without what the machine of the test has set.
fn run(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(folder).args(["run", "photos"]).args(more);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    for (name, _) in std::env::vars() {
        if name.starts_with("TRAPLINE_") || name.starts_with("NATS_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command
}

/// A server on what a run left, which shows the photographs of that run.
pub(crate) async fn serve(folder: &Path) -> Server {
    let ran = run(folder, &["--database", "run.db"]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let (store, photos) = (folder.join("run.db"), folder.join("photos"));
    let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let settings = [("DATABASE_URL", path(&store)), ("TRAPLINE_FILES", path(&photos))];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    Server::start(Path::new(BINARY), folder, &settings).await
}

pub(crate) async fn sign_in(browser: &Browser) {
    browser.open("/login").await;
    browser.sign_in().await;
    browser.shows("h1", "Jobs").await;
}

/// The images of a job and its detections, by image.
pub(crate) async fn found(client: &Client, job: i64) -> Vec<(String, Vec<Value>)> {
    let images = client.get(&format!("/api/v2/jobs/{job}/images/")).await["results"].clone();
    let rows = client
        .get(&format!("/api/v2/jobs/{job}/results/?limit=1000"))
        .await["results"]
        .clone();
    let of = |image: &Value| {
        let id = image["image_id"].as_str().unwrap();
        let rows = rows
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["image_id"] == id);
        (id.to_owned(), rows.cloned().collect())
    };
    images.as_array().unwrap().iter().map(of).collect()
}

/// Registers a pipeline of one detector.
pub(crate) async fn register(client: &Client, slug: &str) {
    let pipelines = json!({"processing_service_name": slug, "pipelines": [{"name": slug, "slug": slug, "version": 1,
        "algorithms": [{"name": "Detector", "key": "detector", "version": 1}]}]});
    client.post("/api/v2/projects/1/pipelines/", &pipelines).await;
}

/// Posts boxes for every image of a job, by turns those of each list.
pub(crate) async fn post_boxes(client: &Client, job: i64, slug: &str, lists: &[&[Value]]) {
    let claim = json!({"pipelines": [slug], "batch_size": 50, "wait_seconds": 25});
    let tasks = client.post("/api/v2/tasks/claim/", &claim).await["tasks"].clone();
    let result = |(boxes, task): (&&[Value], &Value)| {
        let detection = |(at, bbox): (usize, &Value)| {
            json!({"source_image_id": task["image_id"], "bbox": bbox, "algorithm": {"name": "Detector", "key": "detector"},
                "score": 0.9 - 0.1 * f64::from(u32::try_from(at % 9).unwrap()), "timestamp": "2026-06-21T22:14:30Z"})
        };
        let detections: Vec<Value> = boxes.iter().enumerate().map(detection).collect();
        json!({"reply_subject": task["reply_subject"], "result": {"pipeline": slug, "total_time": 0.1, "detections": detections,
            "source_images": [{"id": task["image_id"], "url": task["image_url"]}]}})
    };
    let results: Vec<Value> = lists
        .iter()
        .cycle()
        .zip(tasks.as_array().unwrap())
        .map(result)
        .collect();
    let answer = client
        .post(
            &format!("/api/v2/jobs/{job}/result/"),
            &json!({ "results": results }),
        )
        .await;
    assert_eq!(answer["results_queued"], results.len(), "{answer}");
}

async fn place(browser: &Browser) -> String {
    let place = "return location.pathname + location.search + location.hash";
    browser.run(place, json!([])).await.as_str().unwrap().to_owned()
}

async fn arrives(browser: &Browser, path: &str) {
    until(path, PATIENCE, async || match place(browser).await {
        now if now == path => Ok(()),
        other => Err(other),
    })
    .await;
}

/// Presses a key in the page, once it listens.
async fn press_key(browser: &Browser, key: &str) {
    until("a whole page", PATIENCE, async || {
        let state = browser.run("return document.readyState", json!([])).await;
        (state == "complete")
            .then_some(())
            .ok_or_else(|| state.to_string())
    })
    .await;
    let script =
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))";
    browser.run(script, json!([key])).await;
}

#[tokio::test]
async fn back_brings_the_filter_and_the_tile() {
    let folder = tempfile::tempdir().unwrap();
    write_samples(&folder.path().join("photos"), SAMPLE_SEED, 4).unwrap();
    let server = serve(folder.path()).await;
    let images = found(&server.client(), 1).await;
    let browser = Browser::start(&server.url()).await;
    sign_in(&browser).await;
    browser.open("/jobs/1").await;
    browser.press("Results").await;
    browser.press("With detections").await;
    assert_eq!(place(&browser).await, "/jobs/1/results?n=1%2B");
    let (second, third) = (&images[1].0, &images[2].0);
    browser.press(&format!("#i{second} a")).await;
    browser.shows("h2", "Detections").await;
    assert_eq!(place(&browser).await, format!("/jobs/1/results/{second}?n=1%2B"));

    press_key(&browser, "j").await;
    arrives(&browser, &format!("/jobs/1/results/{third}?n=1%2B")).await;
    press_key(&browser, "ArrowLeft").await;
    arrives(&browser, &format!("/jobs/1/results/{second}?n=1%2B")).await;

    // The slider: what lies below it stays, thin, and the choice goes along.
    let slide = "const s = document.querySelector('#min'); s.value = 1;
        s.dispatchEvent(new Event('input')); s.dispatchEvent(new Event('change'));
        return [...document.querySelectorAll('.box')].every(b => b.classList.contains('below') && b.checkVisibility())";
    assert_eq!(browser.run(slide, json!([])).await, true);
    arrives(&browser, &format!("/jobs/1/results/{second}?n=1%2B&min=1")).await;
    assert!(browser.text("output").await.unwrap().starts_with("0 of "));
    press_key(&browser, "j").await;
    browser
        .shows("[role=status]", "This is the last image of the filter.")
        .await;
    press_key(&browser, "Escape").await;
    until("the grid", PATIENCE, async || match place(&browser).await {
        now if now.starts_with("/jobs/1/results?min=1&n=1%2B") && now.ends_with(&format!("#i{second}")) => {
            Ok(())
        }
        other => Err(other),
    })
    .await;
    browser.end().await;
}

#[tokio::test]
async fn keys_walk_the_filter_only() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let client = server.client();
    register(&client, "moths").await;
    let captures: Vec<Value> = (0..4)
        .map(|n| json!({"url": format!("http://photos.invalid/{n}.jpg")}))
        .collect();
    let job =
        json!({"name": "web", "delay": 0, "project_id": 1, "pipeline_slug": "moths", "captures": captures});
    let job = client.post("/api/v2/jobs/?start_now", &job).await["id"]
        .as_i64()
        .unwrap();
    let box_ = json!({"x1": 1, "y1": 1, "x2": 9, "y2": 9});
    post_boxes(&client, job, "moths", &[&[box_], &[]]).await;
    let images = found(&client, job).await;
    let browser = Browser::start(&server.url()).await;
    sign_in(&browser).await;
    let path = |at: usize| format!("/jobs/{job}/results/{}?n=1%2B&photos=0", images[at].0);
    browser.open(&path(0)).await;
    for (key, at) in [("j", 2), ("ArrowLeft", 0), ("ArrowRight", 2), ("k", 0)] {
        press_key(&browser, key).await;
        arrives(&browser, &path(at)).await;
    }
    // A key is no command where somebody types, and none at all where somebody turned them off.
    browser.press("details:has([data-keys]) summary").await;
    browser.press("[data-keys]").await;
    press_key(&browser, "j").await;
    browser.press("[data-keys]").await;
    press_key(&browser, "b").await;
    browser.shows(".photo.no-boxes", "").await;
    assert_eq!(place(&browser).await, path(0));
    browser.end().await;
}

#[tokio::test]
async fn photographs_of_another_server_are_loaded_if_asked_for_and_their_boxes_stay_without_them() {
    let folder = tempfile::tempdir().unwrap();
    let made = write_samples(&folder.path().join("made"), SAMPLE_SEED, 1).unwrap();
    let jpeg = fs::read(&made[0]).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let photographs = format!("http://{}", listener.local_addr().unwrap());
    let photograph = get(async move || ([("content-type", "image/jpeg")], jpeg));
    let app = Router::new().route("/there.jpg", photograph);
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(axum::serve(listener, app).into_future());
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let client = server.client();
    register(&client, "moths").await;
    let urls = [
        format!("{photographs}/there.jpg"),
        format!("{photographs}/gone.jpg"),
        format!("{}/logout", server.url()),
        format!("{photographs}/{}.jpg", "long".repeat(500)),
    ];
    let captures: Vec<Value> = urls.iter().map(|url| json!({ "url": url })).collect();
    let job =
        json!({"name": "web", "delay": 0, "project_id": 1, "pipeline_slug": "moths", "captures": captures});
    let job = client.post("/api/v2/jobs/?start_now", &job).await["id"]
        .as_i64()
        .unwrap();
    let boxes = [
        json!({"x1": 100, "y1": 50, "x2": 300, "y2": 200}),
        json!({"x1": 10, "y1": 10, "x2": 20, "y2": 30}),
    ];
    post_boxes(&client, job, "moths", &[&boxes]).await;
    let images = found(&client, job).await;

    let browser = Browser::start(&server.url()).await.loads_from(&photographs);
    sign_in(&browser).await;
    browser.open(&format!("/jobs/{job}/results")).await;
    browser.shows(".tile .found", "2 detections").await;
    assert!(!browser.has_asked(".jpg"), "nobody asked for photographs");
    let one = async |at: usize| {
        browser
            .open(&format!("/jobs/{job}/results/{}", images[at].0))
            .await
    };
    one(2).await;
    browser
        .shows(".notice:not([hidden])", "Its address is that of this server")
        .await;
    assert!(
        !browser.has_asked("/logout"),
        "a page asked for what its image names"
    );
    one(3).await;
    browser
        .shows("[data-broken]:not([hidden])", "The photograph does not load here")
        .await;
    one(1).await;
    browser
        .shows("[data-broken]:not([hidden])", "The photograph does not load here")
        .await;
    let boxes = "return [...document.querySelectorAll('.box')].filter(b => b.checkVisibility({visibilityProperty: true})).length";
    assert_eq!(browser.run(boxes, json!([])).await, 2);
    one(0).await;
    // Its size is known when it has come.
    browser.shows(".photo.fitted", "").await;
    let view = "return document.querySelector('.boxes').getAttribute('viewBox') ===
        `0 0 ${document.images[0].naturalWidth} ${document.images[0].naturalHeight}`";
    assert_eq!(browser.run(view, json!([])).await, true);
    browser.open(&format!("/jobs/{job}/results?photos=1")).await;
    browser.shows(".tile .photo.fitted", "").await;
    browser.end().await;
}

#[tokio::test]
async fn new_results_are_announced_and_no_tile_moves() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, held) = half_done(&server).await;
    let browser = Browser::start(&server.url()).await;
    sign_in(&browser).await;
    browser.open(&format!("/jobs/{job}/results")).await;
    browser.mark().await;
    let tiles = async || {
        browser
            .run("return document.querySelectorAll('.tile').length", json!([]))
            .await
    };
    assert_eq!(tiles().await, 1);
    let done = trapline_testkit::empty_result(&held, "moths");
    let result = format!("/api/v2/jobs/{job}/result/");
    server.client().post(&result, &json!({ "results": [done] })).await;
    browser
        .shows("[data-had]:not([hidden])", "1 more image is done · show")
        .await;
    assert_eq!(tiles().await, 1);
    assert!(browser.is_marked().await, "the page was read again");
    browser.press("[data-had] a").await;
    until("two tiles", PATIENCE, async || match tiles().await {
        n if n == 2 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    browser.end().await;
}

#[tokio::test]
async fn a_run_that_is_watched_shows_its_photographs_until_it_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    write_samples(&folder.path().join("photos"), SAMPLE_SEED, 2).unwrap();
    let mut running = run(folder.path(), &["--watch"]).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(running.stderr.take().unwrap()));
    let mut lines = lines.map_while(Result::ok);
    let link = lines
        .find_map(|line| line.strip_prefix("Watch it: ").map(str::to_owned))
        .unwrap();
    let (server, path) = link.split_at(link.find("/login").unwrap());
    assert!(lines.any(|line| line.contains("stay open until Ctrl-C")));
    let browser = Browser::start(server).await;
    browser.is_wide(1_280).await;
    browser.open(path).await;
    browser.press("button.primary").await;
    browser.shows("h1", "run: photos").await;
    browser.press("Results").await;
    let loaded = "return [...document.images].filter(i => i.complete && i.naturalWidth > 0).length";
    until("two photographs", PATIENCE, async || {
        let loaded = browser.run(loaded, json!([])).await;
        (loaded == 2).then_some(()).ok_or_else(|| loaded.to_string())
    })
    .await;
    picture(&browser, "run").await;
    browser.press("Overview").await;
    browser.press("Run all again").await;
    browser.press("input[name=consent]").await;
    browser.press("button.primary").await;
    browser.shows(".head .line .quiet", "run 2").await;
    browser.shows("[data-f=word]", "Done").await;
    browser.end().await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = tokio::task::spawn_blocking(move || running.wait()).await.unwrap();
    assert_eq!(ended.unwrap().code(), Some(0), "the exit code is that of the run");
}

#[tokio::test]
async fn a_key_goes_once_to_each_row_of_images() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, _) = half_done(&server).await;
    let browser = Browser::start(&server.url()).await;
    sign_in(&browser).await;
    browser.open(&format!("/jobs/{job}/images?state=waiting")).await;
    browser.shows("tbody tr:nth-child(2) a.quiet", "original").await;
    // The row that has the focus, and whether that is on the link to its page.
    let at = "const here = document.activeElement;
        const rows = [...document.querySelectorAll('tbody tr')];
        return [rows.indexOf(here.closest('tr')), new URL(here.href ?? 'x:').pathname.startsWith('/jobs/')]";
    for (key, row) in [("j", 0), ("j", 1), ("j", 1), ("k", 0)] {
        press_key(&browser, key).await;
        assert_eq!(browser.run(at, json!([])).await, json!([row, true]), "{key}");
    }
    browser.end().await;
}
