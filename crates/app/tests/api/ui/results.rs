//! The pages of what was found, without JavaScript, and the photographs of this disk.

use std::{fs, os::unix::fs::symlink, time::Duration};

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};
use trapline_core::{
    CaptureId, ProjectId,
    catalog::{Capture, CaptureFacts, CaptureScope, FileVersion, Learnt, Role},
    ports::Catalog,
};

use super::browser::Browser;
use crate::{
    fleet::{Fleet, failure, moths_of, nothing, success},
    support::ADMIN,
};

/// A running job of five images: three moths, one, none, a failure, and one that is at a worker.
async fn some_results(fleet: &Fleet) -> (i64, Vec<Value>) {
    let job = fleet.job(5).await;
    let tasks = fleet.tasks(job, 5).await;
    let items = [
        moths_of(&tasks[0], &[0.9, 0.4, 0.2]),
        moths_of(&tasks[1], &[0.5]),
        nothing(&tasks[2]),
        failure(&tasks[3], "no picture"),
    ];
    fleet.settle(job, &items).await;
    (job, tasks)
}

#[tokio::test]
async fn results_are_filtered_by_label_score_and_number_and_every_page_reads_without_javascript() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let empty = fleet.job(1).await;
    let page = browser.get(&format!("/jobs/{empty}/results")).await;
    page.has("No image is processed yet.");
    let (job, tasks) = some_results(&fleet).await;
    let grid = format!("/jobs/{job}/results");
    let id = |at: usize| tasks[at]["id"].as_str().unwrap().to_owned();
    let tiles = async |query: &str| {
        let page = browser.get(&format!("{grid}?{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        let tiles = page.html.split("class=\"tile\" id=\"i").skip(1);
        let tiles: Vec<String> = tiles.map(|t| t.split('"').next().unwrap().to_owned()).collect();
        tiles
    };
    assert_eq!(tiles("").await, [id(0), id(1), id(2)]);
    assert_eq!(tiles("n=0").await, [id(2)]);
    assert_eq!(tiles("n=1%2B").await, [id(0), id(1)]);
    assert_eq!(tiles("label=moth&min=0.6").await, [id(0)]);
    assert_eq!(tiles("label=nonmoth").await, Vec::<String>::new());
    assert_eq!(tiles(&format!("after={}", id(0))).await, [id(1), id(2)]);
    let page = browser.get(&grid).await;
    page.has("Images, CSV, 5 rows")
        .has("3 detections")
        .has("nothing found")
        .has("data-had=\"3\"")
        .has_not("<img");
    browser
        .get(&format!("{grid}?label=moth&min=0.3"))
        .await
        .has("2 of 3 detections")
        .has("Images, CSV, 2 rows")
        .has("Detections, NDJSON, 3 lines")
        .has(&format!(
            "href=\"{grid}?label=moth\" aria-current=\"true\">Score ≥ 0.3 ×</a>"
        ));
    browser
        .get(&format!("{grid}?label=x"))
        .await
        .has("No image matches the filter.");
    for wrong in ["min=2", "min=x", "n=3", "after=x"] {
        let page = browser.get(&format!("{grid}?{wrong}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn a_rare_label_is_found_by_its_index_and_what_a_filter_takes_is_a_file() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let job = fleet.job(5_100).await;
    let tasks = fleet.tasks(job, 1_000).await;
    let mut items: Vec<Value> = tasks.iter().map(nothing).collect();
    items[700] = moths_of(&tasks[700], &[0.9, 0.4]);
    items[900] = moths_of(&tasks[900], &[0.5]);
    fleet.settle(job, &items).await;
    // The others fail, so that a page would look at 5,000 images and more.
    loop {
        let rest = fleet.tasks(job, 1_000).await;
        if rest.is_empty() {
            break;
        }
        let failed: Vec<Value> = rest.iter().map(|task| failure(task, "no picture")).collect();
        fleet.settle(job, &failed).await;
    }
    let grid = format!("/jobs/{job}/results");
    browser.get(&format!("{grid}?label=moth")).await.has("data-more");
    fleet.app.state.engine.summarise_once().await.unwrap();
    let page = browser.get(&format!("{grid}?label=moth")).await;
    page.has_not("data-more")
        .has(&format!("/jobs/{job}/found-detections.csv?label=moth"));
    assert_eq!(page.html.matches("class=\"tile\"").count(), 2);
    let none = browser.get(&format!("{grid}?label=none")).await;
    none.has("No image matches the filter.").has_not("data-more");
    let third = tasks[900]["id"].as_str().unwrap();
    let back = browser.get(&format!("{grid}/{third}/previous?label=moth")).await;
    assert!(
        back.location().contains(tasks[700]["id"].as_str().unwrap()),
        "{}",
        back.location()
    );

    let csv = async |path: &str| -> Vec<String> {
        let file = browser.get(&format!("/jobs/{job}/{path}")).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        file.html.lines().map(str::to_owned).collect()
    };
    let detections = csv("found-detections.csv?label=moth&min=0.45").await;
    assert_eq!(detections.len(), 3, "{detections:?}");
    assert!(detections[1].contains(",moth,0.9,") && detections[2].contains(",moth,0.5,"));
    let lines = csv("found-detections.ndjson?label=moth&min=0.45").await;
    let scores: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["score"].clone())
        .collect();
    assert_eq!(json!(scores), json!([0.9, 0.5]), "{lines:?}");
    let images = csv("found-images.csv?label=moth").await;
    assert_eq!(images.len(), 3);
    assert!(images[1].contains(",processed,"), "{images:?}");
    assert_eq!(csv("found-images.csv?n=0").await.len(), 999);
}

#[tokio::test]
async fn an_image_has_its_detections_and_leads_to_the_next_of_the_filter() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let (job, tasks) = some_results(&fleet).await;
    let grid = format!("/jobs/{job}/results");
    let id = |at: usize| tasks[at]["id"].as_str().unwrap().to_owned();
    let page = browser.get(&format!("{grid}/{}?min=0.3", id(0))).await;
    page.has("2 of 3 detections at 0.30 or above")
        .has("<input type=\"range\"")
        .has("<bdi class=\"label\">moth</bdi> <span class=\"numbers\">0.90</span>")
        .has("class=\"box c");
    browser
        .get(&format!("{grid}/{}?top=1", id(0)))
        .await
        .has("<li><bdi>nonmoth</bdi> <span class=\"numbers\">0.00</span></li>");
    browser
        .get(&format!("{grid}/{}", id(2)))
        .await
        .has("Nothing was found");
    browser
        .get(&format!("{grid}/{}", id(3)))
        .await
        .has("This image failed")
        .has("no picture");
    let leads = async |from: usize, way: &str| {
        browser
            .get(&format!("{grid}/{}/{way}", id(from)))
            .await
            .location()
            .to_owned()
    };
    assert_eq!(
        leads(0, "next?min=0.3").await,
        format!("{grid}/{}?min=0.3", id(1))
    );
    assert_eq!(
        leads(1, "next?min=0.3").await,
        format!("{grid}/{}?min=0.3&end=next", id(1))
    );
    assert_eq!(
        leads(2, "previous?n=1%2B").await,
        format!("{grid}/{}?n=1%2B", id(1))
    );
    assert_eq!(
        leads(0, "previous").await,
        format!("{grid}/{}?end=previous", id(0))
    );
    let shown = async |at: usize, end: &str| browser.get(&format!("{grid}/{}?end={end}", id(at))).await;
    shown(0, "previous").await.has("This is the first image");
    shown(1, "previous").await.has_not("This is the first image");
    shown(0, "next").await.has_not("This is the last image");
    shown(1, "next&min=0.3").await.has("This is the last image");
}

#[tokio::test]
async fn an_image_says_how_long_its_answer_took() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let tasks = fleet.tasks(job, 2).await;
    fleet.pass(Duration::from_secs(42)).await;
    fleet.settle(job, &[success(&tasks[0])]).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let image = |at: usize| format!("/jobs/{job}/results/{}", tasks[at]["id"].as_str().unwrap());
    browser
        .get(&image(0))
        .await
        .has("<dt>Took</dt><dd><bdi>42 s from hand-out to answer</bdi>");
    browser.get(&image(1)).await.has_not("<dt>Took</dt>");
}

