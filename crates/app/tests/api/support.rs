//! A server per test: its own store in its own folder, a clock that is moved by hand, clients by role.

use std::{path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, Request, StatusCode, response::Parts},
    response::Response,
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sqlx::Connection as _;
use tower::ServiceExt as _;
use trapline::{
    http::{AppState, Guards, Limits, LocalFiles, TrustedProxies, assemble, auth, router},
    wiring::Thumbs,
};
use trapline_backends::{EmbeddedProgress, EmbeddedQueue, SqliteStore, Thumbnails, sqlite::Access};
use trapline_core::{
    Clock, ProjectId, Timestamp,
    catalog::{NewToken, Role},
    ports::{Catalog, Pulse, Store},
};
use trapline_engine::{Engine, Policy, Ports, Supervisor};
use trapline_testkit::{ManualClock, until};

pub(crate) const ADMIN: &str = "an-admin-token-of-this-process";

pub(crate) struct TestApp {
    pub(crate) router: Router,
    pub(crate) state: AppState,
    pub(crate) store: Arc<SqliteStore>,
    clock: ManualClock,
    _dir: tempfile::TempDir,
}

/// Another node on the store of a [`TestApp`].
pub(crate) struct OtherNode(Router);

impl OtherNode {
    /// The same caller at this node.
    pub(crate) fn client_of(&self, client: &Client) -> Client {
        Client {
            router: self.0.clone(),
            authorization: client.authorization.clone(),
        }
    }
}

/// A caller: a token, or none.
pub(crate) struct Client {
    router: Router,
    authorization: Option<String>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

async fn open(dir: &Path, clock: &Arc<dyn Clock>) -> SqliteStore {
    SqliteStore::open(&dir.join("t.db"), Access::Exclusive, Arc::clone(clock))
        .await
        .unwrap()
}

impl TestApp {
    pub(crate) async fn new() -> Self {
        Self::with(Policy::default(), Limits::default()).await
    }

    pub(crate) async fn with(policy: Policy, limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let store = Arc::new(open(dir.path(), &time).await);
        let state = Self::node(&store, &time, policy, limits).await;
        Self {
            router: router(state.clone()),
            state,
            store,
            clock,
            _dir: dir,
        }
    }

    /// What a node is made of; several may share a store.
    async fn node(
        store: &Arc<SqliteStore>,
        time: &Arc<dyn Clock>,
        policy: Policy,
        limits: Limits,
    ) -> AppState {
        let time = Arc::clone(time);
        let ports = Ports {
            store: Arc::clone(store) as Arc<dyn Store>,
            queue: Arc::new(EmbeddedQueue::new(Arc::clone(&time))),
            progress: Arc::new(EmbeddedProgress::new()),
            clock: Arc::clone(&time),
        };
        let supervisor = Supervisor::new(Arc::clone(&time));
        let image_url = Arc::new(|_, _, url: &str| url.to_owned());
        let engine = Engine::start(ports, policy, image_url, supervisor).await.unwrap();
        AppState {
            guards: Guards::new(&limits, TrustedProxies::default(), engine.clock()),
            limits,
            allow_chaos: true,
            ..AppState::of(engine, Some(ADMIN))
        }
    }

    /// The admin at another node on the same store, which goes by this policy.
    pub(crate) async fn other_node(&self, policy: Policy) -> Client {
        let state = Self::node(&self.store, &self.state.clock, policy, self.state.limits).await;
        Client::admin_of(&router(state))
    }

