//! `GET /jobs/{id}/logs/`: the job's log, oldest first or back from its end, nothing capped away.

use axum::{Router, extract::State, routing::get};
use trapline_core::{
    CaptureId,
    ports::{Level, LogPage, LogQuery, LogRow},
};
use trapline_wire as wire;

use super::{
    AppState, Id, Links, Params, Principal,
    error::{ApiError, ApiResult},
    job_list::invalid_choice,
    paging::{PAGE_DEFAULT, key_page},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/logs", get(logs))
}

async fn logs(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
    params: Params,
    links: Links,
) -> ApiResult {
    let job = app.visible_job(&principal, id).await?.id;
    app.tell_notes().await;
    let level = match params.text("level").unwrap_or_default() {
        "" => None,
        text => {
            let level = Level::parse(&text.to_ascii_uppercase());
            Some(level.ok_or_else(|| invalid_choice("level", text))?)
        }
    };
    let limit = params.limit(PAGE_DEFAULT);
    let page = match (params.text("before").unwrap_or_default(), params.int("after")?) {
        ("", after) => LogPage::After(after.unwrap_or(0)),
        ("end", None) => LogPage::Newest,
        (_, None) => LogPage::Before(params.int("before")?.unwrap_or(0)),
        (_, Some(_)) => {
            return Err(ApiError::field("before", "Give `after` or `before`, not both."));
        }
    };
    let query = LogQuery {
        job,
        level,
        capture: params.int("image")?.map(CaptureId),
        page,
        limit,
    };
    let rows = app.engine.store().logs(&query).await?;
    let next = rows.last().filter(|_| rows.len() as u64 == limit);
    let parameter = match page {
        LogPage::After(_) => "after",
        LogPage::Newest | LogPage::Before(_) => "before",
    };
    let next = next.map(|r| (parameter, r.id.to_string()));
    let lines = rows.into_iter().map(|row| view(&app, row)).collect();
    Ok(key_page(&links, &params, lines, next))
}

fn view(app: &AppState, row: LogRow) -> wire::LogLine {
    wire::LogLine {
        id: row.id,
        at: app.engine.shown(row.at).to_string(),
        level: row.level.as_str().into(),
        message: row.message,
        image_id: row.capture.map(|id| id.to_string()),
    }
}
