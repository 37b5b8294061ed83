//! The section "Each call in full" of docs/worker-protocol.md is what happens: its requests are sent to a real server in
//! their order, and answered as it is written; and of each field that its tables name, a request without it is refused by
//! that name where the table says that it is required, and accepted where not.
//!
//! Texts in `<…>` stand for what the server makes up; times, ids of items and rates may differ; `…` in a text stands for
//! anything, and as a field for the fields that are not shown.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod page;
mod services;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use futures::StreamExt as _;
use serde_json::{Value, json};
use trapline_testkit::{Answer, Client, SERVER_TOKEN, Server, until};

use self::page::{Example, Field, names, read};

/// Where the page's server is.
const SITE: &str = "https://trapline.example.org";
/// The admin's token in the page.
const ADMIN: &str = "<admin token>";
/// Fields whose values hang on how fast the machine is.
const VARYING: [&str; 3] = ["duration", "rate_per_minute", "eta_seconds"];
/// An image without a place is one that fails, and not a wrong request.
const NULL_IS_TAKEN: &str = "captures[].url";
const PATIENCE: Duration = Duration::from_secs(30);
/// Fields that are tried at the same time.
const AT_ONCE: usize = 8;

/// What the page's names and numbers are on a server.
struct Bound {
    url: String,
    project: Value,
    /// Whether ids may be others than in the page.
    ids_differ: bool,
    texts: BTreeMap<String, String>,
    /// `/jobs/1/`, and what it is here.
    paths: Vec<(String, String)>,
}

impl Bound {
    fn new(server: &Server, project: Value, ids_differ: bool) -> Self {
        let paths = vec![("/projects/1/".to_owned(), format!("/projects/{project}/"))];
        let texts = [(ADMIN.to_owned(), SERVER_TOKEN.to_owned())].into();
        Self {
            url: server.url(),
            project,
            ids_differ,
            texts,
            paths,
        }
    }

    fn text(&self, text: &str) -> String {
        let bound = self.texts.get(text).cloned();
        bound.unwrap_or_else(|| text.replace(SITE, &self.url))
    }

    /// A body as it is here.
    fn put(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => json!(self.text(text)),
            Value::Array(list) => list.iter().map(|v| self.put(v)).collect(),
            Value::Object(map) => {
                let put = |(key, value): (&String, &Value)| {
                    let here = if key == "project_id" && !value.is_null() {
                        self.project.clone()
                    } else {
                        self.put(value)
                    };
                    (key.clone(), here)
                };
                Value::Object(map.iter().map(put).collect())
            }
            other => other.clone(),
        }
    }

    /// Notes what the server made up in an answer.
    fn learn(&mut self, written: &Value, came: &Value) {
        let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        match (written, came) {
            (Value::String(w), Value::String(c))
                if w.starts_with('<') || (self.ids_differ && digits(w) && digits(c)) =>
            {
                self.texts.entry(w.clone()).or_insert_with(|| c.clone());
            }
            (Value::Array(w), Value::Array(c)) => w.iter().zip(c).for_each(|(w, c)| self.learn(w, c)),
            (Value::Object(w), Value::Object(c)) => {
                w.iter()
                    .filter_map(|(k, w)| Some((w, c.get(k)?)))
                    .for_each(|(w, c)| self.learn(w, c));
            }
            _ => {}
        }
    }

    async fn send(&mut self, example: &Example) -> Answer {
        let mut path = example.path.clone();
        for (there, here) in &self.paths {
            path = path.replace(there, here);
        }
        let body = example.body.as_ref().map(|b| self.put(b));
        let client = Client::new(&self.url, &self.text(&example.token));
        let answer = client
            .try_send(&example.method, &path, body.as_ref())
            .await
            .unwrap();
        self.learn(&example.answer, &answer.body);
        if answer.status == 201 && example.path.ends_with("?start_now") {
            let job = format!("/jobs/{}/", answer.body["id"]);
            self.paths.push(("/jobs/1/".to_owned(), job.clone()));
            let captures = body.unwrap()["captures"].as_array().map_or(0, Vec::len);
            let admin = Client::new(&self.url, SERVER_TOKEN);
            until("the job is dispatched", PATIENCE, async || {
                let counts = admin.get(&format!("/api/v2{job}")).await["counts"].take();
                let ready = counts["total"] == captures;
                ready.then_some(()).ok_or_else(|| counts.to_string())
            })
            .await;
        }
        answer
    }
}

