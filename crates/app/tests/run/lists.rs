//! Lists of URLs that grow, shrink or are put in another order, after Ctrl-C and after an end.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Path as UrlPath, State},
    routing::get,
};
use sqlx::Connection as _;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use trapline_testkit::{until, within};

use super::support::{json, photograph, rows, said, trapline};

const PATIENCE: Duration = Duration::from_secs(60);
/// Images of a list before it changes.
const IMAGES: u32 = 16;
/// So many are answered while the host is shut.
const ANSWERED: u32 = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// A small image at once.
    All,
    /// That for the first, and nothing for the others as long as this lasts.
    Few,
    /// A large image, so that a run is not through before it hears Ctrl-C.
    Large,
}

/// A host of images, which counts how often it was asked for each.
#[derive(Clone)]
struct Host {
    url: String,
    small: Arc<Vec<u8>>,
    large: Arc<Vec<u8>>,
    answers: watch::Sender<Answers>,
    asked: Arc<Mutex<BTreeMap<u32, u32>>>,
    _serving: Arc<Mutex<JoinSet<()>>>,
}

impl Host {
    async fn start(dir: &Path) -> Self {
        let (large, small) = (dir.join("made/large.jpg"), dir.join("made/small.jpg"));
        photograph(&large, 1);
        let large = std::fs::read(large).unwrap();
        let (picture, _) = trapline_worker::decode::decode(&large, &Default::default()).unwrap();
        picture.thumbnail(240, 160).save(&small).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            small: Arc::new(std::fs::read(small).unwrap()),
            large: Arc::new(large),
            answers: watch::Sender::new(Answers::All),
            asked: Arc::default(),
            _serving: Arc::default(),
        };
        let router = Router::new()
            .route("/{name}", get(image))
            .with_state(host.clone());
        let serve = async { axum::serve(listener, router).await.unwrap() };
        host._serving.lock().unwrap().spawn(serve);
        host
    }

    fn asked(&self) -> BTreeMap<u32, u32> {
        self.asked.lock().unwrap().clone()
    }

    fn list(&self, path: &Path, images: &[u32]) {
        let url = |n: &u32| format!("{}/{n}.jpg", self.url);
        let text = match path.extension().unwrap().to_str().unwrap() {
            "csv" => format!(
                "url,site\n{}",
                images
                    .iter()
                    .map(|n| format!("{},A\n", url(n)))
                    .collect::<String>()
            ),
            "ndjson" => images
                .iter()
                .map(|n| format!("{{\"url\": \"{}\"}}\n", url(n)))
                .collect(),
            _ => images.iter().map(|n| url(n) + "\n").collect(),
        };
        std::fs::write(path, text).unwrap();
    }
}

fn number(name: &str) -> u32 {
    name.rsplit('/')
        .next()
        .unwrap()
        .strip_suffix(".jpg")
        .unwrap()
        .parse()
        .unwrap()
}

async fn image(State(host): State<Host>, UrlPath(name): UrlPath<String>) -> Vec<u8> {
    let before = {
        let mut asked = host.asked.lock().unwrap();
        let before: u32 = asked.values().sum();
        *asked.entry(number(&name)).or_default() += 1;
        before
    };
    let mut answers = host.answers.subscribe();
    if before >= ANSWERED {
        answers.wait_for(|answers| *answers != Answers::Few).await.ok();
    }
    let is_large = *answers.borrow() == Answers::Large;
    let image = if is_large { &host.large } else { &host.small };
    image.to_vec()
}

async fn run(dir: &Path, args: &[&str]) -> Output {
    let args = [args, &["--database", "june.db", "--workers", "2", "--json"]].concat();
    let mut command = trapline(dir, "run", &args);
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    within(PATIENCE, running).await.unwrap()
}

/// A run that Ctrl-C ends when some images are done and others are on their way.
async fn interrupted(dir: &Path, host: &Host, list: &str) {
    host.answers.send_replace(Answers::Few);
    let args = [list, "--database", "june.db", "--workers", "2", "--json"];
    let mut command = trapline(dir, "run", &args);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("images are on their way", PATIENCE, async || {
        match host.asked().len() {
            n if n > ANSWERED as usize => Ok(()),
            n => Err(format!("{n} are asked for")),
        }
    })
    .await;
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    host.answers.send_replace(Answers::Large);
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let output = within(PATIENCE, ended).await.unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    host.answers.send_replace(Answers::All);
}

