//! Why images failed, on pages, as a file, and by the API.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline_core::catalog::Role;

use super::browser::Browser;
use crate::{
    fleet::{Fleet, failure, success},
    support::ADMIN,
};

/// A job whose images failed for these reasons, and one more that is processed.
async fn failed(fleet: &Fleet, reasons: &[String]) -> i64 {
    let job = fleet.job(reasons.len() + 1).await;
    let tasks = fleet.tasks(job, reasons.len() + 1).await;
    let mut items: Vec<Value> = reasons
        .iter()
        .zip(&tasks)
        .map(|(why, task)| failure(task, why))
        .collect();
    items.extend(tasks.last().map(success));
    fleet.settle(job, &items).await;
    job
}

#[tokio::test]
async fn failed_images_are_grouped_by_why_and_each_group_is_a_page_and_a_file() {
    let fleet = Fleet::new().await;
    let reasons = [
        "HTTP 404 for https://x.test/a.jpg",
        "HTTP 404 for https://x.test/b.jpg",
        "=cmd|' /C calc'!A0",
    ]
    .map(str::to_owned);
    let job = failed(&fleet, &reasons).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let page = browser.get(&format!("/jobs/{job}/images?state=failed")).await;
    page.has("<span class=\"numbers\">2</span> <bdi>HTTP 404 for …</bdi>")
        .has("<span class=\"numbers\">1</span> <bdi>=cmd|")
        .has("Retry 3 failed images")
        .has("aria-current=\"true\">Failed <span class=\"numbers\" data-n=\"failed\">3<")
        .has("https://x.test/1.jpg")
        .has("One of them")
        .has(&format!(
            "<a href=\"/jobs/{job}/results/1\"><bdi>x.test/1.jpg</bdi></a>"
        ))
        .has_not("of the first");
    let group = page
        .html
        .split("group=")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let narrow = format!("/jobs/{job}/images?state=failed&group={group}");
    browser
        .get(&narrow)
        .await
        .has("x.test/1.jpg")
        .has("x.test/2.jpg")
        .has_not("x.test/3.jpg")
        .has("All reasons");

    let csv = browser.get(&format!("/jobs/{job}/images.csv?state=failed")).await;
    let lines: Vec<&str> = csv.html.lines().collect();
    assert_eq!(lines.len(), 4, "{}", csv.html);
    assert!(lines[3].contains(",failed,worker_error,'=cmd|"), "{}", lines[3]);
    let name = csv.headers["content-disposition"].to_str().unwrap();
    assert_eq!(
        name,
        "attachment; filename=\"June_night-failed.csv\"; filename*=UTF-8''June%20night-failed.csv"
    );
    let urls = browser.get(&narrow.replace("/images?", "/images.txt?")).await;
    assert_eq!(urls.html, "https://x.test/1.jpg\nhttps://x.test/2.jpg\n");

    let answer = fleet
        .admin
        .get(&format!("/api/v2/jobs/{job}/failures/"))
        .await
        .body;
    assert_eq!((&answer["examined"], &answer["more"]), (&json!(3), &json!(false)));
    let first = &answer["results"][0];
    assert_eq!(
        (&first["count"], &first["text"]),
        (&json!(2), &json!("HTTP 404 for …"))
    );
    assert_eq!(first["group"], group);
    assert_eq!(first["workers"][0]["count"], 2);
}