fn is_time(text: &str) -> bool {
    text.len() == 27 && text.ends_with('Z') && text.as_bytes()[10] == b'T'
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.matches('-').count() == 4
}

/// Whether a text is what the page shows.
fn text_matches(written: &str, came: &str) -> bool {
    let both = |is: fn(&str) -> bool| is(written) && is(came);
    let mut rest = came;
    let in_order = written.split('…').all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    });
    match written.split_once('…') {
        Some((first, _)) => in_order && came.starts_with(first),
        None => written == came || both(is_time) || both(is_uuid),
    }
}

/// Where an answer is not what the page shows.
fn differs(written: &Value, came: &Value, place: &str) -> Option<String> {
    let here = || Some(format!("{place}: written {written}, came {came}"));
    match (written, came) {
        (Value::String(w), Value::String(c)) if text_matches(w, c) => None,
        (Value::Array(w), Value::Array(c)) if w.len() == c.len() => {
            let mut pairs = w.iter().zip(c).enumerate();
            pairs.find_map(|(at, (w, c))| differs(w, c, &format!("{place}/{at}")))
        }
        (Value::Object(w), Value::Object(c)) => {
            let unknown = c.keys().find(|k| !w.contains_key(*k) && !w.contains_key("…"));
            if let Some(key) = unknown {
                return Some(format!("{place}/{key} is not written: {}", c[key]));
            }
            // A line of a log has the number of those before it, which other calls write in their own time.
            let is_line = |key: &str| key == "id" && w.contains_key("level");
            let mut shown = w.iter().filter(|(key, _)| *key != "…" && !is_line(key));
            shown.find_map(|(key, w)| match c.get(key) {
                Some(c) if VARYING.contains(&key.as_str()) && w.is_null() == c.is_null() => None,
                Some(c) => differs(w, c, &format!("{place}/{key}")),
                None => Some(format!("{place}/{key} is written and did not come")),
            })
        }
        _ if written == came => None,
        _ => here(),
    }
}

async fn server(folder: &Path) -> Server {
    Server::start(Path::new(env!("CARGO_BIN_EXE_trapline")), folder, &[]).await
}

