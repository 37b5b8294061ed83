//! What stands before the nodes: each request goes to the node whose turn it is, and to the other if that one takes no
//! connection. A request that was under way when its node went away is answered 502, as by any proxy. `trapline_drill::Relay`
//! can't stand here: it carries connections, so a worker would stay on one node, and it knows of no requests to answer.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::Result;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tokio::{net::TcpListener, task::JoinHandle};

const BODY_MAX: usize = 64 << 20;

struct Nodes {
    urls: [String; 2],
    turn: AtomicUsize,
    http: reqwest::Client,
}

pub(super) struct Balance {
    pub(super) url: String,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Balance {
    pub(super) async fn before(urls: [String; 2]) -> Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only(std::iter::empty::<reqwest::Certificate>())
            .build()?;
        let nodes = Arc::new(Nodes {
            urls,
            turn: AtomicUsize::new(0),
            http,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = Router::new().fallback(pass_on).with_state(nodes);
        #[expect(clippy::disallowed_methods, reason = "a measurement has no supervisor")]
        let serving = tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { url, serving })
    }
}

impl Drop for Balance {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass_on(State(nodes): State<Arc<Nodes>>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    between_two_ends(&mut head.headers);
    let turn = nodes.turn.fetch_add(1, Ordering::Relaxed);
    for at in [turn, turn + 1] {
        let asked = nodes
            .http
            .request(head.method.clone(), format!("{}{}", nodes.urls[at % 2], head.uri))
            .headers(head.headers.clone())
            .body(body.clone())
            .send()
            .await;
        match asked {
            Ok(answer) => return relay(answer).await,
            Err(error) if error.is_connect() => {}
            Err(_) => break,
        }
    }
    StatusCode::BAD_GATEWAY.into_response()
}

async fn relay(answer: reqwest::Response) -> Response {
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    between_two_ends(&mut headers);
    match answer.bytes().await {
        Ok(body) => (status, headers, Body::from(body)).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// Headers of one connection, which are not passed on.
fn between_two_ends(headers: &mut HeaderMap) {
    for name in [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ] {
        headers.remove(name);
    }
}
