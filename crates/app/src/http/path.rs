//! Numbers in paths.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use super::{ApiError, AppState};

/// The one number in a path: `/projects/{id}`. What is no number names nothing, so it is a 404 and no 400.
#[derive(Clone, Copy, Debug)]
pub struct Id(pub i64);

impl FromRequestParts<AppState> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::not_found())?;
        id.parse().map(Self).map_err(|_| ApiError::not_found())
    }
}
