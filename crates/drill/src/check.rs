//! What must be true of a job of [`SLUG`](crate::SLUG), looked at from sides that share no code: its counts, its images, its
//! exported rows. The store's own rows are looked at by whoever has the store.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{DETECTIONS, until};

/// Waits until a job is final, however it ended. `look` asks for the job; a server that is away is waited for.
///
/// # Errors
/// What was seen last, if the job is not final within `bound`.
pub async fn until_final(
    bound: Duration,
    mut look: impl AsyncFnMut() -> Result<Value, String>,
) -> Result<Value> {
    until("the job lands", bound, async || {
        let job = look().await?;
        match job["status"].as_str() {
            Some("SUCCESS" | "FAILURE" | "REVOKED") => Ok(job),
            _ => Err(format!("{} {}", job["status"], job["counts"])),
        }
    })
    .await
}

/// How a job ended, and every count of it.
///
/// # Errors
/// What is not as it should be.
pub fn landed(job: &Value, status: &str, processed: u64, failed: u64) -> Result<()> {
    let outcome = match (status, failed) {
        ("SUCCESS", 0) => "complete",
        ("SUCCESS", _) => "complete_with_failures",
        ("REVOKED", _) => "revoked",
        _ => "failed",
    };
    ensure!(
        job["status"] == status && job["outcome"] == outcome,
        "the job landed {} ({}), not {status} ({outcome}): {} {}",
        job["status"],
        job["outcome"],
        job["counts"],
        job["progress"]["errors"]
    );
    let all = [("total", processed + failed), ("pending", 0), ("in_flight", 0)];
    count(job, &all)?;
    settled(job, processed, failed)
}

/// What was settled so far.
///
/// # Errors
/// If it was counted otherwise.
pub fn settled(job: &Value, processed: u64, failed: u64) -> Result<()> {
    let detections = processed * DETECTIONS;
    count(
        job,
        &[
            ("processed", processed),
            ("failed", failed),
            ("detections", detections),
        ],
    )
}

fn count(job: &Value, expected: &[(&str, u64)]) -> Result<()> {
    let counts = &job["counts"];
    for (name, expected) in expected {
        ensure!(
            counts[name] == *expected,
            "`{name}` should be {expected}: {counts}"
        );
    }
    Ok(())
}

/// Every image, once, processed.
///
/// # Errors
/// If one is missing, listed twice, or not as it should be.
pub fn images(rows: &[Value], images: u64) -> Result<()> {
    let mut urls = HashSet::with_capacity(rows.len());
    for row in rows {
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

/// Every detection, once, by its image and box, in an export of one JSON object a line.
///
/// # Errors
/// If one is missing or there twice.
pub fn export(text: &str, images: u64) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job() -> Value {
        let counts = json!({
            "total": 3, "pending": 0, "in_flight": 0, "processed": 2, "failed": 1, "detections": 2 * DETECTIONS,
        });
        json!({ "status": "SUCCESS", "outcome": "complete_with_failures", "counts": counts })
    }

    #[test]
    fn a_job_landed_only_if_every_count_is_exact() {
        landed(&job(), "SUCCESS", 2, 1).unwrap();
        landed(&job(), "FAILURE", 2, 1).unwrap_err();
        for name in [
            "total",
            "pending",
            "in_flight",
            "processed",
            "failed",
            "detections",
        ] {
            let mut wrong = job();
            wrong["counts"][name] = json!(9);
            let said = landed(&wrong, "SUCCESS", 2, 1).unwrap_err().to_string();
            assert!(said.contains(name), "{said}");
        }
    }

    #[test]
    fn images_and_detections_that_are_missing_or_there_twice_are_found() {
        let image = |n: u64| json!({ "url": n.to_string(), "state": "processed", "detections": DETECTIONS });
        images(&[image(1), image(2)], 2).unwrap();
        images(&[image(1), image(1)], 2).unwrap_err();
        images(&[image(1)], 2).unwrap_err();

        let row = |n: u64| json!({ "image_id": "1", "x1": n, "y1": 0, "x2": n, "y2": 1 }).to_string();
        let rows: Vec<String> = (0..DETECTIONS).map(row).collect();
        export(&rows.join("\n"), 1).unwrap();
        export(&rows[1..].join("\n"), 1).unwrap_err();
        export(&[&rows[1..], &rows[1..2]].concat().join("\n"), 1).unwrap_err();
    }
}
