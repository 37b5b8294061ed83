//! Databases on a private PostgreSQL, one per test, copied from a template that is migrated once per run.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use trapline_backends::{
    PostgresStore,
    postgres::{PostgresOptions, StoreTime},
};
use trapline_testkit::{ManualClock, conformance::World, services::Postgres};

const TEMPLATE: &str = "template_of_ours";

/// A private server.
pub(crate) struct Databases {
    pub(crate) server: Postgres,
    next: AtomicU32,
}

impl Databases {
    pub(crate) async fn start() -> Self {
        let server = Postgres::start().await;
        let url = server.url("postgres");
        // No test cuts the power, and a disk takes milliseconds for each commit of thousands.
        run(&url, "ALTER SYSTEM SET fsync = off").await;
        run(&url, "SELECT pg_reload_conf()").await;
        run(&url, &format!("CREATE DATABASE {TEMPLATE}")).await;
        let options = PostgresOptions::default();
        let store = PostgresStore::connect(&server.url(TEMPLATE), options).await;
        store.unwrap().close().await;
        Self {
            server,
            next: AtomicU32::new(1),
        }
    }

    /// The address of a fresh database.
    pub(crate) async fn fresh(&self) -> String {
        self.from(TEMPLATE).await
    }

    /// The address of a database that nobody has migrated.
    #[allow(dead_code, reason = "not every test binary wants one")]
    pub(crate) async fn empty(&self) -> String {
        self.from("template0").await
    }

    async fn from(&self, template: &str) -> String {
        let name = format!("test_{}", self.next.fetch_add(1, Ordering::Relaxed));
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
        run(&self.server.url("postgres"), &sql).await;
        self.server.url(&name)
    }

    /// A world on a fresh database.
    #[allow(dead_code, reason = "not every test binary wants one")]
    pub(crate) async fn world(&self) -> World {
        let clock = ManualClock::new();
        let store = connect(&self.fresh().await, &clock).await;
        World {
            store: Arc::new(store),
            clock,
            keep: Box::new(()),
        }
    }
}

/// A node on a database, whose store time is moved by hand.
pub(crate) async fn connect(url: &str, clock: &ManualClock) -> PostgresStore {
    let options = PostgresOptions {
        connections: 8,
        time: StoreTime::Given(Arc::new(clock.clone())),
    };
    PostgresStore::connect(url, options).await.unwrap()
}

async fn run(url: &str, sql: &str) {
    let mut conn = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut conn)
        .await
        .unwrap();
}
