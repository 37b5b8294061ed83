//! That a page reads no more of a large job than of a small one. PostgreSQL tells of each statement that a page asks for, with
//! the plan that it took and the blocks that it touched (`auto_explain`), so that none has to be listed here.

mod plans;

use std::{collections::BTreeSet, fs, path::Path, path::PathBuf, sync::Arc, time::Duration};

use axum::{Router, http::StatusCode};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use trapline::{
    http::{AppState, router},
    wiring::Thumbs,
};
use trapline_backends::{
    EmbeddedProgress, EmbeddedQueue, PostgresStore, Thumbnails,
    postgres::{PostgresOptions, StoreTime},
};
use trapline_core::{Clock, ports::Store, summary::label_id};
use trapline_engine::{Engine, LOOKED_AT_MAX, Policy, Ports, Supervisor};
use trapline_testkit::{ManualClock, services::Postgres, until};

use super::browser::Browser;
use crate::support::{ADMIN, Client};
use plans::{Ran, ran};

/// Images of the small job: more failed than a page looks at. A page that reads all of a job reads 25 times more of the large one.
const SMALL: u64 = 12_000;
const LARGE: u64 = 300_000;
/// In a larger index a look-up goes through one more block.
const LEVELS: u64 = 1;
const TABLES: [&str; 4] = ["tasks", "detections", "classifications", "job_logs"];

/// The pages by their routes, with what is asked for on each.
const PAGES: &[(&str, &[&str])] = &[
    ("/", &[""]),
    ("/about", &[""]),
    ("/captures/{id}/image", &[""]),
    ("/captures/{id}/thumbnail", &[""]),
    ("/health", &["", "?all=1"]),
    ("/health/check", &[""]),
    (
        "/jobs",
        &[
            "",
            "?state=running",
            "?q=night",
            "?q=day",
            "?pipeline=p",
            "?project=1",
            "?sort=name",
            "?sort=-finished",
            "?part=now",
        ],
    ),
    ("/jobs/new", &[""]),
    ("/jobs/new/{id}", &["", "?part=ahead"]),
    (
        "/jobs/{id}",
        &[
            "",
            "?why",
            "?window=all",
            "?part=chart",
            "?part=facts",
            "?part=why",
            "?part=failures",
            "?part=workers",
        ],
    ),
    ("/jobs/{id}/delete", &[""]),
    (
        "/jobs/{id}/images",
        &[
            "",
            "?after=9000",
            "?state=waiting",
            "?state=in_flight",
            "?state=processed",
            "?reason=no_url",
            "?group=00000000",
            "?part=groups",
        ],
    ),
    (
        "/jobs/{id}/log",
        &[
            "",
            "?level=warning",
            "?level=error",
            "?before=9000",
            "?image=3003",
            "?part=lines&after=9000",
        ],
    ),
    (
        "/jobs/{id}/results",
        &[
            "",
            "?after=5000",
            "?n=0",
            "?min=0.99",
            "?label=moth",
            "?label=none",
            "?label=moth&sort=-score",
            "?label=moth&sort=-score&min=0.999",
            "?night=2022-01-08",
            "?hour=01:30",
            "?night=2022-01-08&n=0",
        ],
    ),
    ("/jobs/{id}/results/{image}", &["", "?label=moth&sort=-score"]),
    (
        "/jobs/{id}/results/{image}/next",
        &["", "?label=none", "?label=moth&sort=-score", "?hour=01:30"],
    ),
    (
        "/jobs/{id}/results/{image}/previous",
        &["", "?label=none", "?label=moth&sort=-score", "?hour=01:30"],
    ),
    ("/jobs/{id}/summary", &["", "?label=moth", "?part=counted"]),
    ("/jobs/{{id}}/{}", &[""]),
    ("/login", &[""]),
    ("/pipelines", &[""]),
    ("/sets", &[""]),
    ("/sets/{id}", &[""]),
    ("/settings", &[""]),
    ("/settings/me", &[""]),
    ("/settings/projects", &[""]),
    ("/settings/projects/{id}", &[""]),
    ("/settings/tokens", &[""]),
    ("/workers", &["", "?q=w1"]),
    ("/workers/{id}", &["", "?part=now"]),
    ("/workers/{id}/drain", &[""]),
];

/// What the API answers of a job, a page at a time.
const API: &[&str] = &[
    "/api/v2/jobs/1/images/?limit=100",
    "/api/v2/jobs/1/images/?state=processed&limit=100",
    "/api/v2/jobs/1/images/?state=pending&limit=100",
    "/api/v2/jobs/1/images/?reason=no_url",
    "/api/v2/jobs/1/images/?group=00000000",
    "/api/v2/jobs/1/images/?before=end&limit=100",
    "/api/v2/jobs/1/images/?state=processed&before=9000&limit=100",
    "/api/v2/jobs/1/images/?state=pending&before=end&limit=100",
    "/api/v2/jobs/1/images/?state=in_flight&before=end",
    "/api/v2/jobs/1/images/?state=failed&before=end&limit=100",
    "/api/v2/jobs/1/images/?reason=worker_error&before=9000&limit=100",
    "/api/v2/jobs/1/images/?group=00000000&before=end",
    "/api/v2/jobs/1/images/3003/",
    "/api/v2/jobs/1/logs/?before=end",
    "/api/v2/jobs/1/results/?label=none",
    "/api/v2/jobs/1/results/?rows=images&min_score=0.995",
    "/api/v2/jobs/1/results/?rows=images&taken_from=2030-01-01T00:00:00",
];

