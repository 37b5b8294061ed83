//! Connections with deadlines on everything: on connecting, on waiting for one, in the server, and on each call, because a
//! server whose host vanishes says nothing at all.

use std::{
    future::Future,
    pin::pin,
    str::FromStr as _,
    sync::{
        PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::Mutex;
use trapline_core::{Error, ErrorKind, Result};

use super::{MIGRATIONS, QUICK, db};

/// How long a migration may take, and the wait for another node's.
const MIGRATION: Duration = Duration::from_secs(600);
/// After so long without a word it is asked whether the server lives.
const SILENCE: Duration = Duration::from_millis(500);
/// How long that answer may take. Together they are less than a reserve may take.
const PROBE: Duration = Duration::from_millis(900);

/// The settings of each session.
pub const SESSION: [(&str, &str); 7] = [
    ("synchronous_commit", "on"),
    ("default_transaction_isolation", "read committed"),
    ("lock_timeout", "3s"),
    ("statement_timeout", "15s"),
    // A generic plan that was made while a table was empty must not scan it when it has grown: nothing makes it anew before
    // the table is analysed.
    ("enable_seqscan", "off"),
    // Its compilation takes longer than any statement here.
    ("jit", "off"),
    ("idle_in_transaction_session_timeout", "5s"),
];

/// The SQLSTATE of a table that is not there.
const NO_TABLE: &str = "42P01";

pub(super) struct Connections {
    server: PgConnectOptions,
    most: u32,
    current: RwLock<Current>,
    probe: Probe,
}

struct Current {
    /// Counts the pools, so that many calls that wait in vain on one replace it once.
    number: u64,
    pool: PgPool,
}

impl Connections {
    /// Connects to nothing yet.
    pub(super) fn new(url: &str, most: u32) -> Result<Self> {
        let server = PgConnectOptions::from_str(url)
            .map_err(|e| Error::invalid("the database's url can't be read").with_source(e))?
            .application_name("trapline")
            .statement_cache_capacity(200)
            .disable_statement_logging();
        let pool = lazy(&server, most);
        let current = RwLock::new(Current { number: 0, pool });
        Ok(Self {
            probe: Probe::new(server.clone()),
            server,
            most,
            current,
        })
    }

    /// The same, and no transaction can write.
    pub(super) fn read_only(url: &str, most: u32) -> Result<Self> {
        let mut all = Self::new(url, most)?;
        all.server = all.server.options([("default_transaction_read_only", "on")]);
        all.current = RwLock::new(Current {
            number: 0,
            pool: lazy(&all.server, most),
        });
        Ok(all)
    }

    pub(super) fn pool(&self) -> PgPool {
        self.current().pool.clone()
    }

    fn current(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a call, for so long, while the server lives. While it is known to be away the call fails at once.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        if !self.probe.answers() {
            return Err(away());
        }
        self.patiently(limit, call).await
    }

    /// As [`Connections::within`], but it asks the server even if that is known to be away: how it is found again.
    pub(super) async fn asking<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        if !self.probe.answers() && !self.probe.ask().await {
            return Err(away());
        }
        self.patiently(limit, call).await
    }

    /// A call that is slow may have much to do, or nobody who does it. Which one is asked on a connection of its own.
    async fn patiently<T>(&self, limit: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
        let number = self.current().number;
        let mut call = pin!(call);
        let mut left = limit;
        while !left.is_zero() {
            let step = left.min(SILENCE);
            if let Ok(done) = tokio::time::timeout(step, &mut call).await {
                return done;
            }
            left -= step;
            tokio::select! {
                biased;
                done = &mut call => return done,
                lives = self.probe.ask() => if !lives { break },
            }
        }
        self.replace(number);
        Err(away())
    }

    /// A call that is not answered leaves its connection in doubt, and what one has suffered the others of its pool may;
    /// so that pool is dropped for a fresh one.
    fn replace(&self, number: u64) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.number == number {
            current.number += 1;
            current.pool = lazy(&self.server, self.most);
        }
    }

    /// Closes the connections. One on which a call hangs is left to end with the process.
    pub(super) async fn close(&self) {
        tokio::time::timeout(QUICK, self.pool().close()).await.ok();
    }

    /// Where the server is, for messages.
    pub(super) fn at(&self) -> String {
        format!("{}:{}", self.server.get_host(), self.server.get_port())
    }

    /// The migrations that the database has, of whatever version.
    pub(super) async fn applied(&self) -> Result<Vec<i64>> {
        let pool = self.pool();
        let read = async {
            sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success ORDER BY version")
                .fetch_all(&pool)
                .await
                .map_err(|e| {
                    let strange = e.as_database_error().and_then(|d| d.code()).as_deref() == Some(NO_TABLE);
                    let (kind, what) = if strange {
                        let what = "holds no tables of Trapline's; start `trapline serve` on it once";
                        (ErrorKind::Invalid, what)
                    } else {
                        (db(&e).0, "can't be read")
                    };
                    Error::new(kind, format!("the database at `{}` {what}", self.at())).with_source(e)
                })
        };
        self.within(QUICK, read).await
    }

    /// Brings the database to the newest schema, on a connection of its own: it may take longer than any call. The
    /// migrator holds an advisory lock, so a second node waits and then finds nothing to do.
    pub(super) async fn migrate(&self) -> Result<()> {
        let failed = |kind, e: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(kind, format!("cannot open the store at `{}`: {e}", self.at()))
        };
        let unanswered = || failed(ErrorKind::Unavailable, "it does not answer".into());
        let mut conn: PgConnection = tokio::time::timeout(QUICK, self.server.connect())
            .await
            .map_err(|_| unanswered())?
            .map_err(|e| failed(db(&e).0, e.into()))?;
        tokio::time::timeout(MIGRATION, MIGRATIONS.run(&mut conn))
            .await
            .map_err(|_| unanswered())?
            .map_err(|e| {
                let kind = match &e {
                    sqlx::migrate::MigrateError::Execute(cause) => db(cause).0,
                    _ => ErrorKind::Invalid,
                };
                failed(kind, e.into())
            })?;
        // It is not needed any more, however it ends.
        conn.close().await.ok();
        Ok(())
    }
}

