//! A plain HTTP client of the API: JSON in, JSON out, nothing repeated.

use std::{
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

/// For what has no bound of its own: exports and uploads.
const LONG: Duration = Duration::from_secs(600);

/// A caller with a token.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    nodes: Arc<[String]>,
    turn: Arc<AtomicUsize>,
    token: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, or null if it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The body of a 2xx.
    ///
    /// # Panics
    /// If it is not one.
    #[must_use]
    pub fn ok(self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{}: {}",
            self.status,
            self.body
        );
        self.body
    }
}

impl Client {
    /// A client of the server at `url`.
    ///
    /// # Panics
    /// If no client can be made.
    #[must_use]
    pub fn new(url: &str, token: &str) -> Self {
        Self::of_nodes(vec![url.to_owned()], token)
    }

    /// A client that keeps one connection and no more, however its requests race, for whoever counts those of a server.
    ///
    /// # Panics
    /// If no client can be made.
    #[must_use]
    pub fn of_one_connection(url: &str, token: &str) -> Self {
        Self::keeping(1, vec![url.to_owned()], token)
    }

    /// A client that asks each of these nodes in turn.
    ///
    /// # Panics
    /// If no client can be made.
    #[must_use]
    pub fn of_nodes(urls: Vec<String>, token: &str) -> Self {
        Self::keeping(usize::MAX, urls, token)
    }

    fn keeping(idle: usize, urls: Vec<String>, token: &str) -> Self {
        static CRYPTO: Once = Once::new();
        // Another crate may have installed a provider already; that is as good.
        CRYPTO.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only(std::iter::empty::<reqwest::Certificate>())
            .timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(idle)
            .build()
            .unwrap();
        Self {
            http,
            nodes: urls.into(),
            turn: Arc::default(),
            token: token.to_owned(),
        }
    }

    /// `GET` of a path below the root, or of an absolute URL as pages name them.
    ///
    /// # Errors
    /// If no answer came.
    pub async fn try_get(&self, path: &str) -> reqwest::Result<Answer> {
        read(self.request(reqwest::Method::GET, path)).await
    }

    /// `GET`, with a 2xx.
    ///
    /// # Panics
    /// If no answer came, or another.
    pub async fn get(&self, path: &str) -> Value {
        self.try_get(path).await.unwrap().ok()
    }

    /// The text of a `GET`, as long as it may be.
    ///
    /// # Panics
    /// If no answer came, or not a 2xx, or not to its end.
    pub async fn text(&self, path: &str) -> String {
        let request = self.request(reqwest::Method::GET, path).timeout(LONG);
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        answer.text().await.unwrap()
    }

    /// Any request, with JSON if there is a body.
    ///
    /// # Errors
    /// If no answer came.
    ///
    /// # Panics
    /// If there is no such method.
    pub async fn try_send(&self, method: &str, path: &str, body: Option<&Value>) -> reqwest::Result<Answer> {
        let request = self.request(method.parse().unwrap(), path);
        read(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// If no answer came; the request may have been done all the same.
    pub async fn try_post(&self, path: &str, body: &Value) -> reqwest::Result<Answer> {
        read(self.request(reqwest::Method::POST, path).json(body)).await
    }

    /// `POST` of JSON, with a 2xx.
    ///
    /// # Panics
    /// If no answer came, or another.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        self.try_post(path, body).await.unwrap().ok()
    }

    /// `POST` of a stream of bytes, with a 2xx.
    ///
    /// # Panics
    /// If no answer came, or another.
    pub async fn upload(&self, path: &str, content_type: &str, body: reqwest::Body) -> Value {
        let request = self
            .request(reqwest::Method::POST, path)
            .header("content-type", content_type)
            .timeout(LONG)
            .body(body);
        read(request).await.unwrap().ok()
    }

    /// All rows of a list by key (docs/rules.md B9), page by page, under the key `results`.
    ///
    /// # Panics
    /// If a page can't be had.
    pub async fn rows(&self, path: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let mut page = self.get(&path).await;
            let Value::Array(rows) = page["results"].take() else {
                panic!("`{path}` is no list: {page}");
            };
            all.extend(rows);
            next = page["next"].as_str().map(str::to_owned);
        }
        all
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let url = if path.starts_with("http://") {
            path.to_owned()
        } else {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            format!("{}{path}", self.nodes[turn % self.nodes.len()])
        };
        self.http
            .request(method, url)
            .header("authorization", format!("Token {}", self.token))
    }
}

async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await?;
    Ok(Answer {
        status,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    })
}
