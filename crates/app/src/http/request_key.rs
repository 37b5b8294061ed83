//! `Idempotency-Key`: what a client calls a request, so that it can send it again if the answer is lost.

use axum::{extract::FromRequestParts, http::request::Parts};
use sha2::{Digest as _, Sha256};
use trapline_core::{ports::CreateKey, words::hex};

use super::{ApiError, AppState, Fields};

const HEADER: &str = "idempotency-key";
const LENGTH_MAX: usize = 255;

/// The header, if there is one.
#[derive(Debug)]
pub(super) struct RequestKey(Option<String>);

impl FromRequestParts<AppState> for RequestKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(HEADER) else {
            return Ok(Self(None));
        };
        let key = value.to_str().map(str::trim).unwrap_or_default();
        if key.is_empty() || key.len() > LENGTH_MAX {
            return Err(ApiError::invalid(format!(
                "Idempotency-Key: give 1 to {LENGTH_MAX} printable ASCII characters"
            )));
        }
        Ok(Self(Some(key.to_owned())))
    }
}

impl RequestKey {
    /// The key with what is asked for under it.
    pub(super) fn of(self, fields: &Fields, start: bool) -> Option<CreateKey> {
        let key = self.0?;
        let asked = Sha256::new()
            .chain_update(fields.text_of_all())
            .chain_update([u8::from(start)])
            .finalize();
        Some(CreateKey {
            key,
            asked: hex(&asked),
        })
    }
}
