//! A browser that is driven, and watched: at its end it has told no error, and asked no host but the server.
//!
//! It speaks WebDriver to Debian's chromedriver, and hears of the console and the network by WebDriver BiDi. `thirtyfour` does both,
//! and turns on `serde_json/preserve_order`: in a build for tests the server would no longer be the one that is shipped.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{SinkExt as _, StreamExt as _};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_tungstenite::{connect_async, tungstenite::Message};
use trapline_testkit::{Client, SERVER_TOKEN, until};

const PATIENCE: Duration = Duration::from_secs(30);
const FLAGS: [&str; 10] = [
    "--headless",
    "--hide-scrollbars",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
];
/// What is written to the console last: when it has been heard, all that came before it has been, too.
const LAST: &str = "the last line of the console";
/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What the browser told: each line of its console, each URL that it asked for.
#[derive(Default)]
struct Told {
    console: Vec<String>,
    requests: Vec<String>,
}

pub(crate) struct Browser {
    driver: Client,
    /// The path of its session.
    session: String,
    server: String,
    /// Where else it may load photographs from.
    photographs: Option<String>,
    told: Arc<Mutex<Told>>,
    is_checked: bool,
    _listening: JoinSet<()>,
    _driver: Driver,
}

/// How often a driver is started that does not listen.
const STARTS_MAX: usize = 5;

/// The process of chromedriver, with a folder in which it and the browser leave what they leave.
struct Driver {
    process: Child,
    folder: TempDir,
}

impl Driver {
    /// Starts it on a free port, and returns that. It takes a port that is free in one version of the Internet Protocol, and ends if
    /// somebody has it in the other.
    fn start() -> (Self, u16) {
        (0..STARTS_MAX)
            .find_map(|_| Self::start_once())
            .expect("chromedriver says on which port it listens")
    }

    fn start_once() -> Option<(Self, u16)> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromedriver");
        command
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        let mut process = command.spawn().unwrap_or_else(|e| {
            panic!("chromedriver did not start: {e}; install Debian's `chromium` and `chromium-driver`")
        });
        let output = BufReader::new(process.stdout.take().unwrap());
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let port = line.split("successfully on port ").nth(1)?;
            port.trim_end_matches('.').parse().ok()
        });
        let driver = Self { process, folder };
        Some((driver, port?))
    }
}

impl Drop for Driver {
    /// The browser is of its group.
    fn drop(&mut self) {
        let group = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        group.map(|group| kill_process_group(group, Signal::KILL));
        self.process.wait().ok();
    }
}

impl Browser {
    /// A browser that may ask the server at `url`, and no other.
    pub(crate) async fn start(server: &str) -> Self {
        let (process, port) = Driver::start();
        let driver = Client::new(&format!("http://127.0.0.1:{port}"), "");
        let profile = format!(
            "--user-data-dir={}",
            process.folder.path().join("profile").display()
        );
        let args: Vec<&str> = FLAGS.into_iter().chain([profile.as_str()]).collect();
        let wanted = json!({"browserName": "chrome", "webSocketUrl": true, "acceptInsecureCerts": true, "goog:chromeOptions": {"args": args}});
        let made = driver
            .post("/session", &json!({"capabilities": {"alwaysMatch": wanted}}))
            .await;
        let made = &made["value"];
        let told = Arc::new(Mutex::new(Told::default()));
        let mut listening = JoinSet::new();
        let events = made["capabilities"]["webSocketUrl"].as_str().unwrap();
        listening.spawn(listen(subscribe(events).await, Arc::clone(&told)));
        Self {
            driver,
            session: format!("/session/{}", made["sessionId"].as_str().unwrap()),
            server: server.to_owned(),
            photographs: None,
            told,
            is_checked: false,
            _listening: listening,
            _driver: process,
        }
    }

    /// Its pages show photographs of this server.
    pub(crate) fn loads_from(mut self, url: &str) -> Self {
        self.photographs = Some(format!("{url}/"));
        self
    }

    /// Whether a URL with this part was asked for.
    pub(crate) fn has_asked(&self, part: &str) -> bool {
        self.told
            .lock()
            .unwrap()
            .requests
            .iter()
            .any(|url| url.contains(part))
    }

    async fn ask(&self, path: &str, body: Value) -> Value {
        let answer = self.driver.post(&format!("{}{path}", self.session), &body).await;
        answer["value"].clone()
    }

    /// Opens a page of the server, or a whole address.
    pub(crate) async fn open(&self, path: &str) {
        let server = if path.starts_with('/') {
            self.server.as_str()
        } else {
            ""
        };
        self.ask("/url", json!({"url": format!("{server}{path}")})).await;
    }

    /// The tab that is driven.
    pub(crate) async fn tab(&self) -> String {
        let tab = self.driver.get(&format!("{}/window", self.session)).await;
        tab["value"].as_str().unwrap().to_owned()
    }

    /// Opens a tab before the others, and drives that.
    pub(crate) async fn new_tab(&self) {
        let tab = self.ask("/window/new", json!({"type": "tab"})).await;
        self.show_tab(tab["handle"].as_str().unwrap()).await;
    }

    /// Drives a tab, and puts it before the others, which are hidden then.
    pub(crate) async fn show_tab(&self, tab: &str) {
        self.ask("/window", json!({ "handle": tab })).await;
        self.cdp("Page.bringToFront", json!({})).await;
    }

