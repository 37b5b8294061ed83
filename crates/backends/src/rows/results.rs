//! The rows of what a job made: detections, classifications, its log.

use std::collections::HashMap;

use trapline_core::{
    AlgorithmId, CaptureId, JobId,
    plan::TaskKey,
    ports::{ClassificationRow, DetectionRow, Level, LogRow},
    result::{Classification, Detection, DetectionKey, unpack},
    verify::Stray,
};

use super::{Columns, word};

/// The box of a detection; `None` is the whole image.
pub(crate) fn corners(row: &impl Columns) -> sqlx::Result<Option<[f64; 4]>> {
    let corner = |name| row.col::<Option<f64>>(name);
    Ok(
        match (corner("x1")?, corner("y1")?, corner("x2")?, corner("y2")?) {
            (Some(x1), Some(y1), Some(x2), Some(y2)) => Some([x1, y1, x2, y2]),
            _ => None,
        },
    )
}

pub(crate) fn detection(row: &impl Columns) -> sqlx::Result<DetectionRow> {
    Ok(DetectionRow {
        id: row.col("detection_id")?,
        job: JobId(row.col("job_id")?),
        capture: super::capture(row)?,
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

/// A classification, and of which detection.
pub(crate) fn classification(row: &impl Columns) -> sqlx::Result<(i64, ClassificationRow)> {
    let floats = |name| -> sqlx::Result<Vec<f32>> {
        let packed: Option<Vec<u8>> = row.col(name)?;
        Ok(unpack(&packed.unwrap_or_default()))
    };
    let classification = ClassificationRow {
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
    };
    Ok((row.col("detection_id")?, classification))
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

/// A row that belongs to nothing, if it does.
pub(crate) fn stray(row: &impl Columns) -> sqlx::Result<Option<Stray>> {
    if !row.col("stray")? {
        return Ok(None);
    }
    Ok(Some(Stray {
        job: row.col::<Option<i64>>("job_id")?.map(JobId),
        row: row.col("row")?,
    }))
}

/// A classification with its detection's row and its place there.
pub(crate) type Placed<'a> = (i64, i64, &'a Classification);

/// Gives each classification the row of its detection, by key, never by position: `RETURNING` promises no order.
pub(crate) fn place<'a>(
    rows: &[(TaskKey, &'a Detection)],
    ids: &HashMap<(TaskKey, DetectionKey), i64>,
) -> sqlx::Result<Vec<Placed<'a>>> {
    let mut placed = Vec::new();
    for (key, detection) in rows {
        let id = *ids
            .get(&(*key, detection.key()))
            .ok_or(sqlx::Error::RowNotFound)?;
        let list = detection.classifications.iter().enumerate();
        placed.extend(list.map(|(at, c)| (id, at as i64, c)));
    }
    Ok(placed)
}
