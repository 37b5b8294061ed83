//! `POST /jobs/{id}/result/`: parsed as a stream, item by item. Each item is validated alone; those of a post are settled
//! together, and the client is answered after the commit (ARCHITECTURE.md#a-result-lands).

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use futures::StreamExt as _;
use trapline_core::{
    Error, FailReason, JobId, Timestamp, batch_error,
    ports::{Posted, Settled, Settlement},
    receipt::Receipt,
    task::{DETAIL_MAX_CHARS, cut},
};
use trapline_engine::{Pending, RunSpec};
use trapline_wire as wire;

use super::{
    Access, ApiError, AppState, Id, Principal,
    body_split::{Item, Malformed, Splitter},
    error::ApiResult,
    job_notes,
    json::require_json,
    result_item::{self, Small},
    timed::Slow,
};

/// An item larger than this is parsed off the runtime's threads.
const INLINE_BYTES_MAX: usize = 128 << 10;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/jobs/{id}/result", post(result))
        .layer(DefaultBodyLimit::disable())
}

/// One post never holds more items: what is answered for each is kept until the end.
const ITEMS_MAX: usize = 100_000;

/// What is answered for an item, or will be.
struct Answer {
    reply_subject: String,
    fate: Fate,
}

enum Fate {
    /// Why.
    Rejected(String),
    /// Handed over; the answer comes with the commit.
    Waiting(Pending),
    /// Handed over as its task's failure, with why.
    Refusing(Pending, String),
    /// An error that may be one of a whole batch, which only the end of the post tells.
    Held(Receipt, String),
}

async fn result(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> ApiResult {
    principal.require(Access::Work)?;
    let job = JobId(id);
    principal.require_project(app.engine.project_for_post(job).await?)?;
    require_json(&headers)?;
    let declared = headers
        .get("content-length")
        .and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|n| n > app.limits.result_bytes) {
        return Err(ApiError::too_large(app.limits.result_bytes));
    }

    let mut splitter = Splitter::new(app.limits.item_bytes);
    let mut answers = Vec::new();
    let end = read(&app, job, &mut splitter, body, &mut answers).await;
    let items = answers.len();
    submit_held(&app, &mut answers).await?;
    let (tasks, queued) = outcomes(answers).await?;
    job_notes::posted(&app, &principal, job, queued, &tasks);
    if queued == 0 {
        // That the job was there may be remembered only; nothing of it was heard from the store.
        app.engine.head(job).await?;
    }
    let broken = match end {
        Ok(()) => None,
        Err(End::Error(error)) => return Err(error),
        // What is wrong with the body as a whole is told only if nothing of it was settled.
        Err(End::Malformed(malformed)) if items == 0 => match shape(&malformed) {
            Some(error) => return Err(error),
            None => Some((StatusCode::BAD_REQUEST, words(&malformed))),
        },
        Err(End::Malformed(malformed)) => Some((StatusCode::BAD_REQUEST, words(&malformed))),
        Err(End::Slow(slow)) => Some((StatusCode::REQUEST_TIMEOUT, slow.to_string())),
        Err(End::Gone) => Some((StatusCode::BAD_REQUEST, words(&Malformed::BrokeOff))),
        Err(End::TooLarge) => {
            let what = format!("the body exceeds {} bytes", app.limits.result_bytes);
            Some((StatusCode::PAYLOAD_TOO_LARGE, what))
        }
        Err(End::TooMany) => {
            let what = format!("the body holds more than {ITEMS_MAX} results");
            Some((StatusCode::PAYLOAD_TOO_LARGE, what))
        }
    };
    if let Some((status, what)) = broken {
        let detail = format!("{what} at item {}", items + 1);
        let body = wire::ResultAnswer {
            detail: Some(detail),
            results_queued: Some(queued),
            tasks,
            ..wire::ResultAnswer::default()
        };
        return Err(ApiError::body(status, body));
    }
    Ok(answer(job, queued, tasks))
}

/// Returns upstream's answer to a body that is not a post of results.
fn shape(malformed: &Malformed) -> Option<ApiError> {
    match malformed {
        Malformed::NoResults => Some(ApiError::field("results", "This field is required.")),
        Malformed::NotAnObject(kind) => {
            let text = format!("Invalid data. Expected a dictionary, but got {kind}.");
            Some(ApiError::field("non_field_errors", text))
        }
        Malformed::NotAList(kind) => {
            let text = format!("Expected a list of items but got type \"{kind}\".");
            Some(ApiError::field("results", text))
        }
        Malformed::Syntax(_) | Malformed::BrokeOff => None,
    }
}

