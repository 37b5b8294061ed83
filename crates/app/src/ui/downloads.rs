//! What can be taken away from the pages of a job: streamed, read by key, for a person who opens it in a spreadsheet.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures::{Stream, TryStreamExt as _, stream};
use serde::Serialize;
use trapline_core::{
    CaptureId, Error, Result,
    catalog::CaptureScope,
    error::chain,
    ports::{ImageRow, Job, LogPage, LogQuery},
    words::{count, counted},
};

use super::{images::Filter, page::PageResult, session::Visitor};
use crate::{
    export::{self, Export, Format, Table},
    http::{AppState, Id, Params},
    image_search::{Wanted, find},
};

/// Rows read at a time.
const SLICE: usize = 500;

pub(super) fn routes() -> Router<AppState> {
    let table = |table, format| move |app, visitor, id| results(app, visitor, id, table, format);
    Router::new()
        .route("/jobs/{id}/images.csv", get(images))
        .route("/jobs/{id}/images.txt", get(addresses))
        .route("/jobs/{id}/log.txt", get(log))
        .route(
            "/jobs/{id}/all-images.csv",
            get(table(Table::Images, Format::Csv)),
        )
        .route(
            "/jobs/{id}/detections.csv",
            get(table(Table::Detections, Format::Csv)),
        )
        .route(
            "/jobs/{id}/detections.ndjson",
            get(table(Table::Detections, Format::Ndjson)),
        )
}

/// A link to something that can be taken away.
pub(super) struct Download {
    pub(super) path: String,
    pub(super) word: &'static str,
    pub(super) what: String,
}

/// What a job has to take away, with how much it is.
pub(super) fn downloads(job: &Job) -> Vec<Download> {
    let c = &job.counts;
    let link = |end: &str, word, rows: u64, what: &str, bytes: u64| Download {
        path: format!("/jobs/{}/{end}", job.id),
        word,
        what: format!("{}, {}", counted(rows, what), size(rows * bytes)),
    };
    let mut links = vec![link("all-images.csv", "Images, CSV", c.total, "row", 130)];
    if c.detections > 0 {
        links.push(link(
            "detections.csv",
            "Detections, CSV",
            c.detections,
            "row",
            220,
        ));
        links.push(link(
            "detections.ndjson",
            "Detections, NDJSON",
            c.detections,
            "line",
            550,
        ));
    }
    if c.failed > 0 {
        links.push(link(
            "images.csv?state=failed",
            "Failed images, CSV",
            c.failed,
            "row",
            200,
        ));
    }
    links
}

/// A rough size for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("about {} kB", count(bytes.div_ceil(1_000))),
        1_000_000..1_000_000_000 => format!("about {} MB", count(bytes.div_ceil(1_000_000))),
        _ => format!("about {} GB", count(bytes.div_ceil(1_000_000_000))),
    }
}

/// An image in a CSV.
#[derive(Serialize)]
struct Row<'a> {
    image_id: String,
    image_url: &'a str,
    state: &'static str,
    reason: &'static str,
    detail: &'a str,
    attempts: i64,
    worker: &'a str,
    settled_at: String,
    detections: i64,
}

const COLUMNS: [&str; 9] = [
    "image_id",
    "image_url",
    "state",
    "reason",
    "detail",
    "attempts",
    "worker",
    "settled_at",
    "detections",
];

impl<'a> Row<'a> {
    fn new(app: &AppState, row: &'a ImageRow) -> Self {
        Self {
            image_id: row.capture.to_string(),
            image_url: &row.url,
            state: if row.in_flight {
                "in_flight"
            } else {
                row.state.as_str()
            },
            reason: row.reason.map_or("", |reason| reason.as_str()),
            detail: row.detail.as_deref().unwrap_or_default(),
            attempts: row.attempts,
            worker: row.worker.as_deref().unwrap_or_default(),
            settled_at: row
                .settled_at
                .map_or_else(String::new, |at| app.engine.shown(at).to_string()),
            detections: row.detections,
        }
    }
}

/// The images that a filter takes, slice by slice.
fn slices(
    app: AppState,
    wanted: Wanted,
    text: fn(&AppState, &[ImageRow]) -> Result<Vec<u8>>,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    stream::try_unfold(Some(CaptureId(i64::MIN)), move |after| {
        let (app, wanted) = (app.clone(), wanted.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            let found = find(app.engine.store().as_ref(), &wanted, (after, false), SLICE).await?;
            Ok::<_, Error>(Some((text(&app, &found.rows)?.into(), found.next)))
        }
    })
}

