//! A job that is deleted on its page.

use axum::http::StatusCode;
use trapline_core::catalog::Role;

use super::browser::Browser;
use crate::{
    fleet::{Fleet, moths_of},
    support::ADMIN,
};

#[tokio::test]
async fn a_job_is_deleted_once_its_name_is_typed() {
    let fleet = Fleet::new().await;
    let job = fleet
        .job_with(2, serde_json::json!({"name": "June  night\u{202e}"}))
        .await;
    let tasks = fleet.tasks(job, 2).await;
    fleet.post(job, &[moths_of(&tasks[0], &[0.9, 0.8])]).await;
    let operator = Browser::of(&fleet.app, Role::Operator, None).await;
    let path = format!("/jobs/{job}/delete");
    operator.get(&format!("/jobs/{job}")).await.has_not(&path);
    assert_eq!(operator.get(&path).await.status, StatusCode::FORBIDDEN);

    let browser = Browser::with(&fleet.app, ADMIN).await;
    browser.get(&format!("/jobs/{job}")).await.has(&path);
    let asked = browser.get(&path).await;
    asked
        .has("Delete the job, 2 image records and 2 detections?")
        .has("It is stopped first.")
        .has("Photographs are not touched.");
    let page = browser.post(&path, &format!("{}&name=July", asked.form())).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    page.has("That is not the name of the job.")
        .has("value=\"July\"")
        .has("aria-invalid=\"true\"");
    // Nobody can type what is not seen, or two spaces that a page shows as one.
    let named = "name=June+night%E2%9F%A8U%2B202E%E2%9F%A9";
    let page = browser.post(&path, &format!("expect.run=9&{named}")).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    page.has("run 1 has begun since run 9 was seen");
    let page = browser.post(&path, &format!("{}&{named}", asked.form())).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/jobs"));
    for path in [path, format!("/jobs/{job}")] {
        assert_eq!(browser.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}