#[tokio::test]
async fn every_example_of_the_page_is_answered_as_it_is_written() {
    let (examples, _) = read();
    assert!(examples.len() >= 18, "{} examples", examples.len());
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path()).await;
    let mut bound = Bound::new(&server, json!(1), false);
    let mut told = Vec::new();
    for example in &examples {
        let Answer { status, body } = bound.send(example).await;
        let wrong = differs(&bound.put(&example.answer), &body, "");
        let whole = serde_json::to_string_pretty(&body).unwrap();
        if status != example.status || wrong.is_some() {
            let at = format!("{}: {} {}", example.title, example.method, example.path);
            told.push(format!("{at}: {status}, {wrong:?}\n{whole}"));
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n\n"));
}

#[test]
fn every_field_of_every_request_is_in_the_table_beside_it_and_no_other() {
    let (examples, fields) = read();
    let titles: BTreeSet<&String> = examples.iter().map(|e| &e.title).collect();
    for title in titles {
        let mut sent = BTreeSet::new();
        for example in examples.iter().filter(|e| e.title == *title && e.status < 400) {
            names(example.body.as_ref().unwrap_or(&Value::Null), "", &mut sent);
            let query = example.path.split_once('?').map_or("", |(_, query)| query);
            let parameters = query.split('&').filter(|p| !p.is_empty());
            sent.extend(parameters.map(|p| format!("?{}", p.split('=').next().unwrap())));
        }
        let of_title = fields.iter().filter(|f| f.title == *title);
        let told: BTreeSet<String> = of_title.map(|f| f.name.clone()).collect();
        // Said once, where it is first sent.
        sent.retain(|name| !name.starts_with("client_info.") || told.contains(name));
        assert_eq!(sent, told, "under `{title}`: in the requests, and in the table");
    }
}

/// Why a field is not what its table says, if it is not.
async fn tried(server: &Server, examples: &[Example], field: &Field) -> Option<String> {
    let admin = server.client();
    let project = admin
        .post("/api/v2/projects/", &json!({ "name": field.name }))
        .await["id"]
        .take();
    let mut bound = Bound::new(server, project, true);
    let about = |e: &&Example| e.title == field.title && e.with(&field.name, None).is_some();
    let at = examples
        .iter()
        .position(|e| about(&e))
        .expect("a request that has it");
    for example in &examples[..at] {
        let status = bound.send(example).await.status;
        assert_eq!(status, example.status, "{}: {}", example.title, example.path);
    }
    let example = &examples[at];
    let nulls = field.required && field.name != NULL_IS_TAKEN;
    let null = nulls.then(|| example.with(&field.name, Some(&Value::Null)));
    for other in [null.flatten(), example.with(&field.name, None)]
        .into_iter()
        .flatten()
    {
        let Answer { status, body } = bound.send(&other).await;
        let last = field.name.rsplit('.').next().unwrap();
        let queued = &body["results_queued"];
        let right = if field.required {
            (400..500).contains(&status) && body.to_string().contains(last)
        } else {
            status == example.status && *queued == example.answer["results_queued"]
        };
        if !right {
            let word = if field.required {
                "required"
            } else {
                "not required"
            };
            return Some(format!(
                "{}: `{}` is {word}: {status} {body}",
                field.title, field.name
            ));
        }
    }
    None
}

#[tokio::test]
async fn a_request_without_a_field_is_refused_by_its_name_where_it_is_required_and_accepted_where_not() {
    let (examples, fields) = read();
    assert!(fields.iter().filter(|f| f.required).count() >= 20);
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path()).await;
    let wrong: Vec<String> = futures::stream::iter(&fields)
        .map(|field| tried(&server, &examples, field))
        .buffer_unordered(AT_ONCE)
        .filter_map(async |wrong| wrong)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_answer_that_is_not_what_the_page_shows_is_told_with_its_place() {
    let written =
        json!({ "a": [1, { "at": "2026-06-21T22:00:00.000000Z" }], "rate_per_minute": 3.5, "t": "x … z" });
    let mut came = written.clone();
    came["a"][1]["at"] = json!("2027-01-01T00:00:00.123456Z");
    came["rate_per_minute"] = json!(9);
    came["t"] = json!("x y z");
    assert_eq!(differs(&written, &came, ""), None);
    for (place, value, said) in [
        ("/a", json!([1]), "/a: written"),
        ("/a/1/at", json!("noon"), "/a/1/at: written"),
        ("/rate_per_minute", json!(null), "/rate_per_minute: written"),
        ("/t", json!("x z"), "/t: written"),
    ] {
        let mut wrong = came.clone();
        *wrong.pointer_mut(place).unwrap() = value;
        let told = differs(&written, &wrong, "").unwrap_or_default();
        assert!(told.starts_with(said), "{told}");
    }
    came["more"] = json!(1);
    assert_eq!(differs(&written, &came, "").unwrap(), "/more is not written: 1");
    let mut elided = written.clone();
    elided["…"] = json!("…");
    assert_eq!(differs(&elided, &came, ""), None);
}
