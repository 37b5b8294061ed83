//! The button of the second step: the job is made, and is started or kept.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect},
};
use trapline_core::{JobId, catalog::Collection};

use super::{
    ahead::{asked, wrong},
    choice::Choice,
    start::{find, page},
};
use crate::{
    http::{ApiError, AppState, Fields, Id, Params, job_notes},
    ui::{
        page::{PageError, PageResult, render},
        session::Visitor,
        wrong::Wrong,
    },
};

pub(super) async fn act(
    State(app): State<AppState>,
    visitor: Result<Visitor, PageError>,
    Id(id): Id,
    fields: Result<Fields, ApiError>,
) -> PageResult {
    let fields = fields?;
    let start = !fields.has("later");
    let choice = Choice::of_form(fields)?;
    let visitor = match visitor {
        // Whoever signs in again finds what was chosen.
        Err(PageError::SignIn { .. }) => {
            let next = Some(choice.path(id));
            return Err(PageError::SignIn { next });
        }
        visitor => visitor?,
    };
    let (set, draft) = find(&app, &visitor, id).await?;
    let wrong = match make(&app, &visitor, &set, &choice, start).await? {
        Ok(job) => {
            app.catalog.end_draft(set.id, &choice.name).await?;
            let did = if start { "run" } else { "keep" };
            return Ok(Redirect::to(&format!("/jobs/{job}?did={did}")).into_response());
        }
        Err(wrong) => wrong,
    };
    let mut page = page(&app, &visitor, (set, draft), Some(choice), &Params::default()).await?;
    page.ahead.wrong = wrong;
    Ok(render(StatusCode::BAD_REQUEST, &page))
}

/// Makes the job that is chosen, or says why there is none.
async fn make(
    app: &AppState,
    visitor: &Visitor,
    set: &Collection,
    choice: &Choice,
    start: bool,
) -> Result<Result<JobId, Wrong>, PageError> {
    let (asked, body) = match asked(app, visitor, set, choice).await? {
        Ok(asked) => asked,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let key = choice.create_key(&body, start);
    let job = match asked.job(app, start, Some(key)).await {
        Ok(job) => job,
        Err(error) => return wrong(error).map(Err),
    };
    match app.engine.create_job(&job).await {
        Ok(job) => {
            job_notes::done_on_page(app, &visitor.principal, job, "New job");
            Ok(Ok(job))
        }
        Err(error) => wrong(error.into()).map(Err),
    }
}
