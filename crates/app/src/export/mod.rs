//! Stored results as rows, one per detection (RULES.md B9), for the endpoint and for `run --export`.

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use serde::Serialize;
use trapline_core::{
    Error, JobId, Result,
    ports::{ClassificationRow, DetectionRow, Store},
};

/// Detections read at a time: with all scores of a 29,000-class model a page is still some tens of MB.
const PAGE: u64 = 200;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One object a line, with all classifications.
    Ndjson,
    /// A header, then one line per detection.
    Csv,
}

/// A detection with its best terminal classification.
#[derive(Debug, Serialize)]
pub struct Row {
    job_id: JobId,
    image_id: String,
    image_url: String,
    detection_id: i64,
    x1: Option<f64>,
    y1: Option<f64>,
    x2: Option<f64>,
    y2: Option<f64>,
    detector: String,
    label: Option<String>,
    score: Option<f32>,
    classifier: Option<String>,
    terminal: Option<bool>,
}

/// [`Row`] and all its classifications.
#[derive(Debug, Serialize)]
pub struct FullRow {
    #[serde(flatten)]
    row: Row,
    classifications: Vec<Classification>,
}

#[derive(Debug, Serialize)]
struct Classification {
    label: String,
    score: Option<f32>,
    classifier: String,
    terminal: bool,
    /// What `scores` are of, if not the labels of the category map.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<Vec<f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logits: Option<Vec<f32>>,
}

/// The classification that a row names: the best terminal one, else the best of the others.
fn best(all: &[ClassificationRow]) -> Option<&ClassificationRow> {
    all.iter().max_by(|a, b| {
        let key = |c: &ClassificationRow| (c.terminal, c.score.unwrap_or(f32::NEG_INFINITY));
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    })
}

impl FullRow {
    /// A row of a job; with all scores and logits if asked for.
    #[must_use]
    pub fn new(job_id: JobId, d: DetectionRow, scores: bool) -> Self {
        let chosen = best(&d.classifications);
        let [x1, y1, x2, y2] = d.bbox.map_or([None; 4], |b| b.map(Some));
        let row = Row {
            job_id,
            image_id: d.capture.to_string(),
            image_url: d.url,
            detection_id: d.id,
            x1,
            y1,
            x2,
            y2,
            detector: d.detector,
            label: chosen.map(|c| c.label.clone()),
            score: chosen.and_then(|c| c.score),
            classifier: chosen.map(|c| c.algorithm.clone()),
            terminal: chosen.map(|c| c.terminal),
        };
        let classifications = d
            .classifications
            .into_iter()
            .map(|c| Classification {
                label: c.label,
                score: c.score,
                classifier: c.algorithm,
                terminal: c.terminal,
                labels: c.labels.filter(|_| scores),
                scores: scores.then_some(c.scores),
                logits: scores.then_some(c.logits),
            })
            .collect();
        Self { row, classifications }
    }
}

const HEADER: [&str; 13] = [
    "job_id",
    "image_id",
    "image_url",
    "detection_id",
    "x1",
    "y1",
    "x2",
    "y2",
    "detector",
    "label",
    "score",
    "classifier",
    "terminal",
];

fn failed(e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("a row of results can't be written").with_source(e)
}

fn csv_writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(Vec::new())
}

fn finish(csv: csv::Writer<Vec<u8>>) -> Result<Bytes> {
    csv.into_inner()
        .map(Bytes::from)
        .map_err(|e| failed(e.into_error()))
}

fn encode(rows: Vec<FullRow>, format: Format) -> Result<Bytes> {
    match format {
        Format::Ndjson => {
            let mut out = Vec::new();
            for row in rows {
                serde_json::to_writer(&mut out, &row).map_err(failed)?;
                out.push(b'\n');
            }
            Ok(out.into())
        }
        Format::Csv => {
            let mut csv = csv_writer();
            for row in rows {
                csv.serialize(row.row).map_err(failed)?;
            }
            finish(csv)
        }
    }
}

/// A page of a job's detections after one of them, and the one after which the next page begins.
///
/// # Errors
/// As the store's.
pub async fn page(
    store: &dyn Store,
    job: JobId,
    after: i64,
    limit: u64,
    scores: bool,
) -> Result<(Vec<FullRow>, Option<i64>)> {
    let rows = store.detections(job, after, limit, scores).await?;
    let last = rows.last().filter(|_| rows.len() as u64 == limit).map(|d| d.id);
    let rows = rows.into_iter().map(|d| FullRow::new(job, d, scores)).collect();
    Ok((rows, last))
}

/// All detections of a job, encoded page by page, each in a short transaction (RULES.md A18).
pub fn stream(
    store: Arc<dyn Store>,
    job: JobId,
    format: Format,
    scores: bool,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let header = match format {
        Format::Ndjson => None,
        Format::Csv => Some({
            let mut csv = csv_writer();
            csv.write_record(HEADER)
                .map_err(failed)
                .and_then(|()| finish(csv))
        }),
    };
    let pages = stream::try_unfold(Some(0), move |after| {
        let store = Arc::clone(&store);
        async move {
            let Some(after) = after else { return Ok(None) };
            let (rows, next) = page(store.as_ref(), job, after, PAGE, scores).await?;
            Ok((!rows.is_empty()).then_some((encode(rows, format)?, next)))
        }
    });
    stream::iter(header).chain(pages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapline_core::CaptureId;

    fn row() -> FullRow {
        let class = |label: &str, score, terminal| ClassificationRow {
            algorithm: "c".into(),
            label: label.into(),
            score: Some(score),
            terminal,
            labels: None,
            scores: vec![score],
            logits: vec![],
        };
        let detection = DetectionRow {
            id: 7,
            capture: CaptureId(4),
            url: "https://x.test/a,b.jpg".into(),
            bbox: Some([1.0, 2.5, 3.0, 4.0]),
            detector: "d".into(),
            classifications: vec![
                class("moth", 0.99, false),
                class("Actias luna", 0.7, true),
                class("Other", 0.2, true),
            ],
        };
        FullRow::new(JobId(1), detection, false)
    }

    #[test]
    fn a_row_names_the_best_terminal_classification_with_the_shortest_form_of_its_score() {
        let csv = encode(vec![row()], Format::Csv).unwrap();
        assert_eq!(
            std::str::from_utf8(&csv).unwrap(),
            "1,4,\"https://x.test/a,b.jpg\",7,1.0,2.5,3.0,4.0,d,Actias luna,0.7,c,true\n"
        );
        let line = encode(vec![row()], Format::Ndjson).unwrap();
        let line = std::str::from_utf8(&line).unwrap();
        assert!(line.contains(r#""label":"Actias luna","score":0.7,"#), "{line}");
        assert!(
            line.contains(r#"{"label":"moth","score":0.99,"classifier":"c","terminal":false}"#),
            "{line}"
        );
    }
}
