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

use super::{MIGRATIONS, SOON, db};

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

/// How long a call waits for a connection: shorter than it may take, so that the pool says what is wrong before the call is
/// given up. Beside, a statement may take its fifteen seconds after that.
const WORK_WAIT: Duration = Duration::from_secs(4);
const SIDE_WAIT: Duration = Duration::from_secs(4);

/// What workers wait for, and all else: pages, exports, the health check, collecting, publishing. Each has connections of its
/// own, so that whatever the one does to the server, the other finds a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Work,
    Side,
}

impl Class {
    /// Its share of all connections: a third is for what no worker waits for.
    fn share(self, most: u32) -> u32 {
        let side = (most / 3).max(1);
        match self {
            Self::Work => most.saturating_sub(side).max(1),
            Self::Side => side,
        }
    }
}

pub(super) struct Connections {
    server: PgConnectOptions,
    most: u32,
    work: RwLock<Current>,
    side: RwLock<Current>,
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
        Ok(Self::to(server, most))
    }

    /// The same, and no transaction can write.
    pub(super) fn read_only(url: &str, most: u32) -> Result<Self> {
        let all = Self::new(url, most)?;
        let server = all.server.options([("default_transaction_read_only", "on")]);
        Ok(Self::to(server, most))
    }

    fn to(server: PgConnectOptions, most: u32) -> Self {
        let current = |class| {
            RwLock::new(Current {
                number: 0,
                pool: lazy(&server, class, most),
            })
        };
        Self {
            work: current(Class::Work),
            side: current(Class::Side),
            probe: Probe::new(server.clone()),
            server,
            most,
        }
    }

    /// The connections of what workers wait for.
    pub(super) fn pool(&self) -> PgPool {
        self.current(Class::Work).pool.clone()
    }

    /// Those of everything else.
    pub(super) fn side(&self) -> PgPool {
        self.current(Class::Side).pool.clone()
    }

    const fn of(&self, class: Class) -> &RwLock<Current> {
        match class {
            Class::Work => &self.work,
            Class::Side => &self.side,
        }
    }

    fn current(&self, class: Class) -> RwLockReadGuard<'_, Current> {
        self.of(class).read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a call that uses [`Connections::pool`], for so long, while the server lives. While it is known to be away
    /// the call fails at once.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.if_it_answers(Class::Work, limit, call).await
    }

    /// The same for a call that uses [`Connections::side`].
    pub(super) async fn aside<T>(&self, limit: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.if_it_answers(Class::Side, limit, call).await
    }

    async fn if_it_answers<T>(
        &self,
        class: Class,
        limit: Duration,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        if !self.probe.answers() {
            return Err(away());
        }
        self.patiently(class, limit, call).await
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
        self.patiently(Class::Work, limit, call).await
    }

    /// A call that is slow may have much to do, or nobody who does it. Which one is asked on a connection of its own.
    async fn patiently<T>(
        &self,
        class: Class,
        limit: Duration,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let number = |class| self.current(class).number;
        let before = [
            (Class::Work, number(Class::Work)),
            (Class::Side, number(Class::Side)),
        ];
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
                lives = self.probe.ask() => if !lives {
                    before.into_iter().for_each(|(each, number)| self.replace(each, number));
                    return Err(away());
                },
            }
        }
        let of_class = before.into_iter().filter(|(each, _)| *each == class);
        of_class.for_each(|(each, number)| self.replace(each, number));
        Err(away())
    }

    /// A call that is not answered leaves its connection in doubt, and what one has suffered the others of its pool may, and
    /// those of both pools if the server said nothing; so they are dropped for fresh ones.
    fn replace(&self, class: Class, number: u64) {
        let mut current = self.of(class).write().unwrap_or_else(PoisonError::into_inner);
        if current.number == number {
            current.number += 1;
            current.pool = lazy(&self.server, class, self.most);
        }
    }

    /// Closes the connections. One on which a call hangs is left to end with the process.
    pub(super) async fn close(&self) {
        let (work, side) = (self.pool(), self.side());
        let both = async { tokio::join!(work.close(), side.close()) };
        tokio::time::timeout(SOON, both).await.ok();
    }

    /// Where the server is, for messages.
    pub(super) fn at(&self) -> String {
        format!("{}:{}", self.server.get_host(), self.server.get_port())
    }

    /// The migrations that the database has, of whatever version.
    pub(super) async fn applied(&self) -> Result<Vec<i64>> {
        let pool = self.pool();
        let read = async {
            sqlx::query_scalar(include_str!("../sql/cluster/migrations.sql"))
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
        self.within(SOON, read).await
    }

    /// Brings the database to the newest schema, on a connection of its own: it may take longer than any call. The
    /// migrator holds an advisory lock, so a second node waits and then finds nothing to do.
    pub(super) async fn migrate(&self) -> Result<()> {
        let failed = |kind, e: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(kind, format!("cannot open the store at `{}`: {e}", self.at()))
        };
        let unanswered = || failed(ErrorKind::Unavailable, "it does not answer".into());
        let mut conn: PgConnection = tokio::time::timeout(SOON, self.server.connect())
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

fn lazy(server: &PgConnectOptions, class: Class, most: u32) -> PgPool {
    let server = server.clone().options(SESSION);
    let wait = match class {
        Class::Work => WORK_WAIT,
        Class::Side => SIDE_WAIT,
    };
    PgPoolOptions::new()
        .max_connections(class.share(most))
        .acquire_timeout(wait)
        .connect_lazy_with(server)
}
