//! What whoever asks for a move of a job saw of it (docs/wire.md#moves-of-a-job).

use axum::extract::{FromRequest, Request};
use serde_json::{Map, Value};
use trapline_core::job::Expect;

use super::{ApiError, AppState, Fields, error::ApiResult};

const FIELD: &str = "expect";
/// What a request of the API expects.
pub(super) struct Expected(pub(super) Expect);

impl FromRequest<AppState> for Expected {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let mut fields = Fields::from_request(request, app).await?;
        read(&mut fields).map(Self)
    }
}

/// Reads `expect` of a JSON body, or `expect.run` and the like of a form. Without any of it nothing is compared.
///
/// # Errors
/// 400 if it names what is not compared, or not as a number or a status.
pub(crate) fn read(fields: &mut Fields) -> ApiResult<Expect> {
    let mut given = match fields.take(FIELD) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(given)) => given,
        Some(_) => return Err(ApiError::field(FIELD, "Expected an object.")),
    };
    given.extend(fields.take_below(FIELD));
    let mut expect = Expect::ANYTHING;
    for (name, value) in &given {
        let wrong = || ApiError::field(FIELD, format!("`{name}` is not valid."));
        let number = || match value {
            Value::String(text) => text.parse().map_err(|_| wrong()),
            other => other.as_u64().ok_or_else(wrong),
        };
        match name.as_str() {
            "status" => {
                let status = value.as_str().and_then(|s| s.parse().ok());
                expect.status = Some(status.ok_or_else(wrong)?);
            }
            "run" => expect.run = Some(i64::try_from(number()?).map_err(|_| wrong())?),
            "total" => expect.total = Some(number()?),
            "processed" => expect.processed = Some(number()?),
            "failed" => expect.failed = Some(number()?),
            _ => {
                return Err(ApiError::field(
                    FIELD,
                    format!("`{name}` can't be compared; known: status, run, total, processed, failed"),
                ));
            }
        }
    }
    Ok(expect)
}