fn away() -> Error {
    Error::unavailable("the store does not answer")
}

/// Whether the server lives, by a connection that no call uses.
struct Probe {
    server: PgConnectOptions,
    answers: AtomicBool,
    /// Counts the answers, so that those who wait for one share it.
    asked: AtomicU64,
    connection: Mutex<Option<PgConnection>>,
}

impl Probe {
    fn new(server: PgConnectOptions) -> Self {
        Self {
            server,
            answers: AtomicBool::new(true),
            asked: AtomicU64::new(0),
            connection: Mutex::const_new(None),
        }
    }

    /// As far as is known.
    fn answers(&self) -> bool {
        self.answers.load(Ordering::Acquire)
    }

    /// Asks the server, or waits for whoever does.
    async fn ask(&self) -> bool {
        let before = self.asked.load(Ordering::Acquire);
        let mut connection = self.connection.lock().await;
        if self.asked.load(Ordering::Acquire) == before {
            let answer = tokio::time::timeout(PROBE, self.select(connection.take())).await;
            *connection = answer.ok().and_then(Result::ok);
            self.answers.store(connection.is_some(), Ordering::Release);
            self.asked.fetch_add(1, Ordering::AcqRel);
        }
        self.answers()
    }

    async fn select(&self, kept: Option<PgConnection>) -> sqlx::Result<PgConnection> {
        if let Some(mut connection) = kept
            && connection.ping().await.is_ok()
        {
            return Ok(connection);
        }
        let mut connection = self.server.connect().await?;
        connection.ping().await?;
        Ok(connection)
    }
}

fn lazy(server: &PgConnectOptions, most: u32) -> PgPool {
    let server = server.clone().options(SESSION);
    PgPoolOptions::new()
        .max_connections(most)
        // Shorter than any call, so that the pool says what is wrong before the call is given up.
        .acquire_timeout(QUICK - Duration::from_millis(500))
        .connect_lazy_with(server)
}