    /// The path of an element, once it is there.
    async fn element(&self, using: &str, value: &str) -> String {
        let path = format!("{}/element", self.session);
        let wanted = json!({"using": using, "value": value});
        until(value, PATIENCE, async || {
            let found = self
                .driver
                .try_post(&path, &wanted)
                .await
                .map_err(|e| e.to_string())?;
            match found.body["value"][ELEMENT].as_str() {
                Some(id) => Ok(format!("/element/{id}")),
                None => Err(found.body["value"]["message"].to_string()),
            }
        })
        .await
    }

    /// Presses the link or button with this text, or the element that a CSS selector finds.
    pub(crate) async fn press(&self, what: &str) {
        let using = if what.starts_with(|c: char| c.is_uppercase()) {
            "link text"
        } else {
            "css selector"
        };
        let element = self.element(using, what).await;
        self.ask(&format!("{element}/click"), json!({})).await;
    }

    /// Types into a field.
    pub(crate) async fn enter(&self, css: &str, text: &str) {
        let element = self.element("css selector", css).await;
        self.ask(&format!("{element}/value"), json!({ "text": text }))
            .await;
    }

    /// The text of an element that is there now.
    pub(crate) async fn text(&self, css: &str) -> Option<String> {
        let script = "const e = document.querySelector(arguments[0]); return e && e.innerText";
        self.run(script, json!([css])).await.as_str().map(str::to_owned)
    }

    /// Waits until the text of an element begins like this.
    pub(crate) async fn shows(&self, css: &str, text: &str) {
        until(text, PATIENCE, async || match self.text(css).await {
            Some(shown) if shown.starts_with(text) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }

    /// Waits until an expression is true in the page.
    pub(crate) async fn until(&self, expression: &str) {
        until(expression, PATIENCE, async || {
            let is_so = self.run(&format!("return {expression}"), json!([])).await;
            (is_so == true).then_some(()).ok_or_else(|| is_so.to_string())
        })
        .await;
    }

    /// Signs in as the server's admin on the form that is open.
    pub(crate) async fn sign_in(&self) {
        self.enter("#token", SERVER_TOKEN).await;
        self.press("button.primary").await;
    }

    /// Leaves a mark that is gone when the page is read again.
    pub(crate) async fn mark(&self) {
        self.run("window.marked = true", json!([])).await;
    }

    pub(crate) async fn is_marked(&self) -> bool {
        self.run("return window.marked === true", json!([])).await == true
    }

    pub(crate) async fn title(&self) -> String {
        self.run("return document.title", json!([]))
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn run(&self, script: &str, args: Value) -> Value {
        self.ask("/execute/sync", json!({"script": script, "args": args}))
            .await
    }

    /// Runs a script that calls its last argument with what it found.
    pub(crate) async fn run_async(&self, script: &str) -> Value {
        self.ask("/execute/async", json!({"script": script, "args": []}))
            .await
    }

    /// A command of the DevTools protocol.
    pub(crate) async fn cdp(&self, command: &str, params: Value) -> Value {
        self.ask("/goog/cdp/execute", json!({"cmd": command, "params": params}))
            .await
    }

    /// Makes the page this wide, in CSS pixels.
    pub(crate) async fn is_wide(&self, width: u32) {
        let screen = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
        self.cdp("Emulation.setDeviceMetricsOverride", screen).await;
    }

    /// Ends the browser, and checks what it told.
    pub(crate) async fn end(mut self) {
        self.run("console.log(arguments[0])", json!([LAST])).await;
        let heard = Arc::clone(&self.told);
        until("the browser's console", PATIENCE, async || {
            let told = heard.lock().unwrap();
            let is_heard = told.console.iter().any(|line| line.contains(LAST));
            is_heard.then_some(()).ok_or_else(|| "not heard yet".to_owned())
        })
        .await;
        self.is_checked = true;
        // Returns when the browser is gone.
        self.driver.try_send("DELETE", &self.session, None).await.unwrap();
        let told = self.told.lock().unwrap();
        let lines: Vec<_> = told.console.iter().filter(|line| !line.contains(LAST)).collect();
        assert!(lines.is_empty(), "the console has {lines:#?}");
        let own = format!("{}/", self.server);
        let foreign: Vec<_> = told
            .requests
            .iter()
            .filter(|url| !url.starts_with(&own))
            .filter(|url| {
                self.photographs
                    .as_ref()
                    .is_none_or(|other| !url.starts_with(other))
            })
            .collect();
        assert!(foreign.is_empty(), "other hosts were asked: {foreign:#?}");
        assert!(!told.requests.is_empty(), "no request was heard of");
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// Asks to be told of the console and of requests. Returns when the browser does so.
async fn subscribe(url: &str) -> Socket {
    let (mut socket, _) = connect_async(url).await.unwrap();
    let events = ["log.entryAdded", "network.beforeRequestSent"];
    let wanted = json!({"id": 1, "method": "session.subscribe", "params": {"events": events}});
    socket.send(Message::text(wanted.to_string())).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        let answer: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        if answer["id"] == 1 {
            assert_eq!(answer["type"], "success", "{answer}");
            break;
        }
    }
    socket
}

async fn listen(mut socket: Socket, told: Arc<Mutex<Told>>) {
    while let Some(Ok(message)) = socket.next().await {
        let Ok(event) = serde_json::from_str::<Value>(message.to_text().unwrap_or_default()) else {
            continue;
        };
        let text = |pointer: &str| {
            event
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let mut told = told.lock().unwrap();
        match event["method"].as_str() {
            Some("log.entryAdded") => {
                told.console
                    .push(format!("{}: {}", text("/params/level"), text("/params/text")));
            }
            Some("network.beforeRequestSent") => told.requests.push(text("/params/request/url")),
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(
                self.is_checked,
                "a test ends its browser with `end`, which checks what it told"
            );
        }
    }
}
