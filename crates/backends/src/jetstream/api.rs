//! Requests to JetStream's JSON API. What we send is written here as JSON, field by field: newer servers refuse fields
//! that they do not know, and older ones lack many that the client would send.

use async_nats::jetstream::{self, ErrorCode, response::Response};
use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use trapline_core::{Error, Result};

use super::JetStreamQueue;

/// What a server says that can't make as many replicas as were asked for.
const TOO_FEW_SERVERS: [ErrorCode; 3] = [
    ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED,
    ErrorCode::CLUSTER_NO_PEERS,
    ErrorCode::INSUFFICIENT_RESOURCES,
];

/// What the server refused.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: ErrorCode,
    error: jetstream::Error,
}

impl Refused {
    /// Is it that there is no such stream or consumer?
    pub(super) fn is_absent(&self) -> bool {
        [ErrorCode::STREAM_NOT_FOUND, ErrorCode::CONSUMER_NOT_FOUND].contains(&self.code)
    }

    /// A refusal that nothing of ours can help; the same request may succeed later.
    pub(super) fn into_error(self, what: &str) -> Error {
        let hint = if TOO_FEW_SERVERS.contains(&self.code) {
            "; has the cluster as many servers as `queue_replicas` says, with room for it?"
        } else {
            ""
        };
        Error::unavailable(format!("NATS refused to {what}{hint}")).with_source(self.error)
    }
}

/// Of a stream, what we read.
#[derive(Deserialize)]
pub(super) struct StreamInfo {
    pub(super) config: StreamConfig,
    pub(super) created: String,
    pub(super) state: StreamState,
}

#[derive(Deserialize)]
pub(super) struct StreamConfig {
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct StreamState {
    pub(super) messages: u64,
}

/// Of a consumer, what we read.
#[derive(Deserialize)]
pub(super) struct ConsumerInfo {
    pub(super) num_pending: u64,
    pub(super) num_ack_pending: u64,
    pub(super) num_redelivered: u64,
}

/// A page of streams.
#[derive(Deserialize)]
pub(super) struct StreamPage {
    pub(super) total: usize,
    pub(super) streams: Option<Vec<StreamInfo>>,
}

/// How many streams there are.
#[derive(Deserialize)]
pub(super) struct StreamCount {
    pub(super) total: usize,
}

impl JetStreamQueue {
    /// One request; `Null` sends nothing, which some subjects insist on. The outer error is that nobody answered, the
    /// inner that the server refused.
    pub(super) async fn api<T: DeserializeOwned>(
        &self,
        what: &str,
        payload: &Value,
    ) -> Result<std::result::Result<T, Refused>> {
        let body = if payload.is_null() {
            Bytes::new()
        } else {
            payload.to_string().into()
        };
        let answer = self
            .client
            .request(format!("$JS.API.{what}"), body)
            .await
            .map_err(|e| {
                Error::unavailable(format!("{} did not answer `{what}`", self.breaker.server()))
                    .with_source(e)
            })?;
        let answer: Response<T> = serde_json::from_slice(&answer.payload).map_err(|e| {
            Error::internal(format!("NATS answers `{what}` in a way that we don't read")).with_source(e)
        })?;
        Ok(match answer {
            Response::Ok(value) => Ok(value),
            Response::Err { error } => Err(Refused {
                code: error.error_code(),
                error,
            }),
        })
    }
}
