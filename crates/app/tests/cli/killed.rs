//! `trapline run` is killed, its terminal is closed, and it is started again.

use std::{
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, response::IntoResponse, routing::get};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use trapline_testkit::until;
use trapline_worker::samples::{SAMPLE_SEED, write_samples};

const PATIENCE: Duration = Duration::from_secs(60);

/// A host of images. While it is slow, it answers the first three and holds the others back until it is told to go on.
#[derive(Clone)]
struct Host {
    url: String,
    image: Arc<Vec<u8>>,
    slow: watch::Sender<bool>,
    asked: Arc<AtomicUsize>,
    _serving: Arc<Mutex<JoinSet<()>>>,
}

impl Host {
    async fn start(folder: &Path) -> Self {
        write_samples(&folder.join("sample"), SAMPLE_SEED, 1).unwrap();
        let sample = std::fs::read_dir(folder.join("sample")).unwrap().next().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            image: Arc::new(std::fs::read(sample.unwrap().path()).unwrap()),
            slow: watch::Sender::new(true),
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

    /// A manifest of `n` of its images.
    fn manifest(&self, folder: &Path, n: usize) {
        let urls: String = (0..n).map(|i| format!("{}/{i}.jpg\n", self.url)).collect();
        std::fs::write(folder.join("urls.txt"), urls).unwrap();
    }

    async fn asked_for(&self, n: usize) {
        until("images are asked for", PATIENCE, async || {
            match self.asked.load(Ordering::Relaxed) {
                asked if asked >= n => Ok(()),
                asked => Err(format!("{asked} of {n}")),
            }
        })
        .await;
    }
}

async fn image(State(host): State<Host>) -> impl IntoResponse {
    if host.asked.fetch_add(1, Ordering::Relaxed) >= 3 {
        let mut slow = host.slow.subscribe();
        slow.wait_for(|slow| !slow).await.ok();
    }
    host.image.to_vec()
}

/// With leases of an hour: whoever waited for one would never end.
fn trapline(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trapline"));
    command
        .current_dir(folder)
        .args([
            "run",
            "urls.txt",
            "--json",
            "--database",
            "june.db",
            "--workers",
            "2",
        ])
        .args([
            "--set",
            "task_ttr=3600",
            "--set",
            "stalled_after=7200",
            "--set",
            "zombie_after=7200",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn signal(name: &str, child: &Child) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

async fn ended(child: Child) -> Output {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap());
    tokio::time::timeout(PATIENCE, output).await.unwrap().unwrap()
}

fn counts(output: &Output) -> (Option<i32>, Value, Value, Value) {
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let counts = &summary["counts"];
    (
        output.status.code(),
        summary["status"].clone(),
        counts["processed"].clone(),
        counts["failed"].clone(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_twice_goes_on_at_once_and_no_image_is_charged_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path()).await;
    host.manifest(dir.path(), 9);
    for life in 1..=2 {
        let child = trapline(dir.path()).spawn().unwrap();
        // Some were answered; those that it holds now are not.
        host.asked_for(3 + 2 * life).await;
        signal("-KILL", &child);
        assert_eq!(ended(child).await.status.code(), None, "it was killed");
    }
    host.slow.send_replace(false);
    let output = ended(trapline(dir.path()).spawn().unwrap()).await;
    let all = (Some(0), "SUCCESS".into(), 9.into(), 0.into());
    assert_eq!(counts(&output), all, "{output:?}");
    let images = rows(
        dir.path(),
        "SELECT count(*) FROM tasks WHERE strikes > 0 OR suspect > 0 OR history <> ''",
    );
    assert_eq!(images.await, 0, "none is to blame");
}

async fn rows(folder: &Path, sql: &'static str) -> i64 {
    use sqlx::Connection as _;

    let url = format!("sqlite:{}", folder.join("june.db").display());
    let mut conn = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_is_closed_drains_a_run_as_sigterm_does() {
    // The shell of a terminal that is closed and the system both tell of it, and nobody is impatient.
    for signals in [vec!["-HUP"], vec!["-TERM", "-HUP"]] {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::start(dir.path()).await;
        host.manifest(dir.path(), 9);
        let child = trapline(dir.path()).spawn().unwrap();
        host.asked_for(4).await;
        signals.iter().for_each(|name| signal(name, &child));
        host.slow.send_replace(false);
        let output = ended(child).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(130), "{signals:?}: {said}");
        assert!(said.contains("goes on from here"), "{signals:?}: {said}");
        let clean = rows(dir.path(), "SELECT clean FROM cluster").await;
        assert_eq!(clean, 1, "{signals:?}: it ended by itself");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_nohup_a_closed_terminal_ends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path()).await;
    host.manifest(dir.path(), 6);
    let run = trapline(dir.path());
    let mut command = Command::new("nohup");
    command
        .arg(run.get_program())
        .args(run.get_args())
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    host.asked_for(4).await;
    signal("-HUP", &child);
    host.slow.send_replace(false);
    let output = ended(child).await;
    assert_eq!(
        counts(&output),
        (Some(0), "SUCCESS".into(), 6.into(), 0.into()),
        "{output:?}"
    );
}
