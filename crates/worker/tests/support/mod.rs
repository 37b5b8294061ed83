//! A scripted server that speaks the wire, and what the tests put around it.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test file uses its part"
)]

pub mod door;
pub mod gate;
pub mod running;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use trapline_worker::WorkerConfig;
use trapline_worker::wire::ClientInfo;

pub use door::Door;
pub use gate::{Act, Gate};

/// Bounds every wait, so that a broken test ends with a message.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What the server does with one post of results instead of saving and answering.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers this, saves nothing.
    Answer(u16, Value),
    /// Saves, then breaks the connection in the middle of the answer.
    SaveAndBreak,
    /// Saves nothing and answers with a page of this status.
    Page(u16),
}

/// What the server saw, and what it will do.
#[derive(Default)]
pub struct Script {
    pub claims_to_answer: VecDeque<Value>,
    pub claim_refusal: Option<(u16, Value)>,
    /// Claims and requests for leases are answered with a page of this status.
    pub page: Option<u16>,
    pub result_faults: VecDeque<Fault>,
    pub reject_receipts: HashMap<String, String>,
    pub lost_receipts: Vec<String>,
    pub project_pages: Vec<Vec<i64>>,
    pub project_refusals: HashMap<i64, u16>,

    pub claims: Vec<Value>,
    pub posts: Vec<(i64, Value)>,
    pub saved: Vec<Value>,
    pub leases: Vec<(i64, Value)>,
    pub registrations: Vec<(i64, Value)>,
    pub tokens: Vec<String>,
}

impl Script {
    /// The receipts of all lease requests of one kind.
    pub fn lease_receipts(&self, kind: &str) -> Vec<String> {
        self.leases
            .iter()
            .flat_map(|(_, request)| request[kind].as_array().cloned().unwrap_or_default())
            .filter_map(|receipt| receipt.as_str().map(str::to_owned))
            .collect()
    }

    /// The receipts that were saved, sorted.
    pub fn saved_receipts(&self) -> Vec<String> {
        let mut receipts: Vec<String> = self
            .saved
            .iter()
            .filter_map(|item| item["reply_subject"].as_str().map(str::to_owned))
            .collect();
        receipts.sort();
        receipts
    }
}

/// The scripted server.
#[derive(Clone)]
pub struct Server {
    script: Arc<Mutex<Script>>,
    changes: watch::Sender<u64>,
    pub url: String,
    _serving: Arc<Mutex<JoinSet<()>>>,
}

impl Server {
    pub async fn start() -> Self {
        let (listener, url) = listen().await;
        let server = Self {
            script: Arc::new(Mutex::new(Script {
                project_pages: vec![vec![1]],
                ..Script::default()
            })),
            changes: watch::Sender::new(0),
            url,
            _serving: Arc::default(),
        };
        let serving = serve(
            listener,
            Router::new().fallback(handle).with_state(server.clone()),
        );
        *server._serving.lock().expect("no poison") = serving;
        server
    }

    /// Reads or changes the script.
    pub fn script<T>(&self, act: impl FnOnce(&mut Script) -> T) -> T {
        let outcome = act(&mut self.lock());
        self.changes.send_modify(|version| *version += 1);
        outcome
    }

    /// Queues one claim's answer: tasks `first..first + count` of a job.
    pub fn offer(&self, job_id: i64, first: usize, count: usize, lease_seconds: f64) {
        let tasks: Vec<Value> = (first..first + count)
            .map(|n| {
                json!({"id": n.to_string(), "image_id": n.to_string(), "reply_subject": receipt(n),
                    "image_url": format!("http://127.0.0.1:9/{n}.jpg"), "attempt": 1,
                    "lease_seconds": lease_seconds, "config": null})
            })
            .collect();
        let answer = json!({"job_id": job_id, "pipeline_slug": "test", "tasks": tasks});
        self.script(|script| script.claims_to_answer.push_back(answer));
    }