async fn images(State(app): State<AppState>, visitor: Visitor, Id(id): Id, params: Params) -> PageResult {
    let job = app.visible_job(&visitor.principal, id).await?;
    let filter = Filter::read(job.id, &params)?;
    let what = filter.word();
    let header = export::csv(std::iter::once(&COLUMNS[..]))?;
    let wanted = filter.wanted().told(&app.engine).await?;
    let rows = slices(app, wanted, |app, rows| {
        export::csv(rows.iter().map(|row| Row::new(app, row)))
    });
    let all = futures::StreamExt::chain(stream::iter([Ok(Bytes::from(header))]), rows);
    Ok(attachment(&job, what, "csv", all))
}

async fn addresses(State(app): State<AppState>, visitor: Visitor, Id(id): Id, params: Params) -> PageResult {
    let job = app.visible_job(&visitor.principal, id).await?;
    let filter = Filter::read(job.id, &params)?;
    let wanted = filter.wanted().told(&app.engine).await?;
    let rows = slices(app, wanted, |_, rows| {
        Ok(rows
            .iter()
            .flat_map(|row| [row.url.as_bytes(), b"\n"].concat())
            .collect())
    });
    let headers = [(header::CONTENT_TYPE, kind("txt"))];
    Ok((headers, body(&job, rows)).into_response())
}

async fn log(State(app): State<AppState>, visitor: Visitor, Id(id): Id) -> PageResult {
    let job = app.visible_job(&visitor.principal, id).await?;
    app.tell_notes().await;
    let of = job.id;
    let lines = stream::try_unfold(Some(0), move |after| {
        let app = app.clone();
        async move {
            let Some(after) = after else { return Ok(None) };
            let query = LogQuery {
                job: of,
                level: None,
                capture: None,
                page: LogPage::After(after),
                limit: SLICE as u64,
            };
            let rows = app.engine.store().logs(&query).await?;
            let next = rows.last().filter(|_| rows.len() == SLICE).map(|row| row.id);
            let line = |row: &trapline_core::ports::LogRow| {
                let message = row.message.replace('\n', "\n    ");
                format!("{} {} {message}\n", app.engine.shown(row.at), row.level.as_str())
            };
            let text: String = rows.iter().map(line).collect();
            Ok::<_, Error>(Some((Bytes::from(text), next)))
        }
    });
    Ok(attachment(&job, "log", "txt", lines))
}

async fn results(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id,
    table: Table,
    format: Format,
) -> PageResult {
    let job = app.visible_job(&visitor.principal, id).await?;
    let export = Export {
        scope: CaptureScope::Job(job.id),
        table,
        format,
        scores: false,
    };
    let what = match table {
        Table::Images => "images",
        Table::Detections => "detections",
    };
    let ending = match format {
        Format::Csv => "csv",
        Format::Ndjson => "ndjson",
    };
    let store = std::sync::Arc::clone(app.engine.store());
    Ok(attachment(&job, what, ending, export::stream(store, export)))
}

fn kind(ending: &str) -> String {
    let kind = match ending {
        "csv" => "text/csv",
        "ndjson" => "application/x-ndjson",
        _ => "text/plain",
    };
    format!("{kind}; charset=utf-8")
}

fn body(job: &Job, rows: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Body {
    let job = job.id;
    Body::from_stream(rows.inspect_err(move |error| {
        // The status is long sent; the broken body tells the client.
        tracing::warn!(%job, error = chain(error), "a download broke off");
    }))
}

pub(super) fn attachment(
    job: &Job,
    what: &str,
    ending: &str,
    rows: impl Stream<Item = Result<Bytes>> + Send + 'static,
) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind(ending)),
        (
            header::CONTENT_DISPOSITION,
            disposition(&format!("{}-{what}.{ending}", job.name)),
        ),
    ];
    (headers, body(job, rows)).into_response()
}

/// A CSV that is no job's.
pub(super) fn attached(name: &str, csv: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind("csv")),
        (header::CONTENT_DISPOSITION, disposition(name)),
    ];
    (headers, csv).into_response()
}

/// The header that names a file, by RFC 6266: in ASCII for old clients, and as it is.
fn disposition(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let mut whole = String::new();
    for c in name.chars().map(|c| {
        if c.is_control() || "/\\".contains(c) {
            '_'
        } else {
            c
        }
    }) {
        if is_plain(c) {
            whole.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                whole.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_name_of_its_job_whatever_that_is() {
        assert_eq!(
            disposition("Nacht \"Ω\"/\r\nx.csv"),
            "attachment; filename=\"Nacht_______x.csv\"; filename*=UTF-8''Nacht%20%22%CE%A9%22___x.csv"
        );
        assert_eq!(size(0), "about 0 kB");
        assert_eq!(size(12_345_678), "about 13 MB");
    }
}
