//! The rows of what a job made: detections, classifications, its log.

use trapline_core::{
    AlgorithmId, CaptureId, JobId,
    pace::JobMinute,
    plan::settle::Placed,
    ports::{ClassificationRow, DetectionRow, Level, LogRow},
    result::{Classification, DetectionId, unpack},
    verify::{RowKey, Stray},
};

use super::{Columns, word};

/// The box of a detection; `None` is the whole image.
fn corners(row: &impl Columns) -> sqlx::Result<Option<[f64; 4]>> {
    let corner = |name| row.col::<Option<f64>>(name);
    Ok(
        match (corner("x1")?, corner("y1")?, corner("x2")?, corner("y2")?) {
            (Some(x1), Some(y1), Some(x2), Some(y2)) => Some([x1, y1, x2, y2]),
            _ => None,
        },
    )
}

pub(crate) fn detection(row: &impl Columns) -> sqlx::Result<DetectionRow> {
    let capture = super::capture(row)?;
    Ok(DetectionRow {
        id: DetectionId {
            job: JobId(row.col("job_id")?),
            capture: capture.id,
            n: row.col("n")?,
        },
        capture,
        bbox: corners(row)?,
        detector: row.col("detector")?,
        score: row.col::<Option<f64>>("score")?.map(|s| s as f32),
        classifications: Vec::new(),
    })
}

/// A classification's own labels as they are stored.
pub(crate) fn own_labels(classification: &Classification) -> Option<String> {
    let labels = classification.labels.as_ref()?;
    Some(serde_json::Value::from(labels.as_slice()).to_string())
}

/// The keys of a page of detections, by which their classifications are found.
pub(crate) fn detection_keys(rows: &[impl Columns]) -> sqlx::Result<Vec<RowKey>> {
    let key = |row: &_| {
        let column = |name| Columns::col(row, name);
        Ok([column("job_id")?, column("ord")?, column("id")?, column("n")?])
    };
    rows.iter().map(key).collect()
}

/// Adds classifications to their detections. `at` is the place of the detection in the page.
pub(crate) fn classify(page: &mut [DetectionRow], rows: &[impl Columns]) -> sqlx::Result<()> {
    for row in rows {
        let at = row.unsigned("at")? as usize;
        let detection = page.get_mut(at).ok_or(sqlx::Error::RowNotFound)?;
        detection.classifications.push(classification(row)?);
    }
    Ok(())
}

fn classification(row: &impl Columns) -> sqlx::Result<ClassificationRow> {
    let floats = |name| -> sqlx::Result<Vec<f32>> {
        let packed: Option<Vec<u8>> = row.col(name)?;
        Ok(unpack(&packed.unwrap_or_default()))
    };
    Ok(ClassificationRow {
        algorithm_id: AlgorithmId(row.col("algorithm_id")?),
        algorithm: row.col("key")?,
        label: row.col("label")?,
        score: row.col::<Option<f64>>("score")?.map(|s| s as f32),
        terminal: row.col("terminal")?,
        labels: match row.col::<Option<String>>("labels")? {
            Some(list) => Some(serde_json::from_str(&list).map_err(|e| sqlx::Error::Decode(e.into()))?),
            None => None,
        },
        scores: floats("scores")?,
        logits: floats("logits")?,
    })
}

pub(crate) fn log_row(row: &impl Columns) -> sqlx::Result<LogRow> {
    Ok(LogRow {
        id: row.col("id")?,
        at: row.time("at")?,
        level: word(&row.col::<String>("level")?, Level::parse)?,
        message: row.col("message")?,
        capture: row.col::<Option<i64>>("capture_id")?.map(CaptureId),
    })
}

/// What a job settled in a minute or an hour.
pub(crate) fn job_minute(row: &impl Columns) -> sqlx::Result<JobMinute> {
    Ok(JobMinute {
        job: JobId(row.col("job_id")?),
        step: row.col("step")?,
        minute: row.col("minute")?,
        processed: row.unsigned("processed")?,
        failed: row.unsigned("failed")?,
    })
}

/// A row that belongs to nothing, if it does.
fn stray(row: &impl Columns) -> sqlx::Result<Option<Stray>> {
    if !row.col("stray")? {
        return Ok(None);
    }
    Ok(Some(Stray {
        job: row.col::<Option<i64>>("job_id")?.map(JobId),
        row: row.col("row")?,
    }))
}

/// Of a page of rows without an owner those that are, and the key after which the next page begins.
pub(crate) fn strays(rows: &[impl Columns], limit: u64) -> sqlx::Result<(Vec<Stray>, Option<RowKey>)> {
    let key = |row: &_| -> sqlx::Result<RowKey> {
        let column = |name| Columns::col(row, name);
        Ok([column("k1")?, column("k2")?, column("k3")?, column("k4")?])
    };
    let last = rows.last().filter(|_| rows.len() as u64 == limit);
    let strays: Vec<_> = rows.iter().map(stray).collect::<sqlx::Result<_>>()?;
    Ok((strays.into_iter().flatten().collect(), last.map(key).transpose()?))
}

/// A classification with its detection and its place there.
pub(crate) type PlacedClass<'a> = (Placed<'a>, i64, &'a Classification);

/// The classifications of detections, in the order of their keys.
pub(crate) fn classifications<'a>(rows: &[Placed<'a>]) -> Vec<PlacedClass<'a>> {
    let of = |placed: &Placed<'a>| {
        let placed = *placed;
        (0..)
            .zip(&placed.detection.classifications)
            .map(move |(at, c)| (placed, at, c))
    };
    rows.iter().flat_map(of).collect()
}
