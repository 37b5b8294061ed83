//! That SQLite finds its way by the indexes that hold only what a statement looks for. Without statistics it takes a
//! table's key where that fits too, and then reads past every task of a job that is settled already.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod except;
mod scans;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use sqlx::{Connection as _, Row as _, SqliteConnection, migrate::Migrator, sqlite::SqliteConnectOptions};
use trapline_backends::{SqliteStore, sqlite::Access};
use trapline_testkit::ManualClock;

const SQL: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/src/sqlite/sql"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql"),
];
/// Two read all of a job on purpose; the third is the beginning of statements that say which job; the fourth is asked
/// only of a worker that waits for a last try, and is answered by its newest hand-out if it is at work; the fifth ends at the
/// first hand-out.
const EXCEPT: [&str; 5] = [
    "recount.sql",
    "audit_tasks.sql",
    "job.sql",
    "busy.sql",
    "deleted.sql",
];

fn statements(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => statements(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|end| end == "sql"))
        .collect()
}

/// The text of a statement.
fn text(file: &str) -> String {
    let mut paths = SQL.iter().map(|folder| Path::new(folder).join(file));
    std::fs::read_to_string(paths.find(|path| path.exists()).unwrap()).unwrap()
}

/// A store without rows, of the newest schema.
async fn empty() -> SqliteConnection {
    let options = SqliteConnectOptions::new().in_memory(true);
    let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    Migrator::new(folder).await.unwrap().run(&mut conn).await.unwrap();
    conn
}

/// The steps of a plan. The parameters are numbers: of none the statistics would say that no row has it.
async fn plan(conn: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let of = |mark: &str| {
        let numbers = sql.split(mark).skip(1).map(|rest| {
            let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            rest[..rest.len() - digits.len()].parse().unwrap_or(0)
        });
        numbers.max().unwrap_or(0)
    };
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let mut query = sqlx::query(sqlx::AssertSqlSafe(explain));
    for _ in 0..of("$").max(of("?")) {
        query = query.bind(1_i64);
    }
    query
        .fetch_all(conn)
        .await
        .unwrap_or_else(|e| panic!("{e}: {sql}"))
        .iter()
        .map(|row| row.get("detail"))
        .collect()
}

#[tokio::test]
async fn no_statement_reads_past_the_settled_tasks_of_a_job_or_past_ended_jobs_or_hand_outs() {
    let mut conn = empty().await;
    let mut seen = 0;
    for file in SQL.iter().flat_map(|folder| statements(Path::new(folder))) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let sql = std::fs::read_to_string(&file).unwrap();
        let unended = ["state = 'pending'", "status IN", "FROM grants", "UPDATE tasks"];
        if EXCEPT.contains(&name) || !unended.iter().any(|part| sql.contains(part)) {
            continue;
        }
        seen += 1;
        let mut steps = Vec::new();
        for statement in sql.split(";\n") {
            steps.extend(plan(&mut conn, statement).await);
        }
        for step in steps {
            let all_tasks = ["PRIMARY KEY (job_id=?)", "tasks_image (job_id=?)"]
                .iter()
                .any(|index| step.contains(index));
            let all_jobs = ["SCAN j", "SCAN jobs"].contains(&step.as_str());
            let all_hand_outs = ["INDEX grants_worker (worker_id=?)", "INDEX grants_job (job_id=?)"]
                .iter()
                .any(|index| step.contains(index));
            assert!(!all_tasks && !all_jobs && !all_hand_outs, "{name}: {step}");
        }
    }
    assert!(seen > 10, "only {seen} statements were found");
}

