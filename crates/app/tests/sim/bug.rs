//! Bugs that a run may be given: of the store, or of what stands before the engine.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::StatusCode,
    middleware::{Next, from_fn},
    response::Response,
};
use trapline_testkit::memory::Mutation;

/// One bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    OfStore(Mutation),
    /// A result that is refused is answered as if it were saved.
    SaysQueued,
    /// A job is made, and its client is told to try again.
    DeniesMade,
}

impl Bug {
    /// Every bug.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Mutation::ALL
            .iter()
            .copied()
            .map(Self::OfStore)
            .chain([Self::SaysQueued, Self::DeniesMade])
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::OfStore(mutation) => format!("{mutation:?}"),
            other => format!("{other:?}"),
        }
    }
}

/// A node with one of those of the border, if it is one.
pub(crate) fn at_the_border(bug: Option<Bug>, router: Router) -> Router {
    match bug {
        Some(Bug::SaysQueued) => router.layer(from_fn(|request: Request, next: Next| async move {
            let posts = request.uri().path().ends_with("/result/");
            let response = next.run(request).await;
            if posts { lie(response).await } else { response }
        })),
        Some(Bug::DeniesMade) => router.layer(from_fn(|request: Request, next: Next| async move {
            let makes = request.uri().path().ends_with("/jobs/");
            let mut response = next.run(request).await;
            if makes && response.status() == StatusCode::CREATED {
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            }
            response
        })),
        Some(Bug::OfStore(_)) | None => router,
    }
}

async fn lie(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    parts.headers.remove("content-length");
    let text = String::from_utf8_lossy(&bytes);
    let said = text.replace(r#""status":"rejected""#, r#""status":"queued""#);
    Response::from_parts(parts, Body::from(said))
}
