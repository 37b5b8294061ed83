//! Who works: a process told apart by `client_info`'s instance, else by token and address.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde_json::Value;
use trapline_core::{ServiceId, WorkerId, ports::WorkerIdentity, result::check_text};

use super::{
    Access, ApiError, AppState, Fields, NAME_MAX, Principal, error::ApiResult, proxies::Client,
    worker::queue_away,
};

/// `client_info` as JSON.
const CLIENT_INFO_BYTES_MAX: usize = 8 << 10;

/// From where the request came.
#[derive(Clone, Debug)]
pub(super) struct Peer(String);

impl FromRequestParts<AppState> for Peer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        let address = parts.extensions.get::<Client>().and_then(Client::ip);
        Ok(Self(
            address.map_or_else(|| "unknown".to_owned(), |a| a.to_string()),
        ))
    }
}

/// Replaces what no database holds: a description of a worker must not keep it from work. Keys go with it.
fn without_nul(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = text.replace('\0', "\u{fffd}"),
        Value::Array(list) => list.iter_mut().for_each(without_nul),
        Value::Object(map) => {
            map.retain(|key, _| !key.contains('\0'));
            map.values_mut().for_each(without_nul);
        }
        _ => {}
    }
}

/// `client_info` of a request.
pub(super) struct ClientInfo {
    /// Which process it is.
    pub(super) instance: Option<String>,
    name: Option<String>,
    json: String,
}

impl ClientInfo {
    /// Takes it out of a body.
    pub(super) fn take(fields: &mut Fields) -> Option<Self> {
        let mut value = fields.take("client_info")?;
        without_nul(&mut value);
        let json = value.to_string();
        if !value.is_object() {
            fields.error("client_info", "Expected a dictionary of items.");
            return None;
        }
        if json.len() > CLIENT_INFO_BYTES_MAX {
            fields.error(
                "client_info",
                format!("Ensure this is at most {CLIENT_INFO_BYTES_MAX} bytes."),
            );
            return None;
        }
        let text = |key: &str| {
            value[key]
                .as_str()
                .filter(|t| check_text(key, t, NAME_MAX).is_ok())
                .map(str::to_owned)
        };
        let name = text("hostname").map(|host| match text("software") {
            Some(software) => format!("{host} ({software})"),
            None => host,
        });
        Some(Self {
            instance: text("instance"),
            name,
            json,
        })
    }
}

fn identity(principal: &Principal, peer: &Peer, info: Option<ClientInfo>) -> WorkerIdentity {
    let mut who = WorkerIdentity {
        token: principal.token,
        instance: peer.0.clone(),
        name: format!("{} at {}", principal.name, peer.0),
        client_info: None,
        service: None,
    };
    if let Some(info) = info {
        // Without an instance of its own, processes of one machine are one worker, as without `client_info`.
        who.instance = info.instance.unwrap_or(who.instance);
        who.name = info.name.unwrap_or(who.name);
        who.client_info = Some(info.json);
    }
    who
}

impl AppState {
    /// Notes a sign of life; `None` if the caller is no worker.
    pub(super) async fn heard_of(
        &self,
        principal: &Principal,
        peer: &Peer,
        info: Option<ClientInfo>,
        pipelines: &[String],
    ) -> trapline_core::Result<Option<WorkerId>> {
        if !principal.may(Access::Work) {
            return Ok(None);
        }
        let who = identity(principal, peer, info);
        Ok(Some(self.engine.meet(&who, pipelines).await?))
    }

    /// Notes which worker registered a service: from now on its signs of life are the service's. ADC registers once and
    /// then only works.
    pub(super) async fn registered(
        &self,
        principal: &Principal,
        peer: &Peer,
        info: Option<ClientInfo>,
        service: ServiceId,
    ) -> trapline_core::Result<()> {
        let mut who = identity(principal, peer, info);
        who.service = Some(service);
        self.engine.meet(&who, &[]).await.map(drop)
    }

    pub(super) async fn worker(
        &self,
        principal: &Principal,
        peer: &Peer,
        info: Option<ClientInfo>,
        pipelines: &[String],
    ) -> ApiResult<WorkerId> {
        principal.require(Access::Work)?;
        self.heard_of(principal, peer, info, pipelines)
            .await
            .map_err(queue_away)?
            .ok_or_else(ApiError::forbidden)
    }
}