#[tokio::test]
async fn what_every_page_reads_beside_its_rows_does_not_grow_with_the_store() {
    let mut conn = empty().await;
    for (file, found_by) in [
        ("jobs/few.sql", "INDEX jobs_status (status=?)"),
        (
            "jobs/few_of_project.sql",
            "INDEX jobs_status (status=? AND project_id=?)",
        ),
        ("catalog/recent_sets.sql", "USING INDEX collections_named (id<?)"),
        (
            "catalog/recent_sets_of_project.sql",
            "USING INDEX collections_named_of (project_id=? AND id<?)",
        ),
        ("catalog/old_draft.sql", "INDEX drafts_created (created_at<?)"),
        ("jobs/edge.sql", "INTEGER PRIMARY KEY (rowid<?)"),
        ("summary/row.sql", "INTEGER PRIMARY KEY (rowid=?)"),
        (
            "summary/scores.sql",
            "PRIMARY KEY (job_id=? AND label_id=? AND bin>?)",
        ),
        ("summary/activity.sql", "PRIMARY KEY (job_id=? AND label_id=?)"),
        ("sessions/find.sql", "SEARCH s USING PRIMARY KEY (hash=?)"),
    ] {
        let steps = plan(&mut conn, &text(file)).await;
        assert!(
            steps.iter().any(|step| step.contains(found_by)),
            "{file}: {steps:?}"
        );
        let is_read_whole = |step: &String| step.starts_with("SCAN") && !step.contains("few");
        assert!(!steps.iter().any(is_read_whole), "{file}: {steps:?}");
    }
}

#[tokio::test]
async fn what_keeps_a_worker_busy_is_read_from_its_own_hand_outs() {
    let mut conn = empty().await;
    let steps = plan(&mut conn, &text("health/outlook_workers.sql")).await;
    let hand_outs: Vec<_> = steps.iter().filter(|step| step.contains(" g ")).collect();
    assert_eq!(hand_outs, ["SEARCH g USING INDEX grants_held_by (worker_id=?)"]);
}

#[tokio::test]
async fn jobs_in_an_order_are_found_by_its_index_from_where_a_page_begins() {
    let mut conn = empty().await;
    for (file, end, found_by) in [
        (
            "by_name.sql",
            "lower(j.name) = 'a' AND j.id > 1 ORDER BY j.id",
            "jobs_name (<expr>=? AND id>?)",
        ),
        (
            "by_name.sql",
            "lower(j.name) > 'a' ORDER BY lower(j.name), j.id",
            "jobs_name (<expr>>?)",
        ),
        (
            "by_name.sql",
            "j.project_id = 1 AND lower(j.name) > 'a' ORDER BY lower(j.name), j.id",
            "jobs_name_of (project_id=? AND <expr>>?)",
        ),
        (
            "by_end.sql",
            "j.finished_at < 9 ORDER BY j.finished_at DESC, j.id DESC",
            "jobs_ended (finished_at>? AND finished_at<?)",
        ),
        (
            "by_end.sql",
            "j.project_id = 1 AND j.finished_at = 9 AND j.id < 9 ORDER BY j.id DESC",
            "jobs_ended_of (project_id=? AND finished_at=? AND id<?)",
        ),
    ] {
        let sql = text(&format!("jobs/{file}"));
        let steps = plan(&mut conn, &format!("{sql} AND {end} LIMIT 51")).await;
        assert!(
            steps.len() == 1 && steps[0].contains(found_by),
            "{end}: {steps:?}"
        );
    }
}

#[tokio::test]
async fn statistics_that_somebody_made_are_forgotten_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let open = async || {
        let clock = Arc::new(ManualClock::new());
        SqliteStore::open(&path, Access::Exclusive, clock).await.unwrap()
    };
    open().await.close().await;
    let mut conn = SqliteConnection::connect(&format!("sqlite:{}", path.display()))
        .await
        .unwrap();
    let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_stat1'";
    sqlx::raw_sql("ANALYZE").execute(&mut conn).await.unwrap();
    assert_eq!(
        sqlx::query_scalar::<_, i64>(there)
            .fetch_one(&mut conn)
            .await
            .unwrap(),
        1
    );
    let _store = open().await;
    assert_eq!(
        sqlx::query_scalar::<_, i64>(there)
            .fetch_one(&mut conn)
            .await
            .unwrap(),
        0
    );
}
