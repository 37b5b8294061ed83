//! What would be done, as it stands above the button.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use serde_json::Value;
use trapline_core::{
    catalog::Collection,
    words::{count, counted, span},
};
use trapline_engine::Crew;

use super::choice::Choice;
use crate::{
    http::{ApiError, AppState, Fields, new_job::Asked, preflight::warnings},
    ui::{
        page::{PageError, render},
        session::Visitor,
        words::visible,
        wrong::Wrong,
    },
};

/// Fields of a request for a job, and what the form calls them.
const CALLED: [(&str, &str); 2] = [("pipeline_slug", "pipeline"), ("failure_threshold", "threshold")];

/// What would be done.
pub(super) struct Ahead {
    /// Empty if it is not known.
    pub(super) line: String,
    pub(super) wrong: Wrong,
    pub(super) warnings: Vec<String>,
    /// What stands on the button; empty if there is nothing to start.
    pub(super) button: String,
}

/// The part of the page that is read again when something else is chosen.
#[derive(Template)]
#[template(path = "parts/ahead.html")]
struct AheadPart {
    ahead: Ahead,
}

impl Ahead {
    pub(super) async fn read(
        app: &AppState,
        visitor: &Visitor,
        set: &Collection,
        choice: &Choice,
        crew: &Crew,
        rejected: u64,
    ) -> Result<Self, PageError> {
        let asked = match asked(app, visitor, set, choice).await? {
            Ok((asked, _)) => asked,
            Err(wrong) => return Ok(Self::of_wrong(wrong)),
        };
        let found = asked.preflight(app, crew).await?;
        let least = if found.at_least { "at least " } else { "" };
        let mut parts = vec![format!("{least}{} to do", count(found.to_do))];
        if found.already_processed > 0 {
            let slug = visible(&choice.slug);
            let then = if choice.reprocess { "done again" } else { "skipped" };
            let done = count(found.already_processed);
            parts.push(format!("{least}{done} already processed by {slug}, {then}"));
        }
        if rejected > 0 {
            parts.push(counted(rejected, "broken line"));
        }
        if !choice.slug.is_empty() {
            parts.push(format!("{} online", counted(found.live_workers, "worker")));
        }
        let before = match found.ahead {
            0 => String::new(),
            n => format!("after {} before it", counted(n, "job")),
        };
        let about = if found.at_least { "at least" } else { "about" };
        parts.extend(match found.eta {
            _ if found.to_do == 0 => None,
            Some(eta) if before.is_empty() => Some(format!("{about} {}", span(eta))),
            Some(eta) => Some(format!("{about} {} in all, {before}", span(eta))),
            None if before.is_empty() => None,
            None => Some(before),
        });
        Ok(Self {
            line: parts.join(" · "),
            wrong: Wrong::default(),
            warnings: warnings(&asked, &found).iter().map(|w| visible(w)).collect(),
            button: match found.to_do {
                0 => String::new(),
                _ if choice.slug.is_empty() => String::new(),
                n => format!("Start {least}{}", counted(n, "image")),
            },
        })
    }

    /// As a part of the page.
    pub(super) fn part(self) -> Response {
        render(StatusCode::OK, &AheadPart { ahead: self })
    }

    fn of_wrong(wrong: Wrong) -> Self {
        Self {
            line: String::new(),
            wrong,
            warnings: Vec::new(),
            button: String::new(),
        }
    }
}

/// The job that is chosen with the body of a request for it, or what is wrong with what was typed.
pub(super) async fn asked(
    app: &AppState,
    visitor: &Visitor,
    set: &Collection,
    choice: &Choice,
) -> Result<Result<(Asked, Value), Wrong>, PageError> {
    let body = match choice.body(set) {
        Ok(body) => body,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let mut fields = Fields::of(body.clone())?;
    match Asked::read(app, &visitor.principal, &mut fields).await {
        Ok(asked) => Ok(Ok((asked, body))),
        Err(error) => wrong(error).map(Err),
    }
}

/// What an error says of this form.
pub(super) fn wrong(error: ApiError) -> Result<Wrong, PageError> {
    Wrong::of(error, &CALLED)
}
