//! Stored results as rows (docs/rules.md B9): one per detection, or one per image, of a job, a set or everything.
//!
//! Of several jobs that had an image, one speaks for it in each pipeline, so that each image and each detection
//! is there once.

mod choose;
mod rows;
mod some;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use serde::Serialize;
use trapline_core::{
    CaptureId, Error, JobId, Result,
    catalog::{Capture, CaptureScope},
    ports::{Attempt, DetectionRow, DetectionsOf, Store},
    result::DetectionId,
};

pub use rows::{FullDetection, Image};
pub use some::{full, images, rows_of};

/// Images read at a time: with their detections and all scores of a 29,000-class model, still some tens of MB.
const PAGE: u64 = 50;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One object a line; detections with all their classifications.
    Ndjson,
    /// A header, then one line per row.
    Csv,
}

/// What a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// A detection.
    Detections,
    /// An image, whatever became of it.
    Images,
}

/// What to export, and how.
#[derive(Clone, Copy, Debug)]
pub struct Export {
    /// Which images.
    pub scope: CaptureScope,
    /// What rows are of.
    pub table: Table,
    /// How they are written.
    pub format: Format,
    /// Whether with all scores and logits.
    pub scores: bool,
}

fn failed(e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("a row of results can't be written").with_source(e)
}

fn ndjson<T: Serialize>(rows: impl Iterator<Item = T>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut out, &row).map_err(failed)?;
        out.push(b'\n');
    }
    Ok(out)
}

/// Rows as CSV in which no cell is a formula to a spreadsheet: what begins as one has a `'` before it, unless it is a number.
///
/// # Errors
/// If a row can't be written.
pub fn csv<T: Serialize>(rows: impl Iterator<Item = T>) -> Result<Vec<u8>> {
    let mut plain = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(Vec::new());
    for row in rows {
        plain.serialize(row).map_err(failed)?;
    }
    let plain = plain.into_inner().map_err(|e| failed(e.into_error()))?;
    let mut read = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(&*plain);
    let mut out = csv::Writer::from_writer(Vec::new());
    for row in read.records() {
        let row = row.map_err(failed)?;
        let cells = row.iter().map(|cell| {
            let is_formula =
                cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
            if is_formula {
                format!("'{cell}")
            } else {
                cell.to_owned()
            }
        });
        out.write_record(cells).map_err(failed)?;
    }
    out.into_inner().map_err(|e| failed(e.into_error()))
}

/// A page of a job's detections after one of them, and the one after which the next page begins.
///
/// # Errors
/// As the store's.
pub async fn page(
    store: &dyn Store,
    job: JobId,
    after: Option<DetectionId>,
    limit: u64,
    scores: bool,
) -> Result<(Vec<FullDetection>, Option<DetectionId>)> {
    let found = store
        .detections(DetectionsOf::Job { job, after, limit }, scores)
        .await?;
    let last = found.last().filter(|_| found.len() as u64 == limit).map(|d| d.id);
    let mut meanings = rows::Meanings::default();
    Ok((described(store, found, &mut meanings, scores).await?, last))
}

/// The line that names the columns of a CSV.
///
/// # Errors
/// As the writer's.
pub fn header(table: Table) -> Result<Vec<u8>> {
    csv(std::iter::once(columns(table)))
}

fn columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Detections => &rows::DETECTION_COLUMNS,
        Table::Images => &rows::IMAGE_COLUMNS,
    }
}

async fn described(
    store: &dyn Store,
    found: Vec<DetectionRow>,
    meanings: &mut rows::Meanings,
    scores: bool,
) -> Result<Vec<FullDetection>> {
    let missing = meanings.missing(&found);
    if !missing.is_empty() {
        meanings.learn(&store.algorithms(None, &missing).await?);
    }
    Ok(found
        .into_iter()
        .map(|d| FullDetection::new(d, meanings, scores))
        .collect())
}

