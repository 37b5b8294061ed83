//! That each hot statement on PostgreSQL finds its rows by key, whatever the statistics say (docs/adr/0008): a job of 300,000
//! that was just collected is what no statistics know. Each is run under `EXPLAIN (ANALYZE, BUFFERS)`, with its own plan and
//! with the generic one, under the settings of our connections and under the server's own, and the pages that it touches are
//! bounded by the rows that it is asked for.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cold;
mod statements;

use std::{collections::BTreeSet, path::Path};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};
use trapline_backends::{
    PostgresStore,
    postgres::{PostgresOptions, SESSION},
};
use trapline_testkit::services::Postgres;

use cold::COLD;
use statements::HOT;

/// Where statements are: those of this database, and those that both have.
const SQL: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/src/postgres/sql"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql"),
];
/// Captures of the large jobs.
const LARGE: u64 = 300_000;
/// Pages that a statement may touch however few rows it is asked for: the root of each index, the job, what an update writes.
const PAGES_ALWAYS: u64 = 100;
/// Pages for each row: the levels of the indexes, the row, its new version in each of them.
const PAGES_PER_ROW: u64 = 24;

/// The plans that PostgreSQL makes for the values of a statement before it compares them with the generic one.
const PLANS_OWN: i64 = 5;

/// How the files of statements begin that run for each answer to a worker.
const EACH_ANSWER: [&str; 6] = [
    "grant_",
    "has_suspects",
    "settle_",
    "detections_insert",
    "classifications_insert",
    "counts",
];

/// The job that runs in each of the databases.
const RUNNING: u64 = 2;

/// A statement and the rows that it is asked for.
struct Statement {
    file: &'static str,
    /// What is put behind it in the code.
    end: &'static str,
    rows: u64,
    /// Types, and values as SQL of type text.
    values: &'static [(&'static str, &'static str)],
}

async fn run(conn: &mut PgConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await;
    done.unwrap_or_else(|e| panic!("{e}: {sql}"));
}

/// A script with its numbers, and the summary of its job.
fn job(script: &str, job: u64, tasks: u64, captures_from: u64) -> String {
    let script = [script, include_str!("summary.sql")].concat();
    let numbers = [("{job}", job), ("{n}", tasks), ("{from}", captures_from)];
    numbers
        .iter()
        .fold(script, |sql, (name, n)| sql.replace(name, &n.to_string()))
}

fn ended(tasks: u64) -> String {
    job(include_str!("ended.sql"), 1, tasks, 0)
}

fn running(captures_from: u64) -> String {
    job(include_str!("running.sql"), RUNNING, LARGE, captures_from)
}

async fn database(server: &Postgres, name: &str) -> PgConnection {
    let mut conn = PgConnection::connect(&server.url("postgres")).await.unwrap();
    run(&mut conn, &format!("CREATE DATABASE {name}")).await;
    let store = PostgresStore::connect(&server.url(name), PostgresOptions::default()).await;
    store.unwrap().close().await;
    let mut conn = PgConnection::connect(&server.url(name)).await.unwrap();
    run(&mut conn, include_str!("catalog.sql")).await;
    conn
}

/// What is wrong with the statements in one state of the statistics.
async fn faults(url: &str, state: &str, faults: &mut Vec<String>) {
    for ours in [true, false] {
        let mut options: PgConnectOptions = url.parse().unwrap();
        if ours {
            options = options.options(SESSION);
        }
        let mut conn = PgConnection::connect_with(&options).await.unwrap();
        for statement in HOT {
            let touched = Touched::by(&mut conn, statement).await;
            for (plan, pages) in [("own", touched.own), ("generic", touched.generic)] {
                let most = PAGES_ALWAYS + PAGES_PER_ROW * touched.rows;
                if pages > most {
                    let settings = if ours { "our" } else { "the server's" };
                    faults.push(format!(
                        "{} touches {pages} pages for {} row(s), more than {most}: {state}, {plan} plan, {settings} settings",
                        statement.file, touched.rows
                    ));
                }
            }
        }
    }
}

