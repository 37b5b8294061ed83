//! What all pages have: their frame, how they are rendered, and what stands in their place when they can't be.

use askama::Template;
use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use trapline_core::{Error, error::chain};

use super::{
    assets,
    look::{self, Look},
    narrowed::Narrowed,
    picker::Picker,
    session::Visitor,
    words::visible,
};
use crate::http::{ApiError, Principal, access_log::RequestId, error::Said};

/// The result of a page's handler.
pub(super) type PageResult<T = Response> = Result<T, PageError>;

/// The places in the bar: their words in [`Frame::at`], their paths, and what stands there.
const PLACES: &[(&str, &str, &str)] = &[
    ("jobs", "/jobs", "Jobs"),
    ("workers", "/workers", "Workers"),
    ("sets", "/sets", "Sets"),
    ("pipelines", "/pipelines", "Pipelines"),
    ("health", "/health", "Health"),
];

/// The heading of a page whose store can't be reached.
pub(super) const AWAY: &str = "Not available just now";

/// The frame of a page.
pub(super) struct Frame {
    /// What stands in the browser's tab.
    pub(super) title: String,
    /// The place in the bar that this page is of.
    pub(super) at: &'static str,
    /// Who is signed in: name and role.
    pub(super) who: Option<(String, &'static str)>,
    /// Whether a browser without JavaScript reads the page again after a while.
    pub(super) refreshes: bool,
    /// Whether it is told of what is new, also if nothing on it changes by itself.
    pub(super) follows: bool,
    /// Whether it is read again until it is there.
    pub(super) again: bool,
    /// A script of its own; empty if it has none.
    pub(super) script: &'static str,
    pub(super) look: Look,
    /// The projects that the bar offers.
    pub(super) picker: Option<Picker>,
}

impl Frame {
    pub(super) fn new(title: impl Into<String>, at: &'static str, visitor: &Visitor) -> Self {
        let Principal { name, role, .. } = &visitor.principal;
        Self {
            title: title.into(),
            at,
            who: Some((visible(name), role.as_str())),
            refreshes: false,
            follows: false,
            again: false,
            script: "",
            look: look::now(),
            picker: visitor
                .projects
                .as_ref()
                .and_then(|of| Picker::new(of, of.chosen)),
        }
    }

    /// Of a list: the bar shows to which project it is narrowed.
    pub(super) fn of(title: &str, at: &'static str, visitor: &Visitor, narrowed: &Narrowed) -> Self {
        Self {
            picker: narrowed.picker(),
            ..Self::new(title, at, visitor)
        }
    }

    /// Of a page that is for anybody.
    pub(super) fn public(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            at: "",
            who: None,
            refreshes: false,
            follows: false,
            again: false,
            script: "",
            look: look::now(),
            picker: None,
        }
    }

    pub(super) fn asset(&self, name: &str) -> &'static str {
        assets::path(name)
    }

    pub(super) fn places(&self) -> &'static [(&'static str, &'static str, &'static str)] {
        PLACES
    }

    pub(super) fn build(&self) -> &'static str {
        assets::build()
    }

    pub(super) fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

/// A page as an answer.
pub(super) fn render(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(error = chain(&error), "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Why there is no page.
#[derive(Debug)]
pub(super) enum PageError {
    /// Nobody is signed in; where to go afterwards.
    SignIn { next: Option<String> },
    /// Another site sent it.
    Forged,
    /// It was meant for a server of another name.
    Misdirected,
    /// As the API would answer.
    Failed(ApiError),
}

impl PageError {
    /// Whether the store can't be reached.
    pub(super) fn is_away(&self) -> bool {
        matches!(self, Self::Failed(error) if error.status() == StatusCode::SERVICE_UNAVAILABLE)
    }
}

impl From<ApiError> for PageError {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

impl From<Error> for PageError {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    heading: &'static str,
    what: String,
    /// The id of the request; empty if it has none.
    id: String,
    /// A link that helps: its path and its words.
    way: (&'static str, &'static str),
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn { next } => to_sign_in(next.as_deref()).into_response(),
            Self::Forged => {
                let what = "This was not sent from a page of this server. Open the page here and try again.";
                failed(
                    StatusCode::FORBIDDEN,
                    "Not done",
                    what.to_owned(),
                    None,
                    Asked::default(),
                )
            }
            Self::Misdirected => {
                let what = "This server has another name. Use the address that it was announced with, or set `public_url` to this one.";
                let status = StatusCode::MISDIRECTED_REQUEST;
                failed(
                    status,
                    "Not the address of this server",
                    what.to_owned(),
                    None,
                    Asked::default(),
                )
            }
            // `for_people` makes a page of it, as of what no handler has seen.
            Self::Failed(error) => error.into_response(),
        }
    }
}

/// What a failed request was.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) id: Option<RequestId>,
    /// Whether it changes nothing, and may be sent again by itself.
    pub(super) is_safe: bool,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Self {
        Self {
            id: request.extensions().get::<RequestId>().cloned(),
            is_safe: request.method().is_safe(),
        }
    }
}

/// Makes a page of an answer that says what was wrong to a program; others stay.
pub(super) fn for_people(response: Response, asked: Asked) -> Response {
    let Some(said) = response.extensions().get::<Said>().cloned() else {
        return response;
    };
    let seconds = said.retry_after;
    let status = response.status();
    let (heading, what) = match status {
        StatusCode::NOT_FOUND => (
            "Not found",
            "There is nothing here. It may have been deleted, or belong to a project that your token does not see.".to_owned(),
        ),
        StatusCode::FORBIDDEN => (
            "Not allowed",
            "Your token does not allow this. Sign in with one that does, or ask whoever runs this server.".to_owned(),
        ),
        StatusCode::TOO_MANY_REQUESTS => (
            "Too many tries",
            format!("Try again in {} s.", seconds.unwrap_or(60)),
        ),
        StatusCode::SERVICE_UNAVAILABLE if asked.is_safe => (
            AWAY,
            "The server can't reach its store. Nothing is lost; this page is read again by itself in some seconds.".to_owned(),
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            AWAY,
            "The server can't reach its store, and it is not known whether this was done: look before you do it again.".to_owned(),
        ),
        status if status.is_server_error() => (
            "Something went wrong",
            "This is a fault of the server, and its log says more. Try again, or tell whoever runs it.".to_owned(),
        ),
        _ => ("Not done", said.text.unwrap_or_else(|| "The server can't read this request.".to_owned())),
    };
    failed(status, heading, what, seconds, asked)
}

fn failed(
    status: StatusCode,
    heading: &'static str,
    what: String,
    seconds: Option<u64>,
    asked: Asked,
) -> Response {
    let mut frame = Frame::public(heading);
    // What is asked for again is the page of the address: where a form was sent, an empty form would take its place.
    frame.again = status == StatusCode::SERVICE_UNAVAILABLE && asked.is_safe;
    let page = ErrorPage {
        frame,
        heading,
        what,
        id: asked.id.map(|RequestId(id)| id).unwrap_or_default(),
        way: ("/jobs", "All jobs"),
    };
    let mut response = render(status, &page);
    if let Some(seconds) = seconds {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn to_sign_in(next: Option<&str>) -> Redirect {
    Redirect::to(&with_query("/login", next.map(|next| ("next", next))))
}

/// A path of this server with a query, which may be empty.
pub(super) fn with_query<V: AsRef<str>>(
    path: &str,
    query: impl IntoIterator<Item = (&'static str, V)>,
) -> String {
    let url = reqwest::Url::parse_with_params("http://page.invalid", query).expect("a host is a URL");
    match url.query().unwrap_or_default() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}
