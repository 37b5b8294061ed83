//! `POST /jobs/{id}/result/`: parsed as a stream, item by item, each validated and settled alone; answered last, after
//! the commit (DESIGN.md, "Answer last").

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use futures::StreamExt as _;
use serde_json::{Value, json};
use trapline_core::{
    Error, FailReason, JobId,
    ports::{Posted, Settled, Settlement},
    task::{DETAIL_MAX_CHARS, cut},
};
use trapline_engine::{JobHead, Pending};

use super::{
    Access, ApiError, AppState, Id, Principal,
    body_split::{Item, Malformed, Splitter},
    error::ApiResult,
    json::require_json,
    result_item,
    worker::Peer,
};

/// An item larger than this is parsed off the runtime's threads.
const INLINE_BYTES_MAX: usize = 128 << 10;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/result", post(result)).layer(DefaultBodyLimit::disable())
}

/// What is answered for an item, or will be.
struct Answer {
    reply_subject: String,
    /// `Err` says why it is rejected.
    fate: Result<Pending, String>,
}

async fn result(
    State(app): State<AppState>,
    principal: Principal,
    peer: Peer,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> ApiResult {
    principal.require(Access::Work)?;
    let job = JobId(id);
    let head = app.engine.head_for_post(job).await?;
    principal.require_project(head.project)?;
    require_json(&headers)?;
    let declared = headers.get("content-length").and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|n| n > app.limits.result_bytes) {
        return Err(ApiError::too_large(app.limits.result_bytes));
    }
    if app.heard_of(&principal, &peer, None, head.pipeline_slug.as_slice()).await.is_err() {
        // The results are signs of life themselves, and wait for the store.
        tracing::debug!(%job, "whoever posts was not noted");
    }

    let mut splitter = Splitter::new(app.limits.item_bytes);
    let mut answers = Vec::new();
    let end = read(&app, &head, &mut splitter, body, &mut answers).await;
    let items = answers.len();
    let (tasks, queued) = outcomes(answers).await?;
    let broken = match end {
        Ok(()) => None,
        Err(End::Malformed(Malformed::NoResults)) => {
            return Err(ApiError::field("results", "This field is required."));
        }
        Err(End::Malformed(Malformed::NotAnObject(kind))) => {
            let text = format!("Invalid data. Expected a dictionary, but got {kind}.");
            return Err(ApiError::field("non_field_errors", text));
        }
        Err(End::Malformed(Malformed::NotAList(kind))) => {
            return Err(ApiError::field("results", format!("Expected a list of items but got type \"{kind}\".")));
        }
        Err(End::Malformed(Malformed::Syntax(byte))) => Some((400, format!("JSON parse error near byte {byte}"))),
        Err(End::Malformed(Malformed::BrokeOff) | End::Gone) => Some((400, "the body broke off".to_owned())),
        Err(End::TooLarge) => Some((413, format!("the body exceeds {} bytes", app.limits.result_bytes))),
        Err(End::Error(error)) => return Err(error),
    };
    if let Some((status, what)) = broken {
        let detail = format!("{what} at item {}", items + 1);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        return Err(ApiError::body(status, json!({ "detail": detail, "results_queued": queued, "tasks": tasks })));
    }
    Ok(answer(job, queued, &tasks))
}

fn answer(job: JobId, queued: usize, tasks: &[Value]) -> Response {
    let none = queued == 0 && !tasks.is_empty();
    let status = if none { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let word = if none { "rejected" } else { "accepted" };
    let body = json!({ "status": word, "job_id": job, "results_queued": queued, "tasks": tasks });
    (status, Json(body)).into_response()
}

/// Why reading the body ended before its end.
enum End {
    Malformed(Malformed),
    /// The connection broke.
    Gone,
    TooLarge,
    Error(ApiError),
}

async fn read(
    app: &AppState,
    head: &JobHead,
    splitter: &mut Splitter,
    body: Body,
    answers: &mut Vec<Answer>,
) -> Result<(), End> {
    let mut stream = body.into_data_stream();
    let mut bytes = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| End::Gone)?;
        bytes += chunk.len();
        if bytes > app.limits.result_bytes {
            return Err(End::TooLarge);
        }
        let fed = splitter.feed(&chunk);
        while let Some(item) = splitter.items.pop_front() {
            answers.push(submit(app, head, item).await.map_err(End::Error)?);
        }
        fed.map_err(End::Malformed)?;
    }
    splitter.finish().map_err(End::Malformed)
}