/// The statements of each answer to a worker that are planned each time, with our settings.
async fn planned_anew(url: &str) -> Vec<String> {
    let options: PgConnectOptions = url.parse().unwrap();
    let mut conn = PgConnection::connect_with(&options.options(SESSION))
        .await
        .unwrap();
    let mut found = Vec::new();
    let of_each_answer = |s: &&Statement| EACH_ANSWER.iter().any(|name| s.file.starts_with(name));
    for statement in HOT.iter().filter(of_each_answer) {
        run(&mut conn, "BEGIN").await;
        let values = prepare(&mut conn, statement).await;
        let values = texts(&mut conn, &values).await;
        for _ in 0..2 * PLANS_OWN {
            let execute = format!(
                "SAVEPOINT before; EXECUTE s {}; ROLLBACK TO before",
                listed(&values)
            );
            run(&mut conn, &execute).await;
        }
        let own: i64 = sqlx::query_scalar("SELECT custom_plans FROM pg_prepared_statements WHERE name = 's'")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        run(&mut conn, "ROLLBACK; DEALLOCATE s").await;
        if own > PLANS_OWN {
            found.push(format!("{} is planned each time", statement.file));
        }
    }
    found
}

/// The pages that a statement touches, and the rows that it is asked for.
struct Touched {
    rows: u64,
    own: u64,
    generic: u64,
}

impl Touched {
    async fn by(conn: &mut PgConnection, statement: &Statement) -> Self {
        run(conn, "BEGIN").await;
        let values = prepare(conn, statement).await;
        let own = pages(conn, "force_custom_plan", &values).await;
        let generic = pages(conn, "force_generic_plan", &values).await;
        run(conn, "ROLLBACK").await;
        run(conn, "DEALLOCATE s").await;
        Self {
            rows: statement.rows,
            own,
            generic,
        }
    }
}

/// Prepares a statement, and returns its values.
async fn prepare(conn: &mut PgConnection, statement: &Statement) -> String {
    let mut paths = SQL.iter().map(|folder| Path::new(folder).join(statement.file));
    let sql = std::fs::read_to_string(paths.find(|path| path.exists()).unwrap()).unwrap();
    let (types, values): (Vec<_>, Vec<_>) = statement.values.iter().copied().unzip();
    run(
        conn,
        &format!("PREPARE s {} AS {sql}{}", listed(&types), statement.end),
    )
    .await;
    values.join(", ")
}

/// Values as literals: a value may be a look-up, which is no part of the statement.
async fn texts(conn: &mut PgConnection, values: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT coalesce(quote_literal(v), 'NULL') FROM unnest(ARRAY[{values}]::text[]) WITH ORDINALITY AS e (v, at) ORDER BY at"
    )))
    .fetch_all(conn)
    .await
    .unwrap_or_else(|e| panic!("{e}: {values}"))
}

/// A list in parentheses, which may not be empty.
fn listed<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    match items.is_empty() {
        true => String::new(),
        false => format!("({})", items.join(", ")),
    }
}

async fn pages(conn: &mut PgConnection, mode: &str, values: &str) -> u64 {
    run(
        conn,
        &format!("SAVEPOINT before; SET LOCAL plan_cache_mode = {mode}"),
    )
    .await;
    let values = texts(conn, values).await;
    let explain = format!(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE s {}",
        listed(&values)
    );
    let plan: serde_json::Value = sqlx::query_scalar(AssertSqlSafe(explain.clone()))
        .persistent(false)
        .fetch_one(&mut *conn)
        .await
        .unwrap_or_else(|e| panic!("{e}: {explain}"));
    run(conn, "ROLLBACK TO before").await;
    let top = &plan[0]["Plan"];
    let blocks = |kind: &str| top[kind].as_u64().unwrap();
    blocks("Shared Hit Blocks") + blocks("Shared Read Blocks")
}

/// As of a server that never analysed its tables.
const FORGET: &str = "
    DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace);
    UPDATE pg_class SET reltuples = -1, relpages = 0
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')";