#[tokio::test]
async fn images_of_every_state_have_a_page_and_what_is_no_state_is_refused() {
    let fleet = Fleet::new().await;
    let job = fleet.job(60).await;
    let tasks = fleet.tasks(job, 3).await;
    fleet
        .settle(job, &[success(&tasks[0]), failure(&tasks[1], "no moth")])
        .await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    for (state, word, n, rows) in [
        ("failed", "Failed", ("failed", 1), 1),
        ("processed", "Processed", ("processed", 1), 1),
        ("in_flight", "In flight", ("in-flight", 1), 1),
        ("waiting", "Waiting", ("waiting", 57), 50),
    ] {
        let page = browser.get(&format!("/jobs/{job}/images?state={state}")).await;
        let counted = format!("<span class=\"numbers\" data-n=\"{}\">{}<", n.0, n.1);
        page.has(&format!("aria-current=\"true\">{word} {counted}"))
            .has_not("retry-failed");
        assert_eq!(
            page.html.matches("<th role=\"rowheader\" scope=\"row\">").count(),
            rows,
            "{state}"
        );
    }
    let first = browser.get(&format!("/jobs/{job}/images?state=waiting")).await;
    let second = browser.get(&first.next()).await;
    assert_eq!(
        second
            .html
            .matches("<th role=\"rowheader\" scope=\"row\">")
            .count(),
        7
    );
    second.has_not("Next images");
    for wrong in ["state=odd", "reason=odd", "after=odd"] {
        let page = browser.get(&format!("/jobs/{job}/images?{wrong}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let other = fleet.app.other_project().await;
    let stranger = Browser::of(&fleet.app, Role::Admin, Some(other)).await;
    for path in [
        "images",
        "images.csv",
        "images.txt",
        "log",
        "log.txt",
        "detections.csv",
        "all-images.csv",
    ] {
        let page = stranger.get(&format!("/jobs/{job}/{path}")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_of_how_many_failed_images_it_speaks() {
    let fleet = Fleet::new().await;
    let job = fleet.job(5_010).await;
    for _ in 0..6 {
        let tasks = fleet.tasks(job, 1_000).await;
        let items: Vec<Value> = tasks.iter().map(|task| failure(task, "no moth")).collect();
        if !items.is_empty() {
            fleet.settle(job, &items).await;
        }
    }
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let pages = [format!("/jobs/{job}/images?state=failed"), format!("/jobs/{job}")];
    for page in &pages {
        let page = browser.get(page).await;
        page.has("<span class=\"numbers\">5,010</span> <bdi>no moth</bdi>")
            .has("of the first 500, by ")
            .has_not("failed images</span>");
    }
    let answer = async || {
        fleet
            .admin
            .get(&format!("/api/v2/jobs/{job}/failures/"))
            .await
            .body
    };
    let counted = answer().await;
    assert_eq!(
        (
            &counted["whole"],
            &counted["results"][0]["count"],
            &counted["examined"],
            &counted["more"]
        ),
        (&json!(true), &json!(5_010), &json!(500), &json!(true))
    );
    // As a run that is older than the groups.
    let mut store = fleet.app.hold_writes().await;
    let forget = sqlx::raw_sql("DELETE FROM job_failures; COMMIT");
    forget.execute(&mut store).await.unwrap();
    let [images, head] = &pages;
    let page = browser.get(images).await;
    page.has("of the first 5,000 of 5,010 failed images")
        .has("<span class=\"numbers\">5,000</span>");
    let page = browser.get(head).await;
    page.has("of the first 500 of 5,010 failed images")
        .has("<span class=\"numbers\">500</span> <bdi>no moth</bdi>");
    let page = browser
        .get(&format!("/jobs/{job}/images?state=failed&reason=lost"))
        .await;
    page.has("No image here.").has_not("Next images");
    let page = browser
        .get(&format!("/jobs/{job}/images?state=failed&group=00000000"))
        .await;
    page.has("None of these so far.")
        .has("5,000 images looked at, 0 found.")
        .has("data-more>Go on<");
    let looked_at = answer().await;
    assert_eq!(
        (&looked_at["whole"], &looked_at["examined"], &looked_at["more"]),
        (&json!(false), &json!(5_000), &json!(true))
    );
}

#[tokio::test]
async fn what_is_in_no_group_of_its_own_is_one_more_group() {
    let fleet = Fleet::new().await;
    let job = fleet.job(610).await;
    let tasks = fleet.tasks(job, 610).await;
    // The groups that are told apart have more images than are looked at for their workers.
    let letter = |at: usize| char::from(b"klmnopqrst"[at]);
    let why = |n: usize| format!("no {}{}", letter(n / 10 % 10), letter(n % 10));
    let known: Vec<Value> = (0..600).map(|n| failure(&tasks[n], &why(n))).collect();
    fleet.settle(job, &known).await;
    let dark = |n: usize| format!("too dark {}", letter(n % 10));
    // They are fewer than in each group.
    let others: Vec<Value> = (600..605).map(|n| failure(&tasks[n], &dark(n))).collect();
    fleet.settle(job, &others).await;
    let answer = fleet
        .admin
        .get(&format!("/api/v2/jobs/{job}/failures/"))
        .await
        .body;
    let groups = answer["results"].as_array().unwrap();
    assert_eq!((groups.len(), &answer["more"]), (101, &json!(true)));
    let rest = groups.iter().find(|group| group["text"] == "").unwrap();
    assert_eq!(rest["count"], 5);
    let group = rest["group"].as_str().unwrap();
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let all = browser.get(&format!("/jobs/{job}/images?state=failed")).await;
    all.has(&format!("/jobs/{job}/images?state=failed&#38;group={group}"));
    let path = |end: &str| format!("/jobs/{job}/images{end}?state=failed&group={group}");
    let page = browser.get(&path("")).await;
    page.has("too dark k")
        .has("too dark o")
        .has_not("<bdi class=\"lines\">no ");
    let csv = browser.get(&path(".csv")).await;
    assert_eq!(csv.html.lines().count(), 6, "{}", csv.html);
    let found = fleet
        .admin
        .get(&format!("/api/v2/jobs/{job}/images/?group={group}"))
        .await;
    assert_eq!(
        found.body["results"].as_array().unwrap().len(),
        5,
        "{}",
        found.body
    );
}

#[tokio::test]
async fn a_hostile_reason_stays_text() {
    let fleet = Fleet::new().await;
    let long = format!("{}\u{202e}end", "x ".repeat(4_000));
    let reasons = ["<img src=x onerror=alert(1)>".to_owned(), long];
    let job = failed(&fleet, &reasons).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    for path in ["images?state=failed", "log"] {
        let page = browser.get(&format!("/jobs/{job}/{path}")).await;
        page.has("&#60;img src=x onerror=alert(1)&#62;")
            .has_not("<img")
            .has_not("\u{202e}");
        page.has("⟨U+202E⟩end").has("characters</summary>");
    }
}

#[tokio::test]
async fn a_log_is_read_page_by_page_from_its_end_and_by_level() {
    let fleet = Fleet::new().await;
    let reasons: Vec<String> = (0..250).map(|n| format!("no moth {n}")).collect();
    let job = failed(&fleet, &reasons).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let path = format!("/jobs/{job}/log");
    let page = browser.get(&path).await;
    assert_eq!(page.html.matches("<li id=\"l").count(), 200);
    let older = page
        .html
        .split("rel=\"prev\"")
        .next()
        .unwrap()
        .rsplit("href=\"")
        .next()
        .unwrap();
    let older = browser.get(older.split('"').next().unwrap()).await;
    older.has("no moth 0<").has("Newest lines").has_not("Older lines");
    let bad = browser.get(&format!("{path}?level=error")).await;
    bad.has("no moth 249")
        .has_not(">INFO<")
        .has("aria-current=\"true\">Errors<");
    let last = page
        .html
        .rsplit("<li id=\"l")
        .next()
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let part = browser.get(&format!("{path}?part=lines&after={last}")).await;
    assert_eq!(part.html.trim(), "");
    let all = browser.get(&format!("{path}.txt")).await;
    all.has("no moth 0\n").has("no moth 249\n");
    for wrong in ["level=odd", "before=odd", "part=odd"] {
        let page = browser.get(&format!("{path}?{wrong}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn why_says_what_helps_and_leads_there() {
    let fleet = Fleet::new().await;
    let job = fleet.job(5).await;
    let tasks = fleet.tasks(job, 2).await;
    fleet.settle(job, &[failure(&tasks[0], "no moth")]).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    browser.get("/jobs").await.has(&format!("/jobs/{job}?why#why"));
    let why = browser.get(&format!("/jobs/{job}?part=why")).await;
    why.has("Why 1 image failed")
        .has("1 image at workers; the oldest was handed out ")
        .has_not("<html");
    why.has(&format!("class=\"button\" href=\"/jobs/{job}/stop\""));
    let viewer = Browser::of(&fleet.app, Role::Viewer, None).await;
    viewer
        .get(&format!("/jobs/{job}?part=why"))
        .await
        .has_not("/stop");
    fleet.pass(Duration::from_secs(601)).await;
    let why = browser.get(&format!("/jobs/{job}?part=why")).await;
    why.has("What helps: a worker for it")
        .has("trapline worker --pipeline moths");
    let wrong = browser.get(&format!("/jobs/{job}?part=odd")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_job_shows_how_fast_it_is_and_what_it_settled_over_time() {
    let fleet = Fleet::new().await;
    let job = fleet.job(6).await;
    let tasks = fleet.tasks(job, 4).await;
    let mut items: Vec<Value> = tasks[..3].iter().map(success).collect();
    items.push(failure(&tasks[3], "no moth"));
    fleet.settle(job, &items).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let page = browser.get(&format!("/jobs/{job}")).await;
    page.has("Settled over time")
        .has("At most 4 images in one minute")
        .has("/min<");
    page.has(
        "data-label=\"Processed\">3</td><td role=\"cell\" class=\"number\" data-label=\"Failed\">1</td>",
    );
    page.has("About 1 min left.");

    // Written, it is seen at every node; and once.
    fleet.app.state.engine.write_minutes().await.unwrap();
    let other = fleet.app.second_node().await;
    for client in [&fleet.admin, &other.client_of(&fleet.admin)] {
        let body = client
            .get(&format!("/api/v2/jobs/{job}/timeline/?window=1h"))
            .await
            .body;
        assert_eq!(body["step"], 1);
        let points = body["points"].as_array().unwrap();
        assert_eq!((points.len(), &points[59]), (60, &json!([59, 3, 1])), "{body}");
    }
    let part = browser.get(&format!("/jobs/{job}?part=chart&window=6h")).await;
    part.has("aria-current=\"true\">6h<")
        .has("<rect ")
        .has_not("<html");
    let wrong = browser.get(&format!("/jobs/{job}?window=odd")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);

    fleet.pass(Duration::from_secs(121)).await;
    let page = browser.get(&format!("/jobs/{job}")).await;
    page.has("Settled over time").has_not("/min<").has_not(" left.");
}