/// All rows, encoded page by page, each in short transactions (docs/rules.md A18). The first piece is there, if empty, even
/// without a row.
pub fn stream(store: Arc<dyn Store>, export: Export) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let header = match export.format {
        Format::Ndjson => Ok(Bytes::new()),
        Format::Csv => header(export.table).map(Bytes::from),
    };
    let start = (Some(CaptureId(i64::MIN)), rows::Meanings::default());
    let pages = stream::try_unfold(start, move |(after, mut meanings)| {
        let store = Arc::clone(&store);
        async move {
            let Some(after) = after else { return Ok(None) };
            let captures = store.captures(export.scope, after, PAGE).await?;
            let bytes = piece(store.as_ref(), export, &captures, &mut meanings).await?;
            let next = captures
                .last()
                .filter(|_| captures.len() as u64 == PAGE)
                .map(|c| c.id);
            Ok::<_, Error>(Some((Bytes::from(bytes), (next, meanings))))
        }
    });
    stream::iter([header]).chain(pages)
}

/// The rows of a page of images.
async fn piece(
    store: &dyn Store,
    export: Export,
    captures: &[Capture],
    meanings: &mut rows::Meanings,
) -> Result<Vec<u8>> {
    let chosen = attempts(store, export.scope, captures).await?;
    match export.table {
        Table::Images => {
            let rows = captures.iter().flat_map(|capture| {
                let of = chosen.get(&capture.id).map_or(&[][..], Vec::as_slice);
                let none = of.is_empty().then(|| Image::new(capture, None));
                of.iter().map(|a| Image::new(capture, Some(a))).chain(none)
            });
            match export.format {
                Format::Csv => csv(rows),
                Format::Ndjson => ndjson(rows),
            }
        }
        Table::Detections => {
            let with = chosen.values().flatten().filter(|a| a.detections > 0);
            let tasks: Vec<_> = with.map(|a| (a.job, a.capture)).collect();
            let found = store
                .detections(DetectionsOf::Tasks(&tasks), export.scores)
                .await?;
            let found = described(store, found, meanings, export.scores).await?;
            match export.format {
                Format::Csv => csv(found.into_iter().map(|d| d.detection)),
                Format::Ndjson => ndjson(found.into_iter()),
            }
        }
    }
}

async fn attempts(
    store: &dyn Store,
    scope: CaptureScope,
    captures: &[Capture],
) -> Result<BTreeMap<CaptureId, Vec<Attempt>>> {
    let ids: Vec<_> = captures.iter().map(|c| c.id).collect();
    let mut by_capture: BTreeMap<CaptureId, Vec<Attempt>> = BTreeMap::new();
    for attempt in store.attempts(&ids).await? {
        if matches!(scope, CaptureScope::Job(job) if job != attempt.job) {
            continue;
        }
        by_capture.entry(attempt.capture).or_default().push(attempt);
    }
    Ok(by_capture
        .into_iter()
        .map(|(capture, all)| (capture, choose::newest(all)))
        .collect())
}

#[cfg(test)]
mod tests {
    use trapline_core::{
        AlgorithmId, ProjectId, TakenAt,
        catalog::{Algorithm, AlgorithmSpec, CaptureFacts, CategoryMap},
        ports::ClassificationRow,
    };

    use super::*;

    fn capture() -> Capture {
        Capture {
            id: CaptureId(4),
            project: ProjectId(1),
            url: "file:///x/a,b%20c.jpg".into(),
            facts: CaptureFacts {
                taken_at: TakenAt::parse("2024-06-01T22:00:00").ok(),
                width: Some(640),
                height: None,
                camera: Some("Canon EOS".into()),
                file: None,
            },
        }
    }

