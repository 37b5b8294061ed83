//! What must be true at the end, looked at from four sides that share no code: the job's counts, the images, the
//! exported rows, and the rows of the database.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use trapline_drill::DETECTIONS;
use trapline_testkit::{Client, services::Postgres};

/// The counts of the job.
pub(super) fn job(job: &Value, images: u64) -> Result<()> {
    ensure!(job["status"] == "SUCCESS", "the job landed {}", job["status"]);
    ensure!(job["outcome"] == "complete", "the outcome is {}", job["outcome"]);
    for (name, expected) in [
        ("total", images),
        ("processed", images),
        ("failed", 0),
        ("pending", 0),
        ("in_flight", 0),
        ("detections", images * DETECTIONS),
    ] {
        ensure!(
            job["counts"][name] == expected,
            "`{name}` should be {expected}: {}",
            job["counts"]
        );
    }
    Ok(())
}

/// Every image, once, processed.
pub(super) async fn images(client: &Client, job: i64, images: u64) -> Result<()> {
    let rows = client
        .rows(&format!("/api/v2/jobs/{job}/images/?limit=1000"))
        .await;
    let mut urls = HashSet::with_capacity(rows.len());
    for row in &rows {
        ensure!(
            row["state"] == "processed" && row["detections"] == DETECTIONS,
            "an image is off: {row}"
        );
        ensure!(
            urls.insert(row["url"].as_str()),
            "an image is listed twice: {row}"
        );
    }
    ensure!(
        urls.len() as u64 == images,
        "{} of {images} images are listed",
        urls.len()
    );
    Ok(())
}

/// Every detection, once, by its image and box.
pub(super) async fn export(client: &Client, job: i64, images: u64) -> Result<()> {
    let text = client
        .text(&format!("/api/v2/jobs/{job}/results/?format=ndjson"))
        .await;
    let mut boxes: HashMap<String, HashSet<[u64; 4]>> = HashMap::new();
    let mut rows = 0;
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).with_context(|| format!("the row {line}"))?;
        let Some(image) = row["image_id"].as_str() else {
            bail!("a row without an image: {line}");
        };
        let corners = ["x1", "y1", "x2", "y2"].map(|c| row[c].as_f64().unwrap_or(f64::NAN).to_bits());
        boxes.entry(image.to_owned()).or_default().insert(corners);
        rows += 1;
    }
    let unique: u64 = boxes.values().map(|b| b.len() as u64).sum();
    let expected = images * DETECTIONS;
    ensure!(
        (rows, unique, boxes.len() as u64) == (expected, expected, images),
        "{rows} rows of {unique} detections in {} images were exported, not {expected} in {images}",
        boxes.len()
    );
    Ok(())
}

/// The rows themselves; returns how many strikes there were.
pub(super) async fn database(path: &Path, job: i64, images: u64) -> Result<i64> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut conn = SqliteConnection::connect_with(&options).await?;
    let (tasks, processed, strikes): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), sum(state = 'processed'), sum(strikes) FROM tasks WHERE job_id = ?1",
    )
    .bind(job)
    .fetch_one(&mut conn)
    .await?;
    let (rows, unique): (i64, i64) = sqlx::query_as(
        "SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT capture_id, x1, y1, x2, y2 FROM detections \
         WHERE job_id = ?1)) FROM detections WHERE job_id = ?1",
    )
    .bind(job)
    .fetch_one(&mut conn)
    .await?;
    let (images, expected) = (images.cast_signed(), (images * DETECTIONS).cast_signed());
    ensure!(
        (tasks, processed, rows, unique) == (images, images, expected, expected),
        "the database holds {tasks} tasks, {processed} of them processed, and {rows} detections, {unique} different"
    );
    let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut conn)
        .await?;
    ensure!(sound == "ok", "the database is damaged: {sound}");
    conn.close().await?;
    Ok(strikes)
}

/// The same of a cluster.
pub(super) fn postgres(postgres: &Postgres, job: i64, images: u64) -> Result<()> {
    let said = postgres.ask(&format!(
        "SELECT count(*), count(*) FILTER (WHERE state = 'processed'), (SELECT count(*) FROM detections WHERE job_id = {job}), \
         (SELECT count(*) FROM (SELECT DISTINCT capture_id, x1, y1, x2, y2 FROM detections WHERE job_id = {job}) AS d) \
         FROM tasks WHERE job_id = {job}"
    ));
    let detections = images * DETECTIONS;
    ensure!(
        said == format!("{images}|{images}|{detections}|{detections}"),
        "tasks, processed ones, detections, different ones in the database: {said}"
    );
    Ok(())
}

/// How many results the server says have changed nothing.
pub(super) fn ignored(log: &str) -> u64 {
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["message"] == "results changed nothing")
        .filter_map(|line| line["results"].as_u64())
        .sum()
}
