//! Schemas that are not those of this version: older ones are migrated, newer ones are worked on, and who only looks changes
//! nothing.

use std::{sync::Arc, time::Duration};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use trapline_backends::{PostgresStore, postgres::PostgresOptions};
use trapline_core::{
    Error, ErrorKind,
    ports::{Pulse, Store as _},
    verify::verify,
};
use trapline_testkit::ManualClock;

use crate::{node, support::Databases};

/// What a later version does first, as docs/adr/0006 allows it: columns that may be null or have a default, tables, indexes.
const LATER: &str = "\
    DO $$ DECLARE t text; BEGIN
      FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations' LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN later_note TEXT, ADD COLUMN later_rank BIGINT NOT NULL DEFAULT 0', t);
      END LOOP;
    END $$;
    CREATE TABLE later_things (id BIGINT PRIMARY KEY);
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    VALUES (9999, 'later', true, '\\x00', 0)";

async fn run(url: &str, sql: &str) {
    let mut conn = PgConnection::connect(url).await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
}

async fn tables(url: &str) -> i64 {
    let mut conn = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        .fetch_one(&mut conn)
        .await
        .unwrap()
}

/// The columns that a statement of one `UPDATE` sets.
fn written(statement: &str) -> Vec<&str> {
    let (_, rest) = statement.split_once(" SET").unwrap();
    let (columns, _) = rest
        .split_once("FROM unnest")
        .or(rest.split_once("FROM ("))
        .unwrap();
    let set = columns
        .split(" = ")
        .filter_map(|part| part.split_whitespace().last());
    set.filter(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        .collect()
}

pub(crate) async fn no_index_holds_a_column_that_a_hand_out_or_a_sign_of_life_writes(
    databases: Arc<Databases>,
) {
    let url = databases.empty().await;
    drop(node(&url, &ManualClock::new()).await);
    let mut conn = PgConnection::connect(&url).await.unwrap();
    let statements = [
        (
            "tasks",
            include_str!("../../src/postgres/sql/grant_set.sql"),
            "lease_until",
        ),
        (
            "workers",
            include_str!("../../src/postgres/sql/keep_alive.sql"),
            "extend_from",
        ),
    ];
    for (table, statement, known) in statements {
        let columns = written(statement);
        assert!(columns.contains(&known), "{columns:?}");
        let indexes: Vec<String> = sqlx::query_scalar("SELECT indexdef FROM pg_indexes WHERE tablename = $1")
            .bind(table)
            .fetch_all(&mut conn)
            .await
            .unwrap();
        assert!(!indexes.is_empty());
        for index in &indexes {
            let mut words = index.split(|c: char| !c.is_alphanumeric() && c != '_');
            assert!(
                !words.any(|word| columns.contains(&word)),
                "{index} of {columns:?}"
            );
        }
    }
}

async fn look(url: &str) -> Result<PostgresStore, Error> {
    PostgresStore::open_read_only(url, PostgresOptions::default()).await
}

async fn refused(url: &str) -> Error {
    let Err(error) = look(url).await else {
        panic!("it could be looked at");
    };
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    error
}

pub(crate) async fn looking_at_an_empty_database_leaves_it_empty_and_says_what_to_do(
    databases: Arc<Databases>,
) {
    let url = databases.empty().await;
    let error = refused(&url).await;
    assert!(error.message.contains("start `trapline serve`"), "{error}");
    assert_eq!(tables(&url).await, 0);
}

pub(crate) async fn looking_at_a_store_reads_all_of_it_and_can_write_none(databases: Arc<Databases>) {
    let (url, clock) = (databases.fresh().await, ManualClock::new());
    let w = node(&url, &clock).await;
    w.beat().await;
    let job = w.job_of(3).await;
    let tasks = w.grant(job, 2, "w").await;
    w.succeed(tasks[0], 2).await;
    let looking = look(&url).await.unwrap();
    let seen = verify(&looking, 2).await.unwrap();
    assert_eq!((seen.jobs, seen.tasks, seen.violations.len()), (1, 3, 0));
    let pulse = Pulse {
        first: true,
        grace: Duration::from_secs(1),
        clock: &clock,
        last: None,
    };
    let beat = looking.heartbeat(&pulse).await;
    assert_eq!(beat.unwrap_err().kind, ErrorKind::Unavailable);
}

pub(crate) async fn on_a_newer_schema_a_node_works_before_and_after_a_restart(databases: Arc<Databases>) {
    let (url, clock) = (databases.fresh().await, ManualClock::new());
    let before = node(&url, &clock).await;
    before.beat().await;
    let first = before.job_of(3).await;
    let held = before.grant(first, 2, "w").await;
    // Its connections hold prepared statements on the schema that changes under them.
    run(&url, LATER).await;
    for task in held {
        before.succeed(task, 2).await;
    }
    let after = node(&url, &clock).await;
    after.beat().await;
    for task in after.grant(first, 2, "w").await {
        after.succeed(task, 1).await;
    }
    let second = after.job_of(2).await;
    for task in before.grant(second, 2, "v").await {
        after.succeed(task, 1).await;
    }
    for job in [first, second] {
        let job = after.store.job(job).await.unwrap().unwrap();
        assert_eq!(job.status.as_str(), "SUCCESS");
    }
    after.check_invariants().await;
    let error = refused(&url).await;
    assert!(error.message.contains("newest node"), "{error}");
}