    fn row() -> FullDetection {
        let class = |label: &str, score, terminal| ClassificationRow {
            algorithm_id: AlgorithmId(3),
            algorithm: "c".into(),
            label: label.into(),
            score: Some(score),
            terminal,
            labels: None,
            scores: vec![score],
            logits: vec![],
        };
        let detection = DetectionRow {
            id: DetectionId {
                job: JobId(1),
                capture: CaptureId(4),
                n: 7,
            },
            capture: capture(),
            bbox: Some([1.0, 2.5, f64::from(4.1f32), 123.456_789]),
            detector: "d".into(),
            score: Some(0.93),
            classifications: vec![
                class("moth", 0.99, false),
                class("Actias luna", 0.7, true),
                class("Other", 0.2, true),
            ],
        };
        let mut meanings = rows::Meanings::default();
        assert_eq!(
            meanings.missing(std::slice::from_ref(&detection)),
            [AlgorithmId(3)]
        );
        let map = CategoryMap {
            labels: vec!["Actias luna".into()],
            data: vec![serde_json::json!({"label": "Actias luna", "index": 0, "description": "Luna moth"})],
            version: None,
            description: None,
            uri: None,
        };
        meanings.learn(&[Algorithm {
            id: AlgorithmId(3),
            spec: AlgorithmSpec {
                key: "c".into(),
                version: 1,
                name: "C".into(),
                task_type: None,
                description: None,
                version_name: None,
                uri: None,
                category_map: Some(map),
            },
            category_map_id: None,
            created_at: trapline_core::Timestamp(0),
            updated_at: trapline_core::Timestamp(0),
        }]);
        FullDetection::new(detection, &meanings, false)
    }

    #[test]
    fn a_row_names_the_best_terminal_classification_in_the_shortest_decimals() {
        let csv = csv(std::iter::once(row().detection)).unwrap();
        assert_eq!(
            std::str::from_utf8(&csv).unwrap(),
            "1,4,\"file:///x/a,b%20c.jpg\",1-4-7,1.0,2.5,4.1,123.46,d,Actias luna,0.7,c,true,0.93,Luna moth,\
             \"/x/a,b c.jpg\",2024-06-01T22:00:00,640,,Canon EOS\n"
        );
        let line = ndjson(std::iter::once(row())).unwrap();
        let line = std::str::from_utf8(&line).unwrap();
        assert!(line.contains(r#""label":"Actias luna","score":0.7,"#), "{line}");
        assert!(
            line.contains(r#"{"label":"moth","score":0.99,"classifier":"c","terminal":false}"#),
            "{line}"
        );
    }

    #[test]
    fn a_cell_that_a_spreadsheet_would_compute_is_guarded_and_a_number_is_not() {
        let row = ["=1+1", "-1.5", "+moth", "@x", "-", "a=b", "\t=1", "\"=x, y"];
        let csv = csv(std::iter::once(row)).unwrap();
        assert_eq!(
            std::str::from_utf8(&csv).unwrap(),
            "'=1+1,-1.5,'+moth,'@x,'-,a=b,'\t=1,\"\"\"=x, y\"\n"
        );
    }

    #[test]
    fn the_header_names_the_fields_of_the_rows_in_their_order() {
        fn header(row: impl Serialize) -> Vec<String> {
            let mut csv = csv::Writer::from_writer(Vec::new());
            csv.serialize(row).unwrap();
            let text = csv.into_inner().unwrap();
            let mut read = csv::Reader::from_reader(&*text);
            read.headers().unwrap().iter().map(str::to_owned).collect()
        }
        assert_eq!(header(row().detection), rows::DETECTION_COLUMNS);
        assert_eq!(header(Image::new(&capture(), None)), rows::IMAGE_COLUMNS);
    }

    #[test]
    fn the_docs_have_every_column_in_its_order_and_no_other() {
        fn columns(section: &str) -> Vec<&str> {
            let docs = include_str!("../../../../docs/photographs.md");
            let (_, rest) = docs.split_once(&format!("\n### {section}\n")).unwrap();
            let text = rest.split("\n#").next().unwrap();
            let cells = text
                .lines()
                .filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
            let names = cells.flat_map(|cell| cell.split(['`', ',', ' ']));
            names.filter(|name| !name.is_empty()).collect()
        }
        assert_eq!(columns("Images"), rows::IMAGE_COLUMNS);
        assert_eq!(columns("Detections"), rows::DETECTION_COLUMNS);
    }
}