/// What is no page: actions, files, a stream of what pages show, and what has all of a job.
const NO_PAGES: [&str; 18] = [
    "/health/dry-run",
    "/jobs/new/{id}/rejected.csv",
    "/jobs/{id}/all-images.csv",
    "/jobs/{id}/detections.csv",
    "/jobs/{id}/detections.ndjson",
    "/jobs/{id}/found-detections.csv",
    "/jobs/{id}/found-detections.ndjson",
    "/jobs/{id}/found-images.csv",
    "/jobs/{id}/images.csv",
    "/jobs/{id}/images.txt",
    "/jobs/{id}/log.txt",
    "/live",
    "/login/link/",
    "/logout",
    "/look",
    "/settings/tokens/{id}/revoke",
    "/static/{hash}/{name}",
    "/workers/{id}/resume",
];

/// The paths of a route.
fn paths(route: &str, asked: &[&str]) -> Vec<String> {
    let place = route
        .replace("{{id}}/{}", "1/stop")
        .replace("{id}", "1")
        .replace("{image}", "3003");
    asked.iter().map(|query| format!("{place}{query}")).collect()
}

async fn run(conn: &mut PgConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await;
    done.unwrap_or_else(|e| panic!("{e}: {sql}"));
}

/// From now on, new connections to a database tell what they run.
const TELL: [&str; 7] = [
    "session_preload_libraries = auto_explain",
    "auto_explain.log_min_duration = 0",
    "auto_explain.log_analyze = on",
    "auto_explain.log_timing = off",
    "auto_explain.log_buffers = on",
    "auto_explain.log_format = json",
    "auto_explain.log_level = log",
];

/// A server on a database with a job.
struct Site {
    router: Router,
    log: PathBuf,
    asking: PgConnection,
}

impl Site {
    async fn with(postgres: &Postgres, name: &str, images: u64) -> Self {
        let mut conn = PgConnection::connect(&postgres.url("postgres")).await.unwrap();
        run(&mut conn, &format!("CREATE DATABASE {name}")).await;
        let url = postgres.url(name);
        let clock = ManualClock::new();
        let time: Arc<dyn Clock> = Arc::new(clock);
        let connect = async || {
            let time = StoreTime::Given(Arc::clone(&time));
            let options = PostgresOptions {
                time,
                ..PostgresOptions::default()
            };
            Arc::new(PostgresStore::connect(&url, options).await.unwrap())
        };
        connect().await.close().await;
        let mut asking = PgConnection::connect(&url).await.unwrap();
        for setting in TELL {
            run(&mut conn, &format!("ALTER DATABASE {name} SET {setting}")).await;
        }
        // Before there is a job: a node that starts goes through those that run.
        let router = serve(connect().await, Arc::clone(&time)).await;
        let numbers = [
            ("{n}", images.cast_signed()),
            ("{now}", time.now().0),
            ("{label}", label_id("moth")),
        ];
        let script = include_str!("growth.sql").to_owned();
        let script = numbers
            .iter()
            .fold(script, |sql, (name, n)| sql.replace(name, &n.to_string()));
        run(&mut asking, &script).await;
        run(&mut asking, "VACUUM ANALYZE").await;
        let folder: String = sqlx::query_scalar("SHOW data_directory")
            .fetch_one(&mut asking)
            .await
            .unwrap();
        Self {
            router,
            log: Path::new(&folder).with_file_name("log"),
            asking,
        }
    }

    /// Waits until no statement runs, and all are in the log; returns how long that is.
    async fn rests(&mut self) -> usize {
        let busy = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
        let asking = &mut self.asking;
        until("all statements have ended", Duration::from_secs(30), async || {
            let n: i64 = sqlx::query_scalar(busy).fetch_one(&mut *asking).await.unwrap();
            (n == 0).then_some(()).ok_or_else(|| n.to_string())
        })
        .await;
        fs::read(&self.log).unwrap().len()
    }