/// Validates an item and hands it over; a rejected one that names its task settles it as `invalid_result`.
async fn submit(app: &AppState, head: &JobHead, item: Item) -> ApiResult<Answer> {
    let Item::Whole(bytes) = item else {
        let why = format!("the result exceeds {} bytes", app.limits.item_bytes);
        return Ok(Answer { reply_subject: String::new(), fate: Err(why) });
    };
    let size = bytes.len();
    let parsed = parse(app, head, bytes).await?;
    let Some(receipt) = app.engine.verify(head.job, &parsed.reply_subject) else {
        let why = match parsed.posted {
            _ if !parsed.reply_subject.is_empty() => "the receipt is not one of this job's".to_owned(),
            Ok(_) => "reply_subject: field required".to_owned(),
            Err(why) => why,
        };
        return Ok(Answer { reply_subject: parsed.reply_subject, fate: Err(why) });
    };
    let (posted, rejected) = match parsed.posted {
        Ok(posted) => (posted, None),
        Err(why) => {
            let detail = cut(&why, DETAIL_MAX_CHARS);
            (Posted::Fail { reason: FailReason::InvalidResult, detail }, Some(why))
        }
    };
    let pending = app.engine.submit(Settlement { receipt, posted }, size).await?;
    let fate = match rejected {
        None => Ok(pending),
        Some(why) => {
            pending.outcome().await?;
            Err(why)
        }
    };
    Ok(Answer { reply_subject: parsed.reply_subject, fate })
}

struct Parsed {
    reply_subject: String,
    posted: Result<Posted, String>,
}

async fn parse(app: &AppState, head: &JobHead, bytes: Vec<u8>) -> ApiResult<Parsed> {
    if bytes.len() <= INLINE_BYTES_MAX {
        return Ok(parse_now(app, head, &bytes));
    }
    let (app, head) = (app.clone(), head.clone());
    tokio::task::spawn_blocking(move || parse_now(&app, &head, &bytes)).await.map_err(|e| {
        ApiError::from(Error::internal("the parser of a result panicked").with_source(e))
    })
}

fn parse_now(app: &AppState, head: &JobHead, bytes: &[u8]) -> Parsed {
    let mut spare = Vec::new();
    let envelope = result_item::envelope(bytes, &mut spare);
    let posted = envelope.result.and_then(|raw| match app.engine.verify(head.job, &envelope.reply_subject) {
        Some(receipt) => result_item::read(raw, receipt.capture, head),
        // Without its receipt there is nothing to check the ids against; the caller rejects it for that.
        None => Ok(Posted::Success(Vec::new())),
    });
    Parsed { reply_subject: envelope.reply_subject, posted: posted.map_err(|e| e.to_string()) }
}

/// Waits for every commit.
async fn outcomes(answers: Vec<Answer>) -> ApiResult<(Vec<Value>, usize)> {
    let mut tasks = Vec::with_capacity(answers.len());
    let mut queued = 0;
    for Answer { reply_subject, fate } in answers {
        let rejected = match fate {
            Err(why) => Some(why),
            Ok(pending) => match pending.outcome().await? {
                Settled::Saved | Settled::Ignored(_) => None,
                Settled::Refused(why) => Some(format!("the store refuses it: {why}")),
                Settled::Gone => Some("the task is no more".to_owned()),
            },
        };
        let mut task = json!({ "reply_subject": reply_subject, "task_id": task_id() });
        match rejected {
            None => {
                queued += 1;
                task["status"] = json!("queued");
            }
            Some(why) => {
                task["status"] = json!("rejected");
                task["detail"] = json!(cut(&why, DETAIL_MAX_CHARS));
            }
        }
        tasks.push(task);
    }
    Ok((tasks, queued))
}

/// A unique string, in the form of upstream's.
fn task_id() -> String {
    let hex = format!("{:032x}", rand::random::<u128>());
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
