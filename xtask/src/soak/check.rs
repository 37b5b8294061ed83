//! What must be true of the database at the end, in SQL of its own beside what `trapline_drill::check` looks at.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use trapline_drill::{DETECTIONS, check};
use trapline_testkit::{Client, services::Postgres};

/// Tasks, processed ones, strikes, detections, different ones; on either database.
const ROWS: &str = "SELECT count(*), count(*) FILTER (WHERE state = 'processed'), CAST(sum(strikes) AS bigint), \
     (SELECT count(*) FROM detections WHERE job_id = $1), \
     (SELECT count(*) FROM (SELECT DISTINCT capture_id, x1, y1, x2, y2 FROM detections WHERE job_id = $1) AS d) \
     FROM tasks WHERE job_id = $1";

/// What the server says of a job that it has processed whole: its counts as it landed, images, exported rows.
pub(super) async fn answers(client: &Client, landed: &Value, images: u64) -> Result<()> {
    check::landed(landed, "SUCCESS", images, 0)?;
    let path = format!("/api/v2/jobs/{}", landed["id"]);
    let rows = client.rows(&format!("{path}/images/?limit=1000")).await;
    check::images(&rows, images)?;
    let exported = client.text(&format!("{path}/results/?format=ndjson")).await;
    check::export(&exported, images)
}

/// The rows themselves; returns how many strikes there were.
pub(super) async fn sqlite(path: &Path, job: i64, images: u64) -> Result<i64> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut conn = SqliteConnection::connect_with(&options).await?;
    let seen = sqlx::query_as(ROWS).bind(job).fetch_one(&mut conn).await?;
    let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut conn)
        .await?;
    ensure!(sound == "ok", "the database is damaged: {sound}");
    conn.close().await?;
    rows(seen, images)
}

/// The same of a cluster.
pub(super) fn postgres(postgres: &Postgres, job: i64, images: u64) -> Result<i64> {
    let said = postgres.ask(&ROWS.replace("$1", &job.to_string()));
    let numbers: Vec<i64> = said.split('|').map(str::parse).collect::<Result<_, _>>()?;
    let &[tasks, processed, strikes, rows_there, unique] = &*numbers else {
        bail!("the database said {said}");
    };
    rows((tasks, processed, strikes, rows_there, unique), images)
}

fn rows((tasks, processed, strikes, rows, unique): (i64, i64, i64, i64, i64), images: u64) -> Result<i64> {
    let (images, expected) = (images.cast_signed(), (images * DETECTIONS).cast_signed());
    ensure!(
        (tasks, processed, rows, unique) == (images, images, expected, expected),
        "the database holds {tasks} tasks, {processed} of them processed, and {rows} detections, {unique} different"
    );
    Ok(strikes)
}

/// How many results the server says have changed nothing.
pub(super) fn ignored(log: &str) -> u64 {
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["message"] == "results changed nothing")
        .filter_map(|line| line["results"].as_u64())
        .sum()
}
