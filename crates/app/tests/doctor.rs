//! `trapline doctor` on real servers: sound ones, unsafe ones, and ones that are not there.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

use std::{collections::BTreeMap, path::Path, process::Command, time::Duration};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use trapline_testkit::{
    Server,
    services::{Nats, NatsBinary, NatsCluster, Network, Postgres, Redis, free_port},
    until,
};

struct Said {
    code: i32,
    /// Verdicts by the name of the check.
    verdicts: BTreeMap<String, String>,
    text: String,
}

impl Said {
    fn is(&self, check: &str, verdict: &str) {
        let said = self.verdicts.get(check).map(String::as_str);
        assert_eq!(said, Some(verdict), "{check}: {}", self.text);
    }
}

fn doctor(args: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_trapline"))
        .args(["doctor", "--json"])
        .args(args)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{:?}", done.stderr));
    let verdicts = body["checks"].as_array().unwrap().iter().map(|c| {
        let field = |name: &str| c[name].as_str().unwrap().to_owned();
        (field("name"), field("verdict"))
    });
    Said {
        code: done.status.code().unwrap(),
        verdicts: verdicts.collect(),
        text,
    }
}

async fn run(url: &str, sql: &str) {
    let mut conn = PgConnection::connect(url).await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
}

/// The newest that is here; whether it is a safe one differs between machines.
fn nats_binary() -> (NatsBinary, bool) {
    let newest = NatsBinary::all().unwrap().pop().unwrap();
    let safe = !newest.version.starts_with("2.9.");
    (newest, safe)
}

#[tokio::test]
async fn a_sound_cluster_of_servers_has_no_failure_and_the_doctor_writes_nothing() {
    let (binary, safe) = nats_binary();
    let nats = NatsCluster::start(binary).await;
    let (redis, postgres) = (Redis::start().await, Postgres::start().await);
    let url = postgres.url("postgres");
    let (queue, progress) = (nats.url(), redis.url());
    let mut args = vec![
        "--database",
        &url,
        "--queue",
        &queue,
        "--progress",
        &progress,
        "--nodes",
        "3",
        "--set",
        "queue_replicas=3",
    ];
    let monitors = nats.monitors();
    args.extend(monitors.iter().flat_map(|m| ["--nats-monitor", m]));
    let said = doctor(&args);
    for check in [
        "postgres.version",
        "postgres.fsync",
        "postgres.full_page_writes",
        "postgres.synchronous_commit",
        "postgres.connections",
        "postgres.schema",
        "postgres.clock",
        "nats.jetstream",
        "nats.replicas",
        "nats.limits",
        "redis.version",
        "redis.eviction",
        "redis.persistence",
        "redis.clock",
    ] {
        said.is(check, "ok");
    }
    // The servers of the tests sync every two minutes, as is NATS's default.
    said.is("nats.sync_always", "warn");
    said.is("nats.version", if safe { "ok" } else { "fail" });
    assert_eq!(said.code, i32::from(!safe), "{}", said.text);
    let mut conn = PgConnection::connect(&url).await.unwrap();
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(tables, 0);
}

#[tokio::test]
async fn what_is_unsafe_is_named_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (oldest, monitor) = (NatsBinary::all().unwrap().swap_remove(0), free_port());
    let unsafe_version = oldest.version == "2.9.10";
    let nats = Nats::start_with(oldest, &["-m".to_owned(), monitor.to_string()]).await;
    let redis = Redis::start_with(&["--maxmemory", "10mb", "--maxmemory-policy", "allkeys-lru"]).await;
    let postgres = Postgres::start().await;
    let url = postgres.url("postgres");
    // A node has run on it, so there is a schema; a newer one has, too.
    let env = [("DATABASE_URL", url.as_str())];
    let trapline = Path::new(env!("CARGO_BIN_EXE_trapline"));
    Server::start(trapline, folder.path(), &env).await.stop().await;
    for sql in [
        "ALTER SYSTEM SET fsync = off",
        "ALTER SYSTEM SET full_page_writes = off",
        "ALTER ROLE trapline SET synchronous_commit = off",
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', true, '\\x00', 0)",
        "SELECT pg_reload_conf()",
    ] {
        run(&url, sql).await;
    }
    let (queue, progress, monitor) = (nats.url(), redis.url(), format!("127.0.0.1:{monitor}"));
    let args = [
        "--database",
        &url,
        "--queue",
        &queue,
        "--progress",
        &progress,
        "--nats-monitor",
        &monitor,
        "--nodes",
        "100",
        "--set",
        "queue_replicas=3",
    ];
    // The servers read their settings again a moment after they are told to.
    let said = until("the settings are read", Duration::from_secs(20), async || {
        let said = doctor(&args);
        if said.verdicts.get("postgres.fsync").is_some_and(|v| v == "fail") {
            Ok(said)
        } else {
            Err(said.text)
        }
    })
    .await;
    said.is("postgres.full_page_writes", "fail");
    said.is("postgres.synchronous_commit", "warn");
    said.is("postgres.connections", "fail");
    said.is("postgres.schema", "warn");
    said.is("nats.replicas", "fail");
    said.is("nats.sync_always", "warn");
    said.is("nats.version", if unsafe_version { "fail" } else { "ok" });
    said.is("redis.eviction", "warn");
    assert_eq!(said.code, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_gone_or_silent_fails_with_its_reason_and_the_others_are_looked_at() {
    let redis = Redis::start().await;
    let port = redis
        .url()
        .rsplit_once(':')
        .unwrap()
        .1
        .trim_end_matches("/0")
        .parse()
        .unwrap();
    let silent = Network::to(port).await;
    silent.silence();
    let (nobody, away) = (
        format!("nats://127.0.0.1:{}", free_port()),
        silent.through(&redis.url(), port),
    );
    let said = tokio::task::spawn_blocking(move || doctor(&["--queue", &nobody, "--progress", &away]))
        .await
        .unwrap();
    said.is("nats.server", "fail");
    said.is("redis.server", "fail");
    said.is("sqlite.file", "ok");
    assert!(said.text.contains("Connection refused"), "{}", said.text);
    assert_eq!(said.code, 1);
}