    /// Waits until the script is as wanted.
    pub async fn until(&self, what: &str, mut wanted: impl FnMut(&Script) -> bool) {
        let mut changes = self.changes.subscribe();
        let waiting = async {
            while !wanted(&self.lock()) {
                changes
                    .changed()
                    .await
                    .expect("the server lives as long as the test");
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let script = self.lock();
            panic!(
                "never came: {what}; claims {}, posts {}, saved {:?}, leases {:?}",
                script.claims.len(),
                script.posts.len(),
                script.saved_receipts(),
                script.leases
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("no test panics under the lock")
    }
}

/// The receipt of task `n`; sorts by number.
pub fn receipt(n: usize) -> String {
    format!("receipt-{n:04}")
}

/// The receipts of tasks, as `saved_receipts` gives them.
pub fn receipts(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(receipt).collect()
}

async fn handle(
    State(server): State<Server>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let token = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    server.script(|script| script.tokens.push(token.to_owned()));
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let path: Vec<&str> = uri.path().trim_matches('/').split('/').skip(2).collect();
    match (method.as_str(), path.as_slice()) {
        ("POST", ["tasks", "claim"]) => claim(&server, body).await,
        ("POST", ["jobs", id, "leases"]) => leases(&server, number(id), body),
        ("POST", ["jobs", id, "result"]) => result(&server, number(id), body),
        ("GET", ["projects"]) => projects(&server, &uri),
        ("POST", ["projects", id, "pipelines"]) => register(&server, number(id), body),
        _ => answer(404, &json!({"detail": "Not found."})),
    }
}

async fn claim(server: &Server, body: Value) -> Response {
    server.script(|script| script.claims.push(body));
    let mut changes = server.changes.subscribe();
    loop {
        let next = {
            let mut script = server.lock();
            if let Some((status, body)) = &script.claim_refusal {
                return answer(*status, body);
            }
            if let Some(status) = script.page {
                return page(status);
            }
            script.claims_to_answer.pop_front()
        };
        if let Some(next) = next {
            return answer(200, &next);
        }
        changes
            .changed()
            .await
            .expect("the server lives as long as the test");
    }
}

fn leases(server: &Server, job_id: i64, body: Value) -> Response {
    if let Some(status) = server.script(|script| script.page) {
        return page(status);
    }
    let answers = server.script(|script| {
        script.leases.push((job_id, body.clone()));
        let named = ["extend", "release"].map(|kind| body[kind].as_array().cloned().unwrap_or_default());
        let status = |receipt: &Value| {
            let is_lost = script.lost_receipts.iter().any(|lost| receipt == lost);
            json!({"receipt": receipt, "status": if is_lost { "rejected" } else { "ok" }})
        };
        named.concat().iter().map(status).collect::<Vec<_>>()
    });
    answer(200, &json!({"leases": answers}))
}

fn result(server: &Server, job_id: i64, body: Value) -> Response {
    server.script(|script| {
        script.posts.push((job_id, body.clone()));
        let fault = script.result_faults.pop_front();
        match &fault {
            Some(Fault::Answer(status, body)) => return answer(*status, body),
            Some(Fault::Page(status)) => return page(*status),
            Some(Fault::SaveAndBreak) | None => {}
        }
        let items = body["results"].as_array().cloned().unwrap_or_default();
        let tasks: Vec<Value> = items
            .into_iter()
            .map(|item| {
                let receipt = item["reply_subject"].as_str().unwrap_or_default().to_owned();
                if let Some(detail) = script.reject_receipts.get(&receipt) {
                    return json!({"reply_subject": receipt, "status": "rejected", "detail": detail, "task_id": "t"});
                }
                let is_replay = script.saved.iter().any(|saved| saved["reply_subject"] == item["reply_subject"]);
                if !is_replay {
                    script.saved.push(item);
                }
                json!({"reply_subject": receipt, "status": "queued", "task_id": "t"})
            })
            .collect();
        if fault.is_some() {
            return broken();
        }
        let all_rejected = !tasks.is_empty() && tasks.iter().all(|task| task["status"] == "rejected");
        let body = json!({"status": "accepted", "job_id": job_id, "results_queued": 0, "tasks": tasks});
        answer(if all_rejected { 400 } else { 200 }, &body)
    })
}

fn projects(server: &Server, uri: &Uri) -> Response {
    let offset = uri
        .query()
        .and_then(|query| query.strip_prefix("offset="))
        .map_or(0, number) as usize;
    let script = server.lock();
    let page = script.project_pages.get(offset).cloned().unwrap_or_default();
    // As behind a proxy, the host of `next` is one that the worker can't reach.
    let has_next = offset + 1 < script.project_pages.len();
    let next = has_next.then(|| format!("http://inside.invalid/api/v2/projects/?offset={}", offset + 1));
    let results: Vec<Value> = page.iter().map(|id| json!({"id": id, "name": "p"})).collect();
    answer(
        200,
        &json!({"count": 1, "next": next, "previous": null, "results": results}),
    )
}

fn register(server: &Server, project_id: i64, body: Value) -> Response {
    server.script(|script| {
        script.registrations.push((project_id, body));
        match script.project_refusals.get(&project_id) {
            Some(status) => answer(*status, &json!({"detail": "You do not have permission."})),
            None => answer(201, &json!({"success": true, "pipelines_created": ["test"]})),
        }
    })
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or(-1)
}

/// A JSON answer.
pub fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response
}

fn page(status: u16) -> Response {
    let mut page = Response::new(Body::from("<html>please log in</html>"));
    *page.status_mut() = StatusCode::from_u16(status).expect("a status");
    page
}

/// A 200 whose body breaks off.
pub fn broken() -> Response {
    let parts: [Result<Bytes, std::io::Error>; 2] = [
        Ok(Bytes::from_static(b"{\"status\":")),
        Err(std::io::Error::other("cut")),
    ];
    Response::new(Body::from_stream(futures::stream::iter(parts)))
}

/// A port of this machine.
pub async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port has an address");
    (listener, format!("http://{address}"))
}

/// Serves until the set is dropped.
pub fn serve(listener: TcpListener, router: Router) -> JoinSet<()> {
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await.expect("serving goes on") });
    serving
}

/// Settings for tests: quick to try again, patient to stop.
pub fn config(url: &str) -> WorkerConfig {
    WorkerConfig {
        client_info: ClientInfo {
            hostname: "box".to_owned(),
            software: "trapline".to_owned(),
            version: "0".to_owned(),
            platform: "test".to_owned(),
            instance: "i".to_owned(),
        },
        batch_size: 8,
        concurrency: 4,
        retry_first: Duration::from_millis(5),
        retry_longest: Duration::from_millis(20),
        gather: Duration::from_millis(5),
        idle_pause: Duration::from_millis(5),
        ..WorkerConfig::new(url, "secret-token")
    }
}
