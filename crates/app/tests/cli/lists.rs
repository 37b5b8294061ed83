//! What is printed of lists, and how pages are followed.

use serde_json::{Value, json};

use super::support::{Seen, Server, answer, ended, not_found, text};

fn job(id: i64, name: &str) -> Value {
    json!({"id": id, "name": name, "status": "STARTED", "pipeline": {"slug": "light-sheet"}, "created_at": "2020-01-01T00:00:00Z",
        "counts": {"total": 2000, "processed": 1030, "failed": 1}})
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_a_table_and_filters_are_passed_on() {
    let rows = [job(1, "short"), job(20, "a longer name\u{1b}[2J")];
    let server =
        Server::start(move |_| answer(200, &json!({"count": 2, "next": null, "results": rows}))).await;
    let ran = server
        .run(&[
            "job",
            "list",
            "--project",
            "2",
            "--status",
            "started,RETRY",
            "--pipeline",
            "a,b",
            "--limit",
            "5",
        ])
        .await
        .exits(0);
    let (table, ages): (Vec<&str>, Vec<&str>) = ran.out.lines().map(|l| l.split_at(67)).unzip();
    assert_eq!(
        table,
        [
            "ID  NAME               STATUS   PIPELINE          IMAGES  FAILED  C",
            "1   short              STARTED  light-sheet  1,031/2,000       1  2",
            "20  a longer name [2J  STARTED  light-sheet  1,031/2,000       1  2",
        ]
    );
    assert!(ages[0] == "REATED" && ages[1].ends_with(" days ago"), "{ages:?}");
    let line = &server.lines()[0];
    for part in [
        "project_id=2",
        "status=STARTED%2CRETRY",
        "pipeline__slug__in=a%2Cb",
        "limit=5",
    ] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(
        server.run(&["job", "list", "--json"]).await.exits(0).json()[1]["id"],
        20
    );
}

/// Three pages of two images; as behind a proxy, the host of `next` is one that the client can't reach.
fn images(seen: &Seen) -> axum::response::Response {
    let after: i64 = seen
        .line
        .split("after=")
        .nth(1)
        .map_or(0, |t| t.split('&').next().unwrap().parse().unwrap());
    let image = |id: i64| {
        json!({"image_id": id.to_string(), "url": format!("http://h/{id}"), "state": "failed",
        "reason": "lost", "detail": null, "attempts": 2, "worker": "w", "settled_at": null, "detections": 0})
    };
    let next = (after < 4).then(|| {
        format!(
            "http://inside.invalid/api/v2/jobs/1/images/?state=failed&after={}",
            after + 2
        )
    });
    answer(
        200,
        &json!({"results": [image(after + 1), image(after + 2)], "next": next}),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_followed_page_by_page() {
    let server = Server::start(images).await;
    let ran = server
        .run(&["job", "images", "1", "--state", "failed", "--all", "--json"])
        .await
        .exits(0);
    let ids: Vec<_> = ran.ndjson().into_iter().map(|i| i["image_id"].clone()).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6"]);
    assert!(
        server
            .lines()
            .iter()
            .all(|l| l.contains("state=failed") && l.contains("limit=1000"))
    );

    let ran = server.run(&["job", "images", "1", "--limit", "3"]).await.exits(0);
    assert_eq!(
        ran.out,
        "IMAGE  STATE   TRIES  DETECTIONS  WORKER  URL\n\
         1      failed      2              w       http://h/1\n      lost\n\
         2      failed      2              w       http://h/2\n      lost\n\
         3      failed      2              w       http://h/3\n      lost\n"
    );
    assert!(ran.err.contains("--all"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_seen_enough_ends_the_command_quietly() {
    let image = json!({"image_id": "1", "url": "http://h/1", "state": "pending"});
    let page = json!({"results": vec![image; 1_000], "next": null});
    let server = Server::start(move |_| answer(200, &page)).await;
    let mut child = server.spawn(&["job", "images", "1", "--all"]);
    drop(child.stdout.take());
    let ran = ended(child).await.exits(0);
    assert_eq!(ran.err, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_token_is_alone_on_stdout() {
    let server = Server::start(|seen| match seen.line.as_str() {
        "POST tokens" => answer(
            201,
            &json!({"id": 3, "name": "gpu", "role": "worker", "project_id": 2, "token": "s3cret"}),
        ),
        "DELETE tokens/3" => text(204, ""),
        line if line.starts_with("GET tokens") => answer(
            200,
            &json!({"results": [{"id": 3, "name": "gpu", "prefix": "s3cre"}], "next": null}),
        ),
        _ => not_found(),
    })
    .await;
    let create = [
        "token",
        "create",
        "--name",
        "gpu",
        "--role",
        "worker",
        "--project",
        "2",
        "--expires-at",
        "2030-01-01T00:00:00",
    ];
    let ran = server.run(&create).await.exits(0);
    assert_eq!(ran.out, "s3cret\n");
    assert!(!ran.err.contains("s3cret") && ran.err.contains("gpu"), "{ran:?}");
    let sent = server.seen()[0].json();
    assert_eq!(
        sent,
        json!({"name": "gpu", "role": "worker", "project_id": 2, "expires_at": "2030-01-01T00:00:00.000000Z"})
    );
    assert_eq!(
        server.run(&["token", "list", "--json"]).await.exits(0).json()[0]["prefix"],
        "s3cre"
    );
    assert_eq!(
        server.run(&["token", "list"]).await.exits(0).out.lines().count(),
        2
    );
    server.run(&["token", "revoke", "3"]).await.exits(0);
    server.run(&["token", "revoke", "4"]).await.exits(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_prints_its_report_as_json() {
    let server = Server::start(|_| {
        answer(
            200,
            &json!({"lost_images": {"checked": 1, "fixed": 0, "unfixable": 0}}),
        )
    })
    .await;
    assert_eq!(
        server.run(&["health-check", "--dry-run"]).await.exits(0).json()["lost_images"]["checked"],
        1
    );
    server.run(&["health-check"]).await.exits(0);
    assert_eq!(
        server.lines(),
        ["POST health/check?dry_run=1", "POST health/check"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_deleted_only_if_it_is_meant() {
    let server = Server::start(|seen| match seen.line.as_str() {
        "DELETE jobs/7" => answer(204, &json!(null)),
        _ => answer(200, &job(7, "June")),
    })
    .await;
    let ran = server.run(&["job", "delete", "7"]).await.exits(1);
    assert!(ran.err.contains("job 7 `June`, "), "{ran:?}");
    assert!(
        ran.err.contains("would be deleted for good; add --yes"),
        "{ran:?}"
    );
    let ran = server.run(&["job", "delete", "7", "--yes"]).await.exits(0);
    assert!(ran.err.contains("deleted: job 7 `June`"), "{ran:?}");
    assert_eq!(
        server
            .lines()
            .iter()
            .filter(|line| line.starts_with("DELETE"))
            .count(),
        1
    );
}