#[tokio::test]
async fn no_hot_statement_reads_a_job_to_find_a_row_whatever_the_statistics_say() {
    let server = Postgres::start().await;
    let mut conn = PgConnection::connect(&server.url("postgres")).await.unwrap();
    for setting in ["fsync = off", "autovacuum = off", "max_wal_size = '4GB'"] {
        run(&mut conn, &format!("ALTER SYSTEM SET {setting}")).await;
    }
    run(&mut conn, "SELECT pg_reload_conf()").await;
    let mut found = Vec::new();

    let small = async {
        let mut found = Vec::new();
        let mut conn = database(&server, "small").await;
        let url = server.url("small");
        run(&mut conn, &ended(60)).await;
        run(&mut conn, "ANALYZE").await;
        run(&mut conn, &running(60)).await;
        faults(&url, "statistics of a small job", &mut found).await;
        run(&mut conn, FORGET).await;
        faults(&url, "no statistics", &mut found).await;
        run(&mut conn, "ANALYZE").await;
        faults(&url, "right statistics", &mut found).await;
        found.extend(planned_anew(&url).await);
        found
    };
    let other = async {
        let mut found = Vec::new();
        let mut conn = database(&server, "other").await;
        run(&mut conn, &ended(LARGE)).await;
        run(&mut conn, "VACUUM ANALYZE").await;
        run(&mut conn, &running(LARGE)).await;
        faults(
            &server.url("other"),
            "statistics of another large job",
            &mut found,
        )
        .await;
        found
    };
    let (small, other) = futures::join!(small, other);
    found.extend(small);
    found.extend(other);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// 20,000 jobs of two projects.
const MANY: &str = "
    SET session_replication_role = replica;
    INSERT INTO jobs (id, project_id, name, status, failure_threshold, created_at, updated_at)
    SELECT n, n % 2 + 1, 'job', CASE WHEN n % 3 = 0 THEN 'STARTED' ELSE 'SUCCESS' END, 0.5, n, n FROM generate_series(1, 20000) n";

#[tokio::test]
async fn a_page_of_jobs_is_read_in_its_order_however_many_there_are() {
    let server = Postgres::start().await;
    let mut conn = database(&server, "many").await;
    run(&mut conn, MANY).await;
    let options: PgConnectOptions = server.url("many").parse().unwrap();
    let mut ours = PgConnection::connect_with(&options.options(SESSION))
        .await
        .unwrap();
    for statistics in [FORGET, "ANALYZE"] {
        run(&mut conn, statistics).await;
        for statement in HOT.iter().filter(|s| s.file == "jobs/ids.sql") {
            let touched = Touched::by(&mut ours, statement).await;
            let most = PAGES_ALWAYS + PAGES_PER_ROW * touched.rows;
            assert!(
                touched.own <= most && touched.generic <= most,
                "{} {}: {} and {} pages",
                statement.end,
                statistics,
                touched.own,
                touched.generic
            );
        }
    }
}

/// The files of statements below a folder, as paths from the first.
fn files(root: &Path, folder: &Path) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(root, &path));
        } else if path.extension().is_some_and(|end| end == "sql") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            all.insert(name.to_owned());
        }
    }
    all
}

#[test]
fn each_statement_in_a_file_is_hot_or_said_not_to_be() {
    let roots = SQL.iter().map(Path::new);
    let there: BTreeSet<String> = roots.flat_map(|root| files(root, root)).collect();
    let is = |file: &str, said: &str| file == said || (said.ends_with('/') && file.starts_with(said));
    for file in &there {
        let said = HOT.iter().map(|s| s.file).chain(COLD.iter().copied());
        let said: Vec<_> = said.filter(|said| is(file, said)).collect();
        // A hot statement may be in a folder of others.
        assert!(
            said.len() == 1 || HOT.iter().any(|s| s.file == file),
            "{file}: {said:?}"
        );
    }
    for said in HOT.iter().map(|s| s.file).chain(COLD.iter().copied()) {
        assert!(there.iter().any(|file| is(file, said)), "there is no {said}");
    }
}
