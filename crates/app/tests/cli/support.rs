//! A scripted server, and the binary run against it.

use std::{
    io::Write as _,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::Response,
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

/// Bounds every wait, so that a broken test ends with a message.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// What no output may hold.
pub(crate) const TOKEN: &str = "very-secret-token-of-the-tests";

/// A request, as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// `GET jobs/1?limit=2`, without `/api/v2/`, the query as sent.
    pub(crate) line: String,
    pub(crate) content_type: String,
    pub(crate) authorization: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

type Script = dyn Fn(&Seen) -> Response + Send + Sync;

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    seen: watch::Sender<Vec<Seen>>,
    script: Arc<Script>,
    _serving: Arc<Mutex<JoinSet<()>>>,
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self {
            url,
            seen: watch::Sender::default(),
            script: Arc::new(script),
            _serving: Arc::default(),
        };
        let router = Router::new().fallback(handle).with_state(server.clone());
        let serve = async { axum::serve(listener, router).await.unwrap() };
        server._serving.lock().unwrap().spawn(serve);
        server
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|s| s.line).collect()
    }

    /// Waits until a request came.
    pub(crate) async fn until(&self, line: &str) {
        let mut seen = self.seen.subscribe();
        let came = seen.wait_for(|all| all.iter().any(|s| s.line.starts_with(line)));
        let came = tokio::time::timeout(PATIENCE, came).await.is_ok();
        assert!(came, "never came: {line}; {:?}", self.lines());
    }

    /// Runs the binary against this server.
    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, b"").await
    }

    pub(crate) async fn run_with(&self, args: &[&str], stdin: &[u8]) -> Ran {
        run(command(&self.url, args), stdin.to_vec()).await
    }

    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        command(&self.url, args).spawn().unwrap()
    }
}

/// The binary in a folder, without what the machine of the test has set.
pub(crate) fn trapline(folder: &std::path::Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trapline"));
    command.current_dir(folder).args(args).stdin(Stdio::null());
    for (name, _) in std::env::vars() {
        if name.starts_with("TRAPLINE_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command
}

/// The binary, told of a server by its environment.
pub(crate) fn command(url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trapline"));
    command
        .args(args)
        .env("TRAPLINE_URL", url)
        .env("TRAPLINE_TOKEN", TOKEN);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) async fn run(mut command: Command, stdin: Vec<u8>) -> Ran {
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // A command that does not read its input may be gone before it is written.
    let written = input.write_all(&stdin);
    drop((input, written));
    ended(child).await
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn ndjson(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Asserts the exit code, and shows everything if it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

pub(crate) async fn ended(child: Child) -> Ran {
    let waiting = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let output = tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("the command ends")
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    assert!(
        !ran.out.contains(TOKEN) && !ran.err.contains(TOKEN),
        "the token is shown: {ran:?}"
    );
    ran
}

async fn handle(
    State(server): State<Server>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers.get(name).map_or("", |v| v.to_str().unwrap()).to_owned();
    let path = uri
        .path()
        .strip_prefix("/api/v2/")
        .unwrap_or(uri.path())
        .trim_end_matches('/');
    let query = uri.query().map(|q| format!("?{q}")).unwrap_or_default();
    let seen = Seen {
        line: format!("{method} {path}{query}"),
        content_type: header("content-type"),
        authorization: header("authorization"),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    server.seen.send_modify(|all| all.push(seen.clone()));
    (server.script)(&seen)
}

pub(crate) fn answer(status: u16, body: &Value) -> Response {
    text(status, body.to_string())
}

pub(crate) fn text(status: u16, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

pub(crate) fn not_found() -> Response {
    answer(404, &serde_json::json!({"detail": "Not found."}))
}