    /// What each page asks for.
    async fn pages(&mut self) -> Vec<(String, Vec<Ran>)> {
        let browser = Browser::signed_in(Client::of(&self.router), ADMIN).await;
        let api = Client::admin_of(&self.router);
        let (mut pages, mut wrong) = (Vec::new(), Vec::new());
        let all = PAGES.iter().flat_map(|(route, asked)| paths(route, asked));
        for path in all.chain(API.iter().map(|path| (*path).to_owned())) {
            let before = self.rests().await;
            let status = match path.starts_with("/api/") {
                true => api.get(&path).await.status,
                false => browser.get(&path).await.status,
            };
            // No photograph is shown by this server.
            let is_none = status == StatusCode::NOT_FOUND && path.ends_with("/image");
            if !is_none && !status.is_success() && !status.is_redirection() {
                wrong.push(format!("{path}: {status}"));
            }
            let end = self.rests().await;
            let log = fs::read(&self.log).unwrap();
            pages.push((path, ran(&String::from_utf8_lossy(&log[before..end]))));
        }
        assert!(wrong.is_empty(), "{wrong:?}");
        pages
    }
}

/// A node whose clock stands still, so that it does nothing beside the pages.
async fn serve(store: Arc<PostgresStore>, time: Arc<dyn Clock>) -> Router {
    let thumbs = Thumbs::kept(Thumbnails::beside(&store).await.unwrap(), 1 << 30);
    let ports = Ports {
        store: store as Arc<dyn Store>,
        queue: Arc::new(EmbeddedQueue::new(Arc::clone(&time))),
        progress: Arc::new(EmbeddedProgress::new()),
        clock: Arc::clone(&time),
    };
    let image_url = Arc::new(|_, _, url: &str| url.to_owned());
    // Time stands still, and would never end.
    let policy = Policy {
        preflight_max: Duration::ZERO,
        ..Policy::default()
    };
    let supervisor = Supervisor::new(time);
    let engine = Engine::start(ports, policy, image_url, supervisor).await.unwrap();
    router(AppState {
        thumbs,
        ..AppState::of(engine, Some(ADMIN))
    })
}

/// What is wrong with a page.
fn fault(path: &str, small: &[Ran], large: &[Ran]) -> Option<String> {
    let scans = large
        .iter()
        .filter(|ran| ran.scanned.iter().any(|table| TABLES.contains(&table.as_str())));
    let scans: Vec<&str> = scans.map(|ran| ran.sql.as_str()).collect();
    if !scans.is_empty() {
        return Some(format!("{path} reads a table from end to end: {scans:#?}"));
    }
    let blocks = |all: &[Ran]| all.iter().map(|ran| ran.blocks).sum::<u64>();
    let look_ups: u64 = large.iter().map(|ran| ran.look_ups).sum();
    let usual = blocks(small) * 12 / 10;
    // The images of a set are counted up to this number of them.
    let usual = if path.starts_with("/jobs/new/1") || path.starts_with("/sets/1") {
        usual * LOOKED_AT_MAX / SMALL
    } else {
        usual
    };
    let most = usual + LEVELS * look_ups;
    let of_each: Vec<_> = large
        .iter()
        .map(|ran| (ran.blocks, ran.look_ups, &ran.sql))
        .collect();
    (blocks(large) > most).then(|| {
        format!("{path} touches {} blocks of a large job, of a small one {}, with {look_ups} look-ups: {of_each:#?}", blocks(large), blocks(small))
    })
}

#[tokio::test]
async fn pages_do_not_grow_with_the_job() {
    let postgres = Postgres::start().await;
    let mut conn = PgConnection::connect(&postgres.url("postgres")).await.unwrap();
    for setting in ["fsync = off", "autovacuum = off", "max_wal_size = '4GB'"] {
        run(&mut conn, &format!("ALTER SYSTEM SET {setting}")).await;
    }
    run(&mut conn, "SELECT pg_reload_conf()").await;
    let (small, large) = futures::join!(
        Site::with(&postgres, "small", SMALL),
        Site::with(&postgres, "large", LARGE)
    );
    let mut both = Vec::new();
    for mut site in [small, large] {
        both.push(site.pages().await);
    }
    let pages = both[0].iter().zip(&both[1]);
    let told = both[1].iter().filter(|(_, ran)| !ran.is_empty()).count();
    assert!(told > PAGES.len(), "the server told of {told} pages only");
    let faults: Vec<String> = pages
        .filter_map(|((path, small), (_, large))| fault(path, small, large))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The routes that the sources below a folder name.
fn routes(folder: &Path) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(routes(&path));
        } else {
            let source = fs::read_to_string(&path).unwrap();
            let named = source
                .split(".route(")
                .skip(1)
                .filter_map(|rest| rest.split('"').nth(1));
            all.extend(named.map(|route| route.replace("{PATH}{{code}}", "/login/link/")));
        }
    }
    all
}

/// All routes of the pages.
pub(super) fn all_routes() -> BTreeSet<String> {
    routes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui"))
}

#[test]
fn each_page_is_looked_at_or_said_to_be_none() {
    let there = all_routes();
    let said = PAGES.iter().map(|(route, _)| *route).chain(NO_PAGES);
    let said: BTreeSet<String> = said.map(str::to_owned).collect();
    assert_eq!(there, said);
}