fn words(malformed: &Malformed) -> String {
    match malformed {
        Malformed::Syntax(byte) => format!("JSON parse error near byte {byte}"),
        Malformed::BrokeOff => "the body broke off".to_owned(),
        _ => "the body is not a post of results".to_owned(),
    }
}

fn answer(job: JobId, queued: usize, tasks: Vec<wire::ResultStatus>) -> Response {
    let none = queued == 0 && !tasks.is_empty();
    let (status, word) = match none {
        true => (StatusCode::BAD_REQUEST, "rejected"),
        false => (StatusCode::OK, "accepted"),
    };
    let body = wire::ResultAnswer {
        status: Some(word.into()),
        job_id: Some(job.0),
        detail: None,
        results_queued: Some(queued),
        tasks,
    };
    (status, Json(body)).into_response()
}

/// Why reading the body ended before its end.
enum End {
    Malformed(Malformed),
    /// The connection broke.
    Gone,
    /// It came too slowly.
    Slow(Slow),
    TooLarge,
    TooMany,
    Error(ApiError),
}

async fn read(
    app: &AppState,
    job: JobId,
    splitter: &mut Splitter,
    body: Body,
    answers: &mut Vec<Answer>,
) -> Result<(), End> {
    let mut stream = body.into_data_stream();
    let mut bytes = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| Slow::of(&error).map_or(End::Gone, End::Slow))?;
        bytes += chunk.len();
        if bytes > app.limits.result_bytes {
            return Err(End::TooLarge);
        }
        let fed = splitter.feed(&chunk);
        while let Some(item) = splitter.items.pop_front() {
            if answers.len() == ITEMS_MAX {
                return Err(End::TooMany);
            }
            answers.push(submit(app, job, item).await.map_err(End::Error)?);
        }
        fed.map_err(End::Malformed)?;
    }
    splitter.finish().map_err(End::Malformed)
}

/// Validates an item and hands it over; a rejected one that names its task settles it as `invalid_result`.
async fn submit(app: &AppState, job: JobId, item: Item) -> ApiResult<Answer> {
    let (size, parsed) = match item {
        Item::Whole(bytes) => (bytes.len(), parse(app, job, bytes).await?),
        Item::TooLarge(first) => {
            let reply_subject = result_item::receipt_before_fault(&first);
            let parsed = Parsed {
                receipt: app.engine.verify(job, &reply_subject),
                reply_subject,
                posted: Err(
                    Error::invalid(format!("the result exceeds {} bytes", app.limits.item_bytes)).into(),
                ),
                small: None,
            };
            (first.len(), parsed)
        }
    };
    let Some(receipt) = parsed.receipt else {
        let why = match parsed.posted {
            _ if !parsed.reply_subject.is_empty() => "the receipt is not one of this job's".to_owned(),
            Ok(_) => "reply_subject: field required".to_owned(),
            Err(refusal) => refusal.why,
        };
        return Ok(Answer {
            reply_subject: parsed.reply_subject,
            fate: Fate::Rejected(why),
        });
    };
    let (posted, rejected) = match parsed.posted {
        Ok(Posted::Fail { detail, .. }) if batch_error::may_be(&detail) => {
            return Ok(Answer {
                reply_subject: parsed.reply_subject,
                fate: Fate::Held(receipt, detail),
            });
        }
        Ok(posted) => {
            if let Some(small) = parsed.small {
                app.thumbs.offer(job, receipt.capture, small.size, small.jpeg);
            }
            (posted, None)
        }
        Err(refusal) => {
            let posted = refusal.posted(app.engine.policy().max_deliver);
            (posted, Some(cut(&refusal.why, DETAIL_MAX_CHARS)))
        }
    };
    let pending = app.engine.submit(Settlement { receipt, posted }, size).await?;
    // Nothing waits here: the items of a post are settled together, whatever they are.
    let fate = match rejected {
        None => Fate::Waiting(pending),
        Some(why) => Fate::Refusing(pending, why),
    };
    Ok(Answer {
        reply_subject: parsed.reply_subject,
        fate,
    })
}

