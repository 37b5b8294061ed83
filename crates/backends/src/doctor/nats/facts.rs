//! What NATS is asked: each server that is named for its version, and one of them for its JetStream.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, ServerAddr};
use futures::future::join_all;
use serde_json::{Value, json};
use trapline_core::{Clock, Error, Result, Timestamp, error::chain};

use crate::jetstream::{
    JetStreamOptions,
    server::{addresses, identity},
};

const TIMEOUT: Duration = Duration::from_secs(2);
/// All jobs' subjects.
const JOBS: &str = "job.*.tasks";

/// A server that answers.
#[derive(Clone, Debug)]
pub struct Server {
    /// `host:port`, as it was named.
    pub address: String,
    /// Its version.
    pub version: String,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The servers that answered.
    pub servers: Vec<Server>,
    /// Those that did not, and why.
    pub away: Vec<String>,
    /// How many servers the cluster has, as far as it tells its clients; 1 if it is none.
    pub cluster_size: usize,
    /// What JetStream says of our account, or why it says nothing.
    pub jetstream: std::result::Result<Value, String>,
    /// The first page of the jobs' streams.
    pub streams: Vec<Value>,
    /// This machine's clock before the server's, the server's, this machine's after it; servers before 2.10 don't tell.
    pub clocks: Option<(Timestamp, Timestamp, Timestamp)>,
}

/// Asks. It fails if no server answers.
pub(super) async fn ask(url: &str, options: &JetStreamOptions, clock: &dyn Clock) -> Result<Facts> {
    let named = addresses(url)?;
    let asked = named.iter().map(async |address| {
        let name = format!("{}:{}", address.host(), address.port());
        let options = identity(&named, options.credentials.as_deref()).await?;
        Ok((name, connect(options, address.clone()).await))
    });
    let (mut servers, mut away, mut clients) = (Vec::new(), Vec::new(), Vec::new());
    for one in join_all(asked).await {
        match one? {
            (address, Ok(client)) => {
                let version = client.server_info().version;
                servers.push(Server { address, version });
                clients.push(client);
            }
            (address, Err(why)) => away.push(format!("{address}: {}", chain(&why))),
        }
    }
    let Some(client) = clients.first() else {
        return Err(Error::unavailable(away.join("; ")));
    };
    let jetstream = request(client, "$JS.API.INFO", &Value::Null).await;
    let streams = match &jetstream {
        Ok(_) => streams(client).await?,
        Err(_) => Vec::new(),
    };
    let before = clock.now();
    let user = request(client, "$SYS.REQ.USER.INFO", &Value::Null).await.ok();
    let after = clock.now();
    let theirs = user.and_then(|u| Timestamp::parse(u["server"]["time"].as_str()?).ok());
    Ok(Facts {
        cluster_size: cluster_size(&clients, named.len()),
        servers,
        away,
        jetstream: jetstream.map_err(|e| chain(&e)),
        streams,
        clocks: theirs.map(|theirs| (before, theirs, after)),
    })
}

async fn connect(options: ConnectOptions, address: ServerAddr) -> Result<Client> {
    options
        .name("trapline doctor")
        .connection_timeout(TIMEOUT)
        .request_timeout(Some(TIMEOUT))
        .ignore_discovered_servers()
        .max_reconnects(1)
        .connect(address)
        .await
        // The client's error tells its cause by itself.
        .map_err(|e| Error::unavailable(format!("it can't be connected to: {e}")))
}

async fn request(client: &Client, what: &str, body: &Value) -> Result<Value> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = client
        .request(what.to_owned(), body.into())
        .await
        .map_err(|e| Error::unavailable(format!("nobody answers `{what}`")).with_source(e))?;
    let answer: Value = serde_json::from_slice(&answer.payload)
        .map_err(|e| Error::internal(format!("`{what}` is not answered with JSON")).with_source(e))?;
    match answer["error"]["description"].as_str() {
        Some(why) => Err(Error::unavailable(why)),
        None => Ok(answer),
    }
}

async fn streams(client: &Client) -> Result<Vec<Value>> {
    let page = json!({ "offset": 0, "subject": JOBS });
    let mut answer = request(client, "$JS.API.STREAM.LIST", &page).await?;
    Ok(match answer["streams"].take() {
        Value::Array(streams) => streams,
        _ => Vec::new(),
    })
}

/// A cluster names its servers to clients; one that advertises a single address for all is taken by what was named.
fn cluster_size(clients: &[Client], named: usize) -> usize {
    let told = clients.iter().map(|client| {
        let info = client.server_info();
        match info.cluster {
            Some(_) => info.connect_urls.len().max(named),
            None => 1,
        }
    });
    told.max().unwrap_or(1)
}