/// The images that were processed, once for each time.
async fn processed(dir: &Path) -> Vec<u32> {
    let url = format!("sqlite:{}", dir.join("june.db").display());
    let mut store = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let sql = "SELECT url FROM tasks t JOIN captures c ON c.id = t.capture_id WHERE state = 'processed'";
    let urls: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut store).await.unwrap();
    store.close().await.unwrap();
    let mut numbers: Vec<_> = urls.iter().map(|url| number(url)).collect();
    numbers.sort_unstable();
    numbers
}

/// What the list holds when it is run again, and what that run says is new and gone.
struct Change {
    list: &'static str,
    now: Vec<u32>,
    new: u64,
    gone: u64,
}

fn changes() -> [Change; 4] {
    let all: Vec<u32> = (0..IMAGES).collect();
    let change = |list, now, new, gone| Change { list, now, new, gone };
    let mixed = all.iter().rev().filter(|n| *n % 4 != 0).copied().chain(100..103);
    [
        change(
            "gained-3.txt",
            all.iter().copied().chain(100..103).collect(),
            3,
            0,
        ),
        change(
            "lost-5.csv",
            all.iter().copied().filter(|n| n % 3 != 1).collect(),
            0,
            5,
        ),
        change("reordered.ndjson", all.iter().rev().copied().collect(), 0, 0),
        change("all-of-it.csv", mixed.collect(), 3, 4),
    ]
}

/// The second run does what is left of the list as it is now, and nothing else.
async fn runs_what_is_left(dir: &Path, host: &Host, change: &Change, was_cut_short: bool) {
    let Change { list, now, new, gone } = change;
    let (done, asked) = (processed(dir).await, host.asked());
    host.list(&dir.join(list), now);
    let output = run(dir, &[list, "--export", "june.csv"]).await;
    assert_eq!(output.status.code(), Some(0), "{list}: {output:?}");
    let summary = json(&output);
    assert_eq!(
        (&summary["found"]["new"], &summary["found"]["gone"]),
        (&(*new).into(), &(*gone).into()),
        "{list}"
    );
    let goes_on = was_cut_short && *new + *gone == 0;
    assert_eq!(
        said(&output).contains("job 1 was cut short and goes on"),
        goes_on,
        "{list}: {}",
        said(&output)
    );
    let after = processed(dir).await;
    let once: BTreeSet<u32> = done.iter().chain(now).copied().collect();
    assert_eq!(
        after,
        once.into_iter().collect::<Vec<_>>(),
        "{list}: nothing missed, nothing twice"
    );
    for (n, times) in host.asked() {
        let is_wanted = now.contains(&n) && !done.contains(&n);
        let before = asked.get(&n).copied().unwrap_or_default();
        assert_eq!(times - before, u32::from(is_wanted), "{list}: image {n}");
    }
    let images = rows(&dir.join("june-images.csv"));
    let mut exported: Vec<_> = images.iter().map(|row| number(&row["image_url"])).collect();
    exported.sort_unstable();
    let mut expected = now.clone();
    expected.sort_unstable();
    assert_eq!(exported, expected, "{list}");
    assert!(images.iter().all(|row| row["status"] == "processed"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_changed_after_ctrl_c_is_run_as_it_is_now() {
    for change in changes() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::start(dir.path()).await;
        host.list(&dir.path().join(change.list), &(0..IMAGES).collect::<Vec<_>>());
        interrupted(dir.path(), &host, change.list).await;
        let done = processed(dir.path()).await.len();
        assert!(done > 0 && done < IMAGES as usize, "{done} are done");
        runs_what_is_left(dir.path(), &host, &change, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_changed_after_an_end_is_run_as_it_is_now() {
    for change in changes() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::start(dir.path()).await;
        host.list(&dir.path().join(change.list), &(0..IMAGES).collect::<Vec<_>>());
        assert_eq!(run(dir.path(), &[change.list]).await.status.code(), Some(0));
        runs_what_is_left(dir.path(), &host, &change, false).await;
        let again = run(dir.path(), &[change.list]).await;
        assert_eq!(json(&again)["counts"]["total"], 0, "{}", change.list);
    }
}
