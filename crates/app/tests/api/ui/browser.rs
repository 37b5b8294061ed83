//! A browser without JavaScript, in process.

use axum::{
    body::Body,
    http::{HeaderMap, Method, StatusCode},
};
use trapline_core::{ProjectId, catalog::Role};

use crate::support::{Client, TestApp};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
/// What a browser sends with a form of the same server over plain HTTP.
pub(super) const OWN: (&str, &str) = ("origin", "http://trapline.test");

/// A browser: it keeps one cookie.
pub(super) struct Browser {
    client: Client,
    pub(super) cookie: String,
}

pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) html: String,
}

impl Page {
    #[track_caller]
    pub(super) fn has(&self, text: &str) -> &Self {
        assert!(
            self.html.contains(text),
            "no `{text}` in {} {}",
            self.status,
            self.html
        );
        self
    }

    #[track_caller]
    pub(super) fn has_not(&self, text: &str) -> &Self {
        assert!(!self.html.contains(text), "`{text}` in {}", self.html);
        self
    }

    pub(super) fn location(&self) -> &str {
        self.headers.get("location").map_or("", |l| l.to_str().unwrap())
    }

    /// The path of the page after it, as its link has it.
    pub(super) fn next(&self) -> String {
        let (before, _) = self.html.split_once("rel=\"next\"").unwrap();
        let (_, path) = before.rsplit_once("href=\"").unwrap();
        path.split('"').next().unwrap().replace("&#38;", "&")
    }

    /// Its strip of the neighbours in time.
    pub(super) fn neighbours(&self) -> &str {
        let (_, strip) = self.html.split_once("aria-label=\"Neighbours in time\"").unwrap();
        strip.split("</nav>").next().unwrap()
    }

    /// The hidden fields of its form, as a browser posts them.
    pub(super) fn form(&self) -> String {
        let main = self.html.split("<main ").nth(1).unwrap();
        let main = main.split("</main>").next().unwrap();
        let fields = main.split("<input type=\"hidden\" ").skip(1).map(|rest| {
            let attribute = |name: &str| {
                rest.split(&format!("{name}=\""))
                    .nth(1)
                    .unwrap()
                    .split('"')
                    .next()
                    .unwrap()
            };
            format!("{}={}", attribute("name"), attribute("value"))
        });
        fields.collect::<Vec<_>>().join("&")
    }
}

impl Browser {
    pub(super) fn new(app: &TestApp) -> Self {
        Self::of_client(app.anon())
    }

    fn of_client(client: Client) -> Self {
        Self {
            client,
            cookie: String::new(),
        }
    }

    /// Signed in with a token.
    pub(super) async fn with(app: &TestApp, token: &str) -> Self {
        Self::signed_in(app.anon(), token).await
    }

    /// Signed in with a token at another server.
    pub(super) async fn signed_in(client: Client, token: &str) -> Self {
        let mut browser = Self::of_client(client);
        let page = browser.post("/login", &format!("token={token}")).await;
        assert_eq!(
            (page.status, page.location()),
            (StatusCode::SEE_OTHER, "/jobs"),
            "{}",
            page.html
        );
        let cookie = page.headers["set-cookie"].to_str().unwrap();
        browser.cookie = cookie.split(';').next().unwrap().to_owned();
        browser
    }

    /// Signed in with a new token of a role.
    pub(super) async fn of(app: &TestApp, role: Role, project: Option<ProjectId>) -> Self {
        Self::with(app, &app.token(role, project).await).await
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Page {
        let mut all = headers.to_vec();
        if !self.cookie.is_empty() {
            all.push(("cookie", &self.cookie));
        }
        let content_type = FORM.filter(|_| method == Method::POST);
        let body = Body::from(body.to_owned());
        let (parts, bytes) = self.client.exchange(method, path, content_type, body, &all).await;
        Page {
            status: parts.status,
            headers: parts.headers,
            html: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// Posts a form that may have a file: fields with the names of their files, if they have any.
    pub(super) async fn send_form(&self, path: &str, fields: &[(&str, Option<&str>, &str)]) -> Page {
        let mut body = String::new();
        for (name, file, value) in fields {
            let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
            body.push_str(&format!(
                "--line\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n"
            ));
        }
        body.push_str("--line--\r\n");
        let headers = [OWN, ("cookie", self.cookie.as_str())];
        let kind = Some("multipart/form-data; boundary=line");
        let (parts, bytes) = self
            .client
            .exchange(Method::POST, path, kind, Body::from(body), &headers)
            .await;
        Page {
            status: parts.status,
            headers: parts.headers,
            html: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// The body of an answer that goes on.
    pub(super) async fn stream(&self, path: &str) -> Body {
        let headers = [("cookie", self.cookie.as_str())];
        let answer = self
            .client
            .open(Method::GET, path, None, Body::empty(), &headers)
            .await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.into_body()
    }

    pub(super) async fn get(&self, path: &str) -> Page {
        self.send(Method::GET, path, "", &[]).await
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Page {
        self.send(Method::POST, path, body, &[OWN]).await
    }
}
