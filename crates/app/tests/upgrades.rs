//! A cluster that is upgraded node by node, and the tool that looks at a store without changing it.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

use std::{
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use trapline_testkit::{BARE, Client, Server, empty_result, services::Postgres, until};

const IMAGES: usize = 40;
const BOUND: Duration = Duration::from_secs(60);
/// What a node of the next version does when it starts (docs/adr/0006).
const LATER: &str = "\
    ALTER TABLE tasks ADD COLUMN later TEXT;
    ALTER TABLE jobs ADD COLUMN later BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE detections ADD COLUMN later TEXT;
    CREATE TABLE later_things (id BIGINT PRIMARY KEY);
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    VALUES (9999, 'later', true, '\\x00', 0)";

fn trapline() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_trapline"))
}

fn verify(url: &str) -> Output {
    Command::new(trapline())
        .args(["verify", "--database", url])
        .output()
        .unwrap()
}

async fn run(url: &str, sql: &str) {
    let mut conn = PgConnection::connect(url).await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
}

async fn start_job(client: &Client) -> i64 {
    client.register_pipeline(BARE).await;
    let captures: Vec<Value> = (0..IMAGES)
        .map(|i| json!({ "url": format!("https://captures.test/{i}.jpg") }))
        .collect();
    let job = json!({ "name": "night", "delay": 0, "project_id": 1, "pipeline_slug": "bare", "captures": captures });
    client.post("/api/v2/jobs/?start_now", &job).await["id"]
        .as_i64()
        .unwrap()
}

/// Takes a quarter of the images at one node, and posts their results to another.
async fn work(taken_at: &Client, posted_to: &Client, job: i64) {
    let tasks = until("there are tasks", BOUND, async || {
        let claim = json!({ "pipelines": ["bare"], "batch_size": IMAGES / 4, "wait_seconds": 1 });
        let answer = taken_at.post("/api/v2/tasks/claim/", &claim).await;
        match answer["tasks"].as_array() {
            Some(tasks) if !tasks.is_empty() => Ok(tasks.clone()),
            _ => Err(answer.to_string()),
        }
    })
    .await;
    let results: Vec<Value> = tasks.iter().map(|t| empty_result(t, "bare")).collect();
    let path = format!("/api/v2/jobs/{job}/result/");
    posted_to.post(&path, &json!({ "results": results })).await;
}

#[tokio::test]
async fn while_a_newer_node_has_migrated_older_ones_go_on_start_again_and_land_the_job() {
    let postgres = Postgres::start().await;
    let url = postgres.url("postgres");
    let env = [("DATABASE_URL", url.as_str())];
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut restarted = Server::start(trapline(), folders[0].path(), &env).await;
    let running = Server::start(trapline(), folders[1].path(), &env).await;
    let job = start_job(&running.client()).await;
    work(&restarted.client(), &running.client(), job).await;
    run(&url, LATER).await;
    work(&running.client(), &restarted.client(), job).await;
    restarted.stop().await;
    restarted.restart().await;
    let body = until("the job lands", BOUND, async || {
        let body = running.client().get(&format!("/api/v2/jobs/{job}/")).await;
        if body["counts"]["pending"] == 0 {
            return Ok(body);
        }
        work(&restarted.client(), &running.client(), job).await;
        Err(body["counts"].to_string())
    })
    .await;
    assert_eq!(
        (&body["status"], &body["counts"]["processed"]),
        (&json!("SUCCESS"), &json!(IMAGES))
    );
    let looked = verify(&url);
    let said = String::from_utf8_lossy(&looked.stderr);
    assert_eq!(looked.status.code(), Some(2), "{said}");
    assert!(said.contains("newest node"), "{said}");
}

#[tokio::test]
async fn verify_leaves_an_empty_database_empty_and_says_what_to_do() {
    let postgres = Postgres::start().await;
    let url = postgres.url("postgres");
    let looked = verify(&url);
    let said = String::from_utf8_lossy(&looked.stderr);
    assert_eq!(looked.status.code(), Some(2), "{said}");
    assert!(said.contains("start `trapline serve`"), "{said}");
    let mut conn = PgConnection::connect(&url).await.unwrap();
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(tables, 0);
}