#[tokio::test]
async fn results_are_those_of_a_job_that_one_sees_and_of_its_images() {
    let fleet = Fleet::new().await;
    let (job, other_job) = (fleet.job(1).await, fleet.job(2).await);
    let task = &fleet.tasks(job, 1).await[0];
    fleet.settle(job, &[success(task)]).await;
    let image = task["id"].as_str().unwrap();
    let viewer = Browser::of(&fleet.app, Role::Viewer, None).await;
    let elsewhere = fleet.app.other_project().await;
    let stranger = Browser::of(&fleet.app, Role::Admin, Some(elsewhere)).await;
    for path in [
        format!("/jobs/{job}/results"),
        format!("/jobs/{job}/results/{image}"),
        format!("/jobs/{job}/results/{image}/next"),
    ] {
        let status = viewer.get(&path).await.status;
        assert!(status.is_success() || status.is_redirection(), "{path}");
        assert_eq!(stranger.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in [
        format!("/jobs/{other_job}/results/{image}0"),
        format!("/jobs/{job}/results/99999"),
        format!("/jobs/{job}/results/odd"),
        format!("/jobs/{job}/results/odd/next"),
        "/jobs/99999/results".to_owned(),
        // This server shows no files.
        format!("/captures/{image}/image"),
        "/captures/99999/image".to_owned(),
    ] {
        assert_eq!(viewer.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_search_that_finds_little_says_where_it_stopped_and_goes_on() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let job = fleet.job(5_100).await;
    let path = format!("/jobs/{job}/results");
    let page = browser.get(&path).await;
    page.has("5,000 images looked at, 0 found.").has("Go on");
    browser
        .get(&page.next())
        .await
        .has("There are no more.")
        .has_not("Go on");
}

/// Captures with these URLs. `serve` takes no URL of a file; `run` stores them.
async fn stored(fleet: &Fleet, urls: &[String]) -> Vec<CaptureId> {
    let store = &fleet.app.store;
    fleet.create(urls.len(), json!({})).await;
    let scope = CaptureScope::Project(ProjectId(1));
    let captures = store.captures(scope, CaptureId(0), 50).await.unwrap();
    let learnt = |(capture, url): (&Capture, &String)| Learnt {
        capture: capture.id,
        url: Some(url.clone()),
        facts: CaptureFacts::default(),
    };
    let learnt: Vec<_> = captures.iter().zip(urls).map(learnt).collect();
    store.describe_captures(&learnt).await.unwrap();
    captures.iter().map(|capture| capture.id).collect()
}

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a photograph";

#[tokio::test]
async fn a_photograph_of_this_disk_is_sent_to_whoever_sees_its_project() {
    let mut fleet = Fleet::new().await;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::write(root.join("a b.jpg"), JPEG).unwrap();
    fleet.app.show_files(&root);
    let made = stored(&fleet, &[format!("file://{}/a%20b.jpg", root.display())]).await;
    let path = format!("/captures/{}/image", made[0]);
    let viewer = Browser::of(&fleet.app, Role::Viewer, Some(ProjectId(1))).await;
    let (headers, anybody) = ([("cookie", viewer.cookie.as_str())], fleet.app.anon());
    let (parts, body) = anybody
        .exchange(Method::GET, &path, None, Body::empty(), &headers)
        .await;
    assert_eq!((parts.status, &body[..]), (StatusCode::OK, JPEG));
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cache-control", "private, max-age=600"),
    ] {
        assert_eq!(parts.headers[name], value);
    }
    let elsewhere = fleet.app.other_project().await;
    let stranger = Browser::of(&fleet.app, Role::Admin, Some(elsewhere)).await;
    assert_eq!(stranger.get(&path).await.status, StatusCode::NOT_FOUND);
    let nobody = Browser::new(&fleet.app).get(&path).await;
    assert_eq!(nobody.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn nothing_but_a_photograph_below_the_folder_is_sent() {
    let mut fleet = Fleet::new().await;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let (photos, secret) = (root.join("photos"), root.join("secret.jpg"));
    fs::create_dir(&photos).unwrap();
    let page = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    fs::write(photos.join("page.jpg"), page).unwrap();
    fs::write(&secret, JPEG).unwrap();
    symlink(&secret, photos.join("link.jpg")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(photos.join("pipe.jpg"))
        .status();
    assert!(made.unwrap().success());
    fleet.app.show_files(&photos);
    let hidden = (StatusCode::NOT_FOUND, "There is nothing here.");
    let odd = (StatusCode::UNPROCESSABLE_ENTITY, "not a regular file");
    let no_picture = "no photograph that a browser shows";
    let files = [
        ("page.jpg", (StatusCode::UNSUPPORTED_MEDIA_TYPE, no_picture)),
        ("link.jpg", hidden),
        ("../secret.jpg", hidden),
        ("%2e%2e%2fsecret.jpg", hidden),
        ("pipe.jpg", odd),
        ("gone.jpg", (StatusCode::GONE, "file not found")),
        ("", odd),
    ];
    let urls = files.map(|(name, _)| format!("file://{}/{name}", photos.display()));
    let made = stored(&fleet, &urls).await;
    let viewer = Browser::of(&fleet.app, Role::Viewer, None).await;
    for ((name, (status, words)), id) in files.into_iter().zip(made) {
        let page = viewer.get(&format!("/captures/{id}/image")).await;
        assert_eq!(page.status, status, "{name}: {}", page.html);
        page.has(words);
    }
}

#[tokio::test]
async fn a_file_that_holds_another_photograph_now_is_not_shown() {
    let mut fleet = Fleet::new().await;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::write(root.join("1.jpg"), JPEG).unwrap();
    fleet.app.show_files(&root);
    let made = stored(&fleet, &[format!("file://{}/1.jpg", root.display())]).await;
    let viewer = Browser::of(&fleet.app, Role::Viewer, None).await;
    let file = FileVersion {
        size: 1,
        modified: trapline_core::Timestamp(0),
        digest: Some("0".repeat(64)),
    };
    let facts = CaptureFacts {
        file: Some(file),
        ..CaptureFacts::default()
    };
    fleet
        .app
        .store
        .describe_captures(&[Learnt {
            capture: made[0],
            url: None,
            facts,
        }])
        .await
        .unwrap();
    let page = viewer.get(&format!("/captures/{}/image", made[0])).await;
    assert_eq!(page.status, StatusCode::GONE);
    page.has("the file holds another photograph now");
}

#[tokio::test]
async fn an_image_that_went_without_a_result_says_who_had_it() {
    let fleet = Fleet::short_lease().await;
    let job = fleet.job(1).await;
    let image = fleet.tasks(job, 1).await.remove(0)["id"].clone();
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let path = format!("/jobs/{job}/results/{}", image.as_str().unwrap());
    browser.get(&path).await.has_not("No result from");
    fleet.pass(Duration::from_secs(62)).await;
    fleet.tasks(job, 1).await;
    browser
        .get(&path)
        .await
        .has("<dd><bdi>2 times</bdi></dd>")
        .has("<dt>No result from</dt>");
}
