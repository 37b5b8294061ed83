//! The pages of jobs, and what is done on them.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use trapline_core::catalog::Role;

use super::browser::Browser;
use crate::{
    fleet::{Fleet, failure, success},
    support::ADMIN,
};

/// Every page and action, with what each role gets.
#[tokio::test]
async fn a_viewer_sees_no_action_and_can_post_none() {
    let fleet = Fleet::new().await;
    let running = fleet.job(2).await;
    let new = fleet.create(1, json!({})).await["id"].as_i64().unwrap();
    let other = fleet.app.other_project().await;
    let set = fleet.set("May").await;
    let mut seen = Vec::new();
    for (who, role, project) in [
        ("viewer", Role::Viewer, None),
        ("worker", Role::Worker, None),
        ("operator", Role::Operator, None),
        ("admin", Role::Admin, None),
        ("admin elsewhere", Role::Admin, Some(other)),
    ] {
        let browser = Browser::of(&fleet.app, role, project).await;
        let shown = browser.get(&format!("/jobs/{running}")).await;
        let buttons = shown.html.matches("class=\"button\"").count();
        let mut line = format!(
            "{who}: {} buttons",
            if shown.status.is_success() { buttons } else { 0 }
        );
        for path in [
            "/jobs".to_owned(),
            format!("/jobs/{running}"),
            format!("/jobs/{running}/stop"),
            format!("/jobs/{new}/run"),
            format!("/jobs/{running}/retry-failed"),
            "/jobs/new".to_owned(),
            format!("/jobs/new/{set}"),
            format!("/sets/{set}"),
        ] {
            let name = path
                .replace(&format!("new/{set}"), "new/SET")
                .replace(&format!("sets/{set}"), "sets/SET")
                .replace(&running.to_string(), "RUNNING")
                .replace(&new.to_string(), "NEW");
            line.push_str(&format!(
                ", GET {name} {}",
                browser.get(&path).await.status.as_u16()
            ));
        }
        // What is not possible now changes nothing, so that the next role finds the same.
        let path = format!("/jobs/{running}/retry-failed");
        line.push_str(&format!(
            ", POST {}",
            browser
                .post(&path, "expect.run=9&expect.status=SUCCESS")
                .await
                .status
                .as_u16()
        ));
        for path in ["/jobs/new".to_owned(), format!("/sets/{set}")] {
            line.push_str(&format!(
                " {}",
                browser.send_form(&path, &[]).await.status.as_u16()
            ));
        }
        let page = browser.post(&format!("/jobs/new/{set}"), "").await;
        line.push_str(&format!(" {}", page.status.as_u16()));
        seen.push(line);
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    viewer: 0 buttons, GET /jobs 200, GET /jobs/RUNNING 200, GET /jobs/RUNNING/stop 403, GET /jobs/NEW/run 403, GET /jobs/RUNNING/retry-failed 403, GET /jobs/new 403, GET /jobs/new/SET 403, GET /sets/SET 200, POST 403 403 403 403
    worker: 0 buttons, GET /jobs 200, GET /jobs/RUNNING 200, GET /jobs/RUNNING/stop 403, GET /jobs/NEW/run 403, GET /jobs/RUNNING/retry-failed 403, GET /jobs/new 403, GET /jobs/new/SET 403, GET /sets/SET 200, POST 403 403 403 403
    operator: 1 buttons, GET /jobs 200, GET /jobs/RUNNING 200, GET /jobs/RUNNING/stop 200, GET /jobs/NEW/run 200, GET /jobs/RUNNING/retry-failed 200, GET /jobs/new 200, GET /jobs/new/SET 200, GET /sets/SET 200, POST 409 400 400 400
    admin: 2 buttons, GET /jobs 200, GET /jobs/RUNNING 200, GET /jobs/RUNNING/stop 200, GET /jobs/NEW/run 200, GET /jobs/RUNNING/retry-failed 200, GET /jobs/new 200, GET /jobs/new/SET 200, GET /sets/SET 200, POST 409 400 400 400
    admin elsewhere: 0 buttons, GET /jobs 200, GET /jobs/RUNNING 404, GET /jobs/RUNNING/stop 404, GET /jobs/NEW/run 404, GET /jobs/RUNNING/retry-failed 404, GET /jobs/new 200, GET /jobs/new/SET 404, GET /sets/SET 404, POST 404 400 404 404
    ");
}

#[tokio::test]
async fn a_retry_whose_number_changed_is_asked_again() {
    let fleet = Fleet::new().await;
    let job = fleet.job(4).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let tasks = fleet.tasks(job, 4).await;
    let items: Vec<_> = tasks
        .iter()
        .enumerate()
        .map(|(at, task)| {
            if at == 0 {
                failure(task, "no moth")
            } else {
                success(task)
            }
        })
        .collect();
    fleet.post(job, &items).await;
    fleet.until(job, "/status", "SUCCESS").await;
    browser
        .get(&format!("/jobs/{job}"))
        .await
        .has("Done, 1 failed")
        .has("3 of 4 processed, 1 failed.");
    let path = format!("/jobs/{job}/retry-failed");
    let asked = browser.get(&path).await;
    asked
        .has("Run 1 failed image again?")
        .has("The other 3 images are left as they are.");
    // Somebody else has pressed the same button.
    fleet.act(job, "retry-failed").await;
    let page = browser.post(&path, &asked.form()).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    page.has("run 2 has begun since run 1 was seen")
        .has("not possible now")
        .has("in another state now: ");
}

#[tokio::test]
async fn the_api_refuses_what_is_not_as_expected_and_a_run_of_all_needs_consent() {
    let fleet = Fleet::new().await;
    let job = fleet.job(4).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let answer = fleet
        .admin
        .post(
            &format!("/api/v2/jobs/{job}/cancel/"),
            &json!({"expect": {"run": 9}}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(answer.body["now"]["run"], 1);
    let answer = fleet
        .admin
        .post(
            &format!("/api/v2/jobs/{job}/cancel/"),
            &json!({"expect": {"detections": 1}}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    // Its state may be another by the time that somebody presses, and stopping means the same.
    let other = browser.post(&format!("/jobs/{job}/stop"), "expect.run=9").await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    let asked = browser.get(&format!("/jobs/{job}/stop")).await;
    asked.has_not("expect.status");
    asked.has("About 4 of 4 images are not done and stay undone.");
    let page = browser.post(&format!("/jobs/{job}/stop"), &asked.form()).await;
    let page = browser.get(page.location()).await;
    page.has("The job is stopped.").has("Stopped, 4 not done");
    let log = fleet.show(job).await["logs"]["stdout"].to_string();
    let line = "`Stop` was done on the web interface by user=--admin-token";
    assert!(log.contains(line), "{log}");
    let again = browser.get(&format!("/jobs/{job}/run-again")).await;
    let page = browser
        .post(&format!("/jobs/{job}/run-again"), &again.form())
        .await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "not without consent");
    let page = browser
        .post(
            &format!("/jobs/{job}/run-again"),
            &format!("{}&consent=1", page.form()),
        )
        .await;
    assert_eq!(page.location(), format!("/jobs/{job}?did=run-again"));
}

#[tokio::test]
async fn no_link_says_of_a_job_what_was_not_done() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let shown = async |did: &str| browser.get(&format!("/jobs/{job}?did={did}")).await;
    shown("run").await.has("The job is started.");
    shown("stop").await.has_not("The job is stopped.");
    for again in ["run-again", "retry-failed"] {
        shown(again)
            .await
            .has_not("run again.")
            .has_not("not done is run.");
    }
    let form = browser.get(&format!("/jobs/{job}/stop")).await.form();
    browser.post(&format!("/jobs/{job}/stop"), &form).await;
    shown("stop").await.has("The job is stopped.");
    shown("run").await.has_not("The job is started.");
}

#[tokio::test]
async fn a_hostile_name_stays_text() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    for (name, shown) in [
        (
            "<img src=x onerror=alert(1)>",
            "&#60;img src=x onerror=alert(1)&#62;",
        ),
        ("\"><script>alert(1)</script>", "&#34;&#62;&#60;script&#62;"),
        ("gnp.\u{202e}ecrem", "gnp.⟨U+202E⟩ecrem"),
        (&"Ω".repeat(255), &"Ω".repeat(255)),
    ] {
        let id = fleet.create(1, json!({"name": name})).await["id"]
            .as_i64()
            .unwrap();
        for path in [
            format!("/jobs/{id}"),
            "/jobs".to_owned(),
            format!("/jobs/{id}/run"),
        ] {
            let page = browser.get(&path).await;
            page.has(shown)
                .has_not("<script>")
                .has_not("<img")
                .has_not("\u{202e}");
        }
    }
    let token = json!({"name": "gpu\u{202e}3", "role": "viewer"});
    let token = fleet.admin.post("/api/v2/tokens/", &token).await.body["token"].clone();
    let named = Browser::with(&fleet.app, token.as_str().unwrap()).await;
    named.get("/jobs").await.has("gpu⟨U+202E⟩3").has_not("\u{202e}");
    let page = browser.get("/jobs?q=%3Cb%3E%22&state=").await;
    page.has("value=\"&#60;b&#62;&#34;\"")
        .has("matches the filter")
        .has("Show all jobs");
}

#[tokio::test]
async fn the_list_is_paged_by_key_filtered_and_bookmarkable() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    for at in 0..52 {
        fleet.create(1, json!({"name": format!("night {at}")})).await;
    }
    let first = browser.get("/jobs").await;
    first
        .has("night 51")
        .has("night 2<")
        .has_not("night 1<")
        .has("Older jobs");
    let second = browser.get(&first.next()).await;
    second
        .has("night 1<")
        .has("night 0<")
        .has_not("night 2<")
        .has_not("Older jobs");
    browser
        .get("/jobs?q=night+5")
        .await
        .has("night 50")
        .has("night 5<")
        .has_not("night 49");
    browser
        .get("/jobs?state=new&q=night+51")
        .await
        .has("night 51")
        .has("aria-current=\"true\">Not started");
    browser.get("/jobs?state=running").await.has("matches the filter");
    assert_eq!(
        browser.get("/jobs?state=odd").await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        browser.get("/jobs?project=99").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_running_job_says_where_it_stands_and_why_it_waits() {
    let fleet = Fleet::new().await;
    let job = fleet.job(5).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let tasks = fleet.tasks(job, 2).await;
    fleet.post(job, &[success(&tasks[0])]).await;
    let page = browser.get(&format!("/jobs/{job}")).await;
    page.has("1 of 5 processed, 1 in flight, 3 waiting.");
    page.has("http-equiv=\"refresh\"")
        .has("Why is it not moving?")
        .has("<title>20% ");
    browser
        .get("/jobs")
        .await
        .has("1 of 5 processed, 1 in flight, 3 waiting.")
        .has("data-f=\"settled\">1</span>");
    let page = browser.get(&format!("/jobs/{job}?why")).await;
    let open = "id=\"why\" open>";
    page.has(open).has("Next: ");
    browser.get(&format!("/jobs/{job}")).await.has_not(open);
    fleet.pass(Duration::from_secs(121)).await;
    browser.get(&format!("/jobs/{job}")).await.has(open);
}

#[tokio::test]
async fn chips_are_counted_and_jobs_are_found_by_their_pipeline() {
    let fleet = Fleet::new().await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    fleet.job(1).await;
    for _ in 0..2 {
        fleet.create(1, json!({})).await;
    }
    let page = browser.get("/jobs").await;
    page.has("All <span class=\"numbers\">3</span>")
        .has("Running <span class=\"numbers\">1</span>")
        .has("Not started <span class=\"numbers\">2</span>")
        .has("Failed <span class=\"numbers\">0</span>");
    let found = browser.get("/jobs?pipeline=moths").await;
    assert_eq!(found.html.matches("<tr role=\"row\" data-job").count(), 3);
    found
        .has("<option value=\"moths\" selected>")
        .has_not("id=\"news\"");
    let none = browser.get("/jobs?pipeline=%3Cb%3E").await;
    none.has("matches the filter").has("&#60;b&#62;").has_not("<b>");
}

#[tokio::test]
async fn a_slug_of_odd_characters_is_seen_in_the_list() {
    let fleet = Fleet::new().await;
    let mut odd = crate::support::moths();
    odd["pipelines"][0]["slug"] = json!("moths\u{202e}x");
    let made = fleet.admin.post("/api/v2/projects/1/pipelines/", &odd).await;
    assert!(made.status.is_success(), "{}", made.body);
    fleet.create(1, json!({"pipeline_slug": "moths\u{202e}x"})).await;
    let page = Browser::of(&fleet.app, Role::Viewer, None)
        .await
        .get("/jobs")
        .await;
    page.has("moths⟨U+202E⟩x</bdi>")
        .has_not("<bdi class=\"two\">moths\u{202e}");
}

#[tokio::test]
async fn after_the_clock_was_set_a_job_has_started_when_it_shows() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    fleet.app.set_clock(-2 * 24 * 3_600 * 1_000_000);
    fleet.pass(Duration::from_secs(3)).await;
    let started = fleet.show(job).await["started_at"].as_str().unwrap().to_owned();
    let page = Browser::of(&fleet.app, Role::Viewer, None).await;
    let page = page.get(&format!("/jobs/{job}")).await;
    let fact = page.html.split("<dt>Started</dt>").nth(1).unwrap();
    let shown = fact.split("datetime=\"").nth(1).unwrap();
    assert!(shown.starts_with(&started), "{started}: {shown}");
}
