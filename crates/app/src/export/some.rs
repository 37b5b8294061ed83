//! Rows of some images of a job, for what has found them.

use trapline_core::{
    JobId, Result,
    catalog::{Capture, CaptureScope},
    ports::{DetectionRow, DetectionsOf, Store},
};

use super::{Format, FullDetection, Image, Table, attempts, described, rows};

/// The rows of some images of a job, without a header; of detections, those that `keep` takes.
///
/// # Errors
/// As the store's.
pub async fn rows_of(
    store: &dyn Store,
    job: JobId,
    (table, format): (Table, Format),
    captures: &[Capture],
    keep: impl Fn(&DetectionRow) -> bool + Send,
) -> Result<Vec<u8>> {
    if matches!(table, Table::Images) {
        let images = images(store, job, captures).await?.into_iter();
        return match format {
            Format::Csv => super::csv(images),
            Format::Ndjson => super::ndjson(images),
        };
    }
    let (mut all, mut meanings) = (Vec::new(), rows::Meanings::default());
    for capture in captures {
        let mut found = store
            .detections(DetectionsOf::Tasks(&[(job, capture.id)]), false)
            .await?;
        found.retain(&keep);
        let rows = described(store, found, &mut meanings, false).await?;
        all.extend(match format {
            Format::Csv => super::csv(rows.into_iter().map(|d| d.detection))?,
            Format::Ndjson => super::ndjson(rows.into_iter())?,
        });
    }
    Ok(all)
}

/// Detections as they are exported.
///
/// # Errors
/// As the store's.
pub async fn full(store: &dyn Store, found: Vec<DetectionRow>, scores: bool) -> Result<Vec<FullDetection>> {
    described(store, found, &mut rows::Meanings::default(), scores).await
}

/// Some images of a job as they are exported.
///
/// # Errors
/// As the store's.
pub async fn images(store: &dyn Store, job: JobId, captures: &[Capture]) -> Result<Vec<Image>> {
    let chosen = attempts(store, CaptureScope::Job(job), captures).await?;
    let of = |capture: &Capture| chosen.get(&capture.id).and_then(|of| of.first());
    Ok(captures
        .iter()
        .map(|capture| Image::new(capture, of(capture)))
        .collect())
}