    /// Another node on the same store.
    pub(crate) async fn second_node(&self) -> OtherNode {
        let policy = *self.state.engine.policy();
        let state = Self::node(&self.store, &self.state.clock, policy, self.state.limits).await;
        OtherNode(router(state))
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Somebody sets the clock of the machine; no time passes.
    pub(crate) fn set_clock(&self, micros: i64) {
        self.clock.set_forward(micros);
    }

    /// A second passes, and the engine's services see it: no outage is made by moving on faster than they write.
    pub(crate) async fn second(&self) {
        self.clock.advance(Duration::from_secs(1));
        let ttr = self.state.engine.policy().task_ttr;
        let pulse = Pulse {
            first: false,
            grace: ttr,
            clock: &self.clock,
            last: None,
        };
        self.store.heartbeat(&pulse).await.unwrap();
        until("the engine's heartbeat", Duration::from_secs(20), async || {
            self.state.engine.check_store().map_err(|e| e.to_string())
        })
        .await;
    }

    /// From now on it shows the photographs below a folder.
    pub(crate) fn show_files(&mut self, folder: &Path) {
        self.state.local_files = LocalFiles::below(Some(folder)).unwrap();
        self.router = router(self.state.clone());
    }

    /// From now on it keeps so many bytes of thumbnails.
    pub(crate) async fn keep_thumbnails(&mut self, bytes_max: u64) -> Thumbnails {
        let path = self._dir.path().join("t.thumbs.db");
        let at = Thumbnails::file(&path).await.unwrap();
        self.state.thumbs = Thumbs::kept(at.clone(), bytes_max);
        self.router = router(self.state.clone());
        at
    }

    /// Keeps the store from writing until the connection is closed.
    pub(crate) async fn hold_writes(&self) -> sqlx::SqliteConnection {
        let path = self._dir.path().join("t.db");
        // A disk that has much to do keeps the server's last commit for seconds.
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(Duration::from_secs(60));
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut connection)
            .await
            .unwrap();
        connection
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn caller(&self, authorization: &str) -> Client {
        Client {
            router: self.router.clone(),
            authorization: Some(authorization.to_owned()),
        }
    }

    pub(crate) fn anon(&self) -> Client {
        Client::of(&self.router)
    }

    /// A caller of a server with these routes at its root.
    pub(crate) fn anon_with_root(&self, root: Router<AppState>) -> Client {
        let private = Router::new().route("/private", axum::routing::get(async || ()));
        let router = assemble(private, Router::new(), root, self.state.clone());
        Client {
            router,
            authorization: None,
        }
    }

    pub(crate) fn admin(&self) -> Client {
        self.caller(&format!("Token {ADMIN}"))
    }

    /// A client with a new token of this role.
    pub(crate) async fn client(&self, role: Role, project: Option<ProjectId>) -> Client {
        let secret = self.token(role, project).await;
        self.caller(&format!("Token {secret}"))
    }

    /// A new token of this role.
    pub(crate) async fn token(&self, role: Role, project: Option<ProjectId>) -> String {
        let secret = auth::new_secret();
        let token = NewToken {
            name: format!("{role:?}"),
            role,
            project_id: project,
            prefix: auth::prefix(&secret),
            hash: auth::hash(&secret),
            expires_at: None,
        };
        self.store.create_token(&token).await.unwrap();
        secret
    }

    /// An admin of the same server, had it not been told to allow chaos.
    pub(crate) fn admin_without_chaos(&self) -> Client {
        let state = AppState {
            allow_chaos: false,
            ..self.state.clone()
        };
        Client {
            router: router(state),
            ..self.admin()
        }
    }

    /// A second project.
    pub(crate) async fn other_project(&self) -> ProjectId {
        self.store
            .create_project("Other", "", &Default::default())
            .await
            .unwrap()
            .id
    }
}

impl Client {
    /// A caller with the admin's token.
    pub(crate) fn admin_of(router: &Router) -> Self {
        Self {
            authorization: Some(format!("Token {ADMIN}")),
            ..Self::of(router)
        }
    }

    /// A caller without a token.
    pub(crate) fn of(router: &Router) -> Self {
        Self {
            router: router.clone(),
            authorization: None,
        }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: impl Into<Body>,
    ) -> Answer {
        self.send_with(method, path, content_type, body, &[]).await
    }

    pub(crate) async fn send_with(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: impl Into<Body>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let (parts, bytes) = self
            .exchange(method, path, content_type, body.into(), headers)
            .await;
        let kind = parts.headers.get("content-type").map(|kind| kind.as_bytes());
        let body = match kind {
            _ if bytes.is_empty() => Value::Null,
            Some(b"text/event-stream") => String::from_utf8(bytes.to_vec()).unwrap().into(),
            _ => serde_json::from_slice(&bytes).unwrap(),
        };
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(crate) async fn exchange(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Body,
        headers: &[(&str, &str)],
    ) -> (Parts, Bytes) {
        let response = self.open(method, path, content_type, body, headers).await;
        let (parts, body) = response.into_parts();
        (parts, body.collect().await.unwrap().to_bytes())
    }

    /// The answer when its head has come.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Body,
        headers: &[(&str, &str)],
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        if headers.iter().all(|(name, _)| *name != "host") {
            request = request.header("host", "trapline.test");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Posts, and goes away when the answer's head has come.
    pub(crate) async fn drop_answer(&self, path: &str, body: &Value) {
        let request = Request::post(path)
            .header("authorization", self.authorization.as_deref().unwrap())
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }

    /// The body as it is.
    pub(crate) async fn text(&self, path: &str) -> (HeaderMap, String) {
        let (parts, bytes) = self.exchange(Method::GET, path, None, Body::empty(), &[]).await;
        assert_eq!(parts.status, StatusCode::OK, "{path}");
        (parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some("application/json"), body.to_string())
            .await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some("application/json"), body.to_string())
            .await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, Body::empty()).await
    }
}

/// Registers one pipeline with a detector and a classifier in the project.
pub(crate) fn moths() -> Value {
    json!({
        "processing_service_name": "AMI Data Companion (gpu-3)",
        "pipelines": [{
            "name": "Moths", "slug": "moths", "version": 1, "description": "Species classifier",
            "algorithms": [
                {"name": "Detector", "key": "detector", "description": null, "task_type": "localization",
                 "version": 1, "version_name": null, "uri": null, "category_map": null},
                {"name": "Classifier", "key": "classifier", "description": null, "task_type": "classification",
                 "version": 1, "version_name": null, "uri": null,
                 "category_map": {"data": [{"label": "moth", "index": 0}, {"label": "nonmoth", "index": 1}],
                                  "labels": ["moth", "nonmoth"], "version": "v1", "description": null, "uri": null}}
            ],
            "stages": []
        }]
    })
}