/// Hands over the errors that were held, as the crash of a batch where two or more are the same (docs/rules.md B8).
async fn submit_held(app: &AppState, answers: &mut [Answer]) -> ApiResult<()> {
    let texts: Vec<&str> = answers
        .iter()
        .filter_map(|a| match &a.fate {
            Fate::Held(_, text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let mut posted = batch_error::posted(&texts, app.engine.policy().max_deliver).into_iter();
    for answer in answers {
        if let Fate::Held(receipt, text) = &answer.fate
            && let Some(posted) = posted.next()
        {
            let settlement = Settlement {
                receipt: *receipt,
                posted,
            };
            answer.fate = Fate::Waiting(app.engine.submit(settlement, text.len()).await?);
        }
    }
    Ok(())
}

struct Parsed {
    reply_subject: String,
    /// What the subject stands for, if it is one of ours.
    receipt: Option<Receipt>,
    posted: Result<Posted, Refusal>,
    small: Option<Small>,
}

/// Why an item is rejected.
struct Refusal {
    why: String,
    /// Whether another worker may do better: its run does not know the algorithms or labels.
    mismatch: bool,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            why: error.to_string(),
            mismatch: result_item::is_mismatch(&error),
        }
    }
}

impl Refusal {
    /// What it makes of the task.
    fn posted(&self, max_deliver: i64) -> Posted {
        let detail = cut(&self.why, DETAIL_MAX_CHARS);
        if self.mismatch {
            return Posted::Mismatch { detail, max_deliver };
        }
        Posted::Fail {
            reason: FailReason::InvalidResult,
            detail,
        }
    }
}

/// Reads an item. Its receipt comes first, because it says by which run the rest is judged.
async fn parse(app: &AppState, job: JobId, bytes: Vec<u8>) -> ApiResult<Parsed> {
    let (bytes, subject) = off_thread(bytes, result_item::receipt_before_fault).await?;
    let receipt = app.engine.verify(job, &subject);
    let spec = match &receipt {
        Some(receipt) => app.engine.spec_of(receipt).await?,
        None => None,
    };
    let judge = receipt.zip(spec);
    let now = app.clock.now();
    let (_, mut parsed) = off_thread(bytes, move |bytes| parse_now(judge, now, bytes)).await?;
    parsed.receipt = match parsed.reply_subject == subject {
        true => receipt,
        false => app.engine.verify(job, &parsed.reply_subject),
    };
    Ok(parsed)
}

/// Runs `work` on the bytes of an item, off the runtime's threads if there are many of them.
async fn off_thread<T: Send + 'static>(
    bytes: Vec<u8>,
    work: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> ApiResult<(Vec<u8>, T)> {
    let few = bytes.len() <= INLINE_BYTES_MAX;
    let now = move || {
        let done = work(&bytes);
        (bytes, done)
    };
    if few {
        return Ok(now());
    }
    tokio::task::spawn_blocking(now)
        .await
        .map_err(|e| ApiError::from(Error::internal("the parser of a result panicked").with_source(e)))
}

fn parse_now(judge: Option<(Receipt, Arc<RunSpec>)>, now: Timestamp, bytes: &[u8]) -> Parsed {
    let envelope = result_item::envelope(bytes);
    let posted = envelope.result.and_then(|raw| match judge {
        Some((receipt, spec)) => {
            let context = result_item::Context {
                capture: receipt.capture,
                spec: &spec,
                now,
            };
            result_item::read(raw, &context)
        }
        // Without its receipt there is nothing to check the ids against; the caller rejects it for that. Without its
        // job there is nothing to save it in.
        None => Ok((Posted::Success(Vec::new()), None)),
    });
    let (posted, small) = match posted {
        Ok((posted, small)) => (Ok(posted), small),
        Err(error) => (Err(error), None),
    };
    Parsed {
        small,
        reply_subject: envelope.reply_subject,
        receipt: None,
        posted: posted.map_err(Refusal::from),
    }
}

/// Waits for every commit.
async fn outcomes(answers: Vec<Answer>) -> ApiResult<(Vec<wire::ResultStatus>, usize)> {
    let mut tasks = Vec::with_capacity(answers.len());
    let mut queued = 0;
    for Answer { reply_subject, fate } in answers {
        let rejected = match fate {
            Fate::Rejected(why) => Some(why),
            Fate::Refusing(pending, why) => {
                pending.outcome().await?;
                Some(why)
            }
            // Every held one was handed over at the end of the post.
            Fate::Held(..) => None,
            Fate::Waiting(pending) => match pending.outcome().await? {
                Settled::Saved | Settled::Ignored(_) => None,
                Settled::Refused(why) => Some(format!("the store refuses it: {why}")),
                Settled::Gone => Some("the task was deleted".to_owned()),
            },
        };
        queued += usize::from(rejected.is_none());
        tasks.push(wire::ResultStatus {
            receipt: reply_subject,
            status: if rejected.is_none() { "queued" } else { "rejected" }.into(),
            task_id: task_id(),
            detail: rejected.map(|why| cut(&why, DETAIL_MAX_CHARS)),
        });
    }
    Ok((tasks, queued))
}

/// A unique string, in the form of upstream's.
fn task_id() -> String {
    let hex = format!("{:032x}", rand::random::<u128>());
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
