//! How pages look to this browser: its time zone, its theme, how close rows stand, and what kind of server it talks to.
//!
//! It is known to everything that renders a page, without being handed through: a time is made in a dozen places, all in one zone.

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse as _, Redirect, Response},
    routing::post,
};
use jiff::tz::TimeZone;

use super::{
    login::{is_tls, place},
    page::PageResult,
    session::{Jar, PROJECT, cookie},
};
use crate::http::{ApiError, AppState, Fields, NAME_MAX, proxies::Client};

/// Cookies live for a year; those of a preference are no secret, and a script writes one of them.
const YEAR: &str = "Max-Age=31536000; SameSite=Lax";

tokio::task_local! {
    static LOOK: Look;
}

/// What pages know of the browser that they are for.
#[derive(Clone)]
pub(super) struct Look {
    /// `light` or `dark`; empty if the browser decides.
    pub(super) theme: &'static str,
    /// `compact` if the rows of tables stand closer; else empty.
    pub(super) density: &'static str,
    pub(super) zone: TimeZone,
    /// The zone of the browser, also if pages are in UTC.
    pub(super) own_zone: Option<String>,
    /// The page, for a form that leads back to it.
    pub(super) here: String,
    /// Whether the store has answered lately; `None` if nothing is processed here.
    pub(super) ready: Option<bool>,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            theme: "",
            density: "",
            zone: TimeZone::UTC,
            own_zone: None,
            here: "/".to_owned(),
            ready: Some(true),
        }
    }
}

impl Look {
    fn of(headers: &HeaderMap) -> Self {
        let own = cookie(headers, "tz").and_then(|name| TimeZone::get(name).ok());
        let own_zone = own.as_ref().and_then(|zone| zone.iana_name()).map(str::to_owned);
        let zone = own.filter(|_| cookie(headers, "utc").is_none());
        Self {
            theme: cookie(headers, "theme").and_then(theme).unwrap_or_default(),
            density: cookie(headers, "density").map(density).unwrap_or_default(),
            zone: zone.unwrap_or(TimeZone::UTC),
            own_zone,
            ..Self::default()
        }
    }

    /// The name of the zone in which times are shown.
    pub(super) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The other zone in which times can be shown: its word in forms, and its name.
    pub(super) fn other_zone(&self) -> Option<(&'static str, &str)> {
        let own = self.zone_beside_utc()?;
        Some(match self.zone_name() == own {
            true => ("utc", "UTC"),
            false => ("own", own),
        })
    }

    /// The zone of the browser, if that is not UTC.
    pub(super) fn zone_beside_utc(&self) -> Option<&str> {
        self.own_zone.as_deref().filter(|own| *own != "UTC")
    }

    /// Whether times are in UTC though the browser may have another zone.
    pub(super) fn is_utc(&self) -> bool {
        self.zone_name() == "UTC"
    }

    /// The themes, with their words.
    pub(super) fn themes(&self) -> [(&'static str, &'static str); 3] {
        [("", "As the system"), ("light", "Light"), ("dark", "Dark")]
    }

    /// The themes that are not chosen.
    pub(super) fn other_themes(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let chosen = self.theme;
        self.themes()
            .into_iter()
            .filter(move |(theme, _)| *theme != chosen)
    }
}

fn theme(word: &str) -> Option<&'static str> {
    ["light", "dark"].into_iter().find(|theme| *theme == word)
}

fn density(word: &str) -> &'static str {
    if word == "compact" { "compact" } else { "" }
}

/// The look of the page that is rendered now.
pub(super) fn now() -> Look {
    LOOK.try_with(Look::clone).unwrap_or_default()
}

/// In front of every page.
pub(super) async fn know(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let look = Look {
        here: request
            .uri()
            .path_and_query()
            .map_or_else(String::new, |p| p.as_str().to_owned()),
        ready: (!app.is_kept).then(|| app.engine.check_store().is_ok()),
        ..Look::of(request.headers())
    };
    LOOK.scope(look, next.run(request)).await
}

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/look", post(change))
}

/// Lists that are narrowed to a project.
const LISTS: [&str; 5] = ["/jobs", "/sets", "/pipelines", "/workers", "/jobs/new"];

/// A list from its beginning, of whichever project was chosen last; another page as it is.
fn anew(path: &str) -> String {
    let Some((list, query)) = path.split_once('?').filter(|(list, _)| LISTS.contains(list)) else {
        return path.to_owned();
    };
    let goes = ["project", "after", "before"];
    let stays = query
        .split('&')
        .filter(|pair| !goes.contains(&pair.split('=').next().unwrap_or_default()));
    match stays.collect::<Vec<_>>().join("&") {
        query if query.is_empty() => list.to_owned(),
        query => format!("{list}?{query}"),
    }
}

async fn change(client: Option<Extension<Client>>, jar: Jar, fields: Result<Fields, ApiError>) -> PageResult {
    let mut fields = fields?;
    let next = fields.maybe_text("next", NAME_MAX * 8);
    let project = fields.maybe_text(PROJECT, NAME_MAX);
    let next = place(next.as_deref());
    let next = match project {
        Some(_) => anew(next),
        None => next.to_owned(),
    };
    let mut response = Redirect::to(&next).into_response();
    let secure = if is_tls(client.as_ref()) { "; Secure" } else { "" };
    let mut set = |name: &str, value: &str| {
        let life = if value.is_empty() {
            "Max-Age=0; SameSite=Lax"
        } else {
            YEAR
        };
        let text = format!("{name}={value}; Path=/; {life}{secure}");
        if let Ok(line) = HeaderValue::from_str(&text) {
            response.headers_mut().append(header::SET_COOKIE, line);
        }
    };
    if let Some(word) = fields.maybe_text("theme", NAME_MAX) {
        set("theme", theme(&word).unwrap_or_default());
    }
    if let Some(word) = fields.maybe_text("density", NAME_MAX) {
        set("density", density(&word));
    }
    if let Some(word) = project {
        let id = word
            .parse::<i64>()
            .map_or_else(|_| String::new(), |id| id.to_string());
        set(&jar.named(PROJECT), &id);
    }
    match fields.maybe_text("zone", NAME_MAX).as_deref() {
        Some("utc") => set("utc", "1"),
        Some(_) => set("utc", ""),
        None => {}
    }
    Ok(response)
}
