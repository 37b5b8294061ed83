//! A node of this process with one pipeline, and raw connections to it.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use trapline::{
    config::Config,
    wiring::{Node, NodeOptions},
};
use trapline_testkit::{Client, until};

pub(crate) const TOKEN: &str = "an-admin-token-of-a-hostile-test";
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Site {
    pub(crate) config: Config,
    pub(crate) node: Node,
    pub(crate) admin: Client,
    folder: tempfile::TempDir,
}

impl Site {
    pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            listen: "127.0.0.1:0".to_owned(),
            database: format!("sqlite:{}", folder.path().join("t.db").display()),
            admin_token: Some(TOKEN.to_owned()),
            ..Config::default()
        };
        change(&mut config);
        let node = Node::start(&config, NodeOptions::default()).await.unwrap();
        let admin = Client::of_one_connection(&node.url(), TOKEN);
        register(&admin).await;
        // As it would be on the command line of a doctor.
        config.listen = node.address.to_string();
        Self {
            config,
            node,
            admin,
            folder,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.node.address).await.unwrap()
    }

    pub(crate) fn database(&self) -> Database {
        Database::at(&self.folder.path().join("t.db"))
    }

    /// Returns when only so many connections are left, those that listen after their end included.
    pub(crate) async fn connections(&self, left: u64) {
        until("connections end", PATIENCE, async || {
            match self.node.connections().open() {
                open if open <= left => Ok(()),
                open => Err(format!("{open} are open")),
            }
        })
        .await;
    }
}

pub(crate) async fn register(admin: &Client) {
    let pipelines = json!([{"name": "Sizes", "slug": "sizes", "version": 1, "algorithms": [
        {"key": "whole", "name": "Whole", "version": 1, "task_type": "localization"}]}]);
    let body = json!({"processing_service_name": "S", "pipelines": pipelines});
    admin.post("/api/v2/projects/1/pipelines/", &body).await;
}

/// A started job of so many images; its tasks can be had.
pub(crate) async fn job(admin: &Client, images: usize) -> i64 {
    let captures: Vec<Value> = (1..=images)
        .map(|n| json!({ "url": format!("https://x.test/{n}.jpg") }))
        .collect();
    let body = json!({"name": "n", "delay": 0, "project_id": 1, "pipeline_slug": "sizes", "reprocess": true, "captures": captures});
    let id = admin.post("/api/v2/jobs/?start_now", &body).await["id"]
        .as_i64()
        .unwrap();
    until("the job is collected", PATIENCE, async || {
        let shown = admin.get(&format!("/api/v2/jobs/{id}/")).await;
        match shown["counts"]["total"].as_u64() {
            Some(total) if total == images as u64 => Ok(()),
            _ => Err(shown["counts"].to_string()),
        }
    })
    .await;
    id
}

/// How many images are in this state.
pub(crate) async fn images(admin: &Client, job: i64, state: &str) -> usize {
    admin
        .rows(&format!("/api/v2/jobs/{job}/images/?state={state}&limit=1000"))
        .await
        .len()
}

/// The bytes of a request for tasks.
pub(crate) fn ask_for_tasks(job: i64, batch: usize, version: &str, more: &str) -> Vec<u8> {
    post(
        &format!("/api/v2/jobs/{job}/tasks/"),
        &format!("{{\"batch_size\": {batch}}}"),
        version,
        more,
    )
}

pub(crate) fn post(path: &str, body: &str, version: &str, more: &str) -> Vec<u8> {
    format!(
        "POST {path} {version}\r\nHost: x\r\nAuthorization: Token {TOKEN}\r\nContent-Type: application/json\r\n{more}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) async fn send(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
}

/// Reads one answer with a declared length; its status and body.
pub(crate) async fn answer(stream: &mut TcpStream) -> (u16, Value) {
    let (mut text, mut whole) = (Vec::new(), usize::MAX);
    while text.len() < whole {
        assert!(
            stream.read_buf(&mut text).await.unwrap() > 0,
            "the answer broke off: {text:?}"
        );
        let said = String::from_utf8_lossy(&text);
        if let (usize::MAX, Some(head)) = (whole, said.find("\r\n\r\n")) {
            let length = said[..head].lines().find_map(|l| {
                l.to_ascii_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse::<usize>()
                    .ok()
            });
            whole = head + 4 + length.unwrap();
        }
    }
    let said = String::from_utf8(text).unwrap();
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// The rows as they lie in the file.
pub(crate) struct Database(String);

impl Database {
    pub(crate) fn at(path: &Path) -> Self {
        Self(format!("sqlite:{}?mode=ro", path.display()))
    }

    async fn number(&self, sql: &'static str) -> i64 {
        let mut conn = SqliteConnection::connect(&self.0).await.unwrap();
        sqlx::query(sql).fetch_one(&mut conn).await.unwrap().get(0)
    }

    pub(crate) async fn strikes(&self) -> i64 {
        self.number("SELECT coalesce(sum(strikes), 0) FROM tasks").await
    }

    /// Tasks that somebody holds.
    pub(crate) async fn held(&self) -> i64 {
        self.number("SELECT count(*) FROM tasks WHERE grant_id IS NOT NULL")
            .await
    }

    /// How often tasks were handed out.
    pub(crate) async fn hand_outs(&self) -> i64 {
        self.number("SELECT coalesce(sum(delivery), 0) FROM tasks").await
    }

    pub(crate) async fn until(&self, what: &str, hand_outs: i64, held: i64) {
        until(what, PATIENCE, async || {
            match (self.hand_outs().await, self.held().await) {
                (out, left) if out >= hand_outs && left == held => Ok(()),
                (out, left) => Err(format!("{out} hand-outs, {left} held")),
            }
        })
        .await;
    }
}
