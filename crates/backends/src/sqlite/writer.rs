//! The one writer, in two classes: foreground (grant, settle) goes first, background (collect, sweep, delete) gets
//! at most every other turn, and at least that (docs/rules.md A16).

use std::{
    collections::VecDeque,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::{Connection as _, SqliteConnection};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{OwnedMutexGuard, oneshot},
};
use trapline_core::Result;

use super::{
    direct::{Direct, Done},
    store_error,
};

pub(super) struct Writer {
    turns: Arc<Mutex<Turns>>,
    conn: Arc<tokio::sync::Mutex<Conn>>,
    /// For the hot half; locked only by who has the turn. `None` in a store that is only looked at, or closed.
    direct: Mutex<Option<Direct>>,
}

struct Conn {
    conn: Option<SqliteConnection>,
    /// A transaction was begun and not known to be ended: its future was dropped, or it failed.
    open: bool,
}

#[derive(Default)]
struct Turns {
    busy: bool,
    background_was_last: bool,
    foreground: VecDeque<oneshot::Sender<Turn>>,
    background: VecDeque<oneshot::Sender<Turn>>,
}

/// The right to write; passes on when dropped.
struct Turn(Arc<Mutex<Turns>>);

impl Drop for Turn {
    fn drop(&mut self) {
        let mut next = Some(Turn(Arc::clone(&self.0)));
        while let Some(turn) = next.take() {
            let waiter = {
                let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                // Who gave up has no turn to take from the other class.
                turns.foreground.retain(|waiter| !waiter.is_closed());
                turns.background.retain(|waiter| !waiter.is_closed());
                let background = !turns.background_was_last || turns.foreground.is_empty();
                let waiter = if background {
                    turns.background.pop_front()
                } else {
                    None
                };
                turns.background_was_last = waiter.is_some();
                let waiter = waiter.or_else(|| turns.foreground.pop_front());
                if waiter.is_none() {
                    turns.busy = false;
                }
                waiter
            };
            match waiter {
                // A waiter that gave up hands the turn back, and the next one gets it.
                Some(waiter) => next = waiter.send(turn).err(),
                None => std::mem::forget(turn),
            }
        }
    }
}

/// A writing transaction; rolled back unless committed.
pub(crate) struct WriteTx {
    /// Always, until it is dropped.
    held: Option<Held>,
}

struct Held {
    guard: OwnedMutexGuard<Conn>,
    _turn: Turn,
}

impl Held {
    async fn roll_back(mut self) {
        if let Some(conn) = &mut self.guard.conn {
            // If it fails, the next transaction tries again.
            let done = sqlx::raw_sql("ROLLBACK").execute(conn).await;
            self.guard.open = done.is_err();
        }
    }
}

impl Drop for WriteTx {
    /// At once: until then no other process can write to the file.
    fn drop(&mut self) {
        let left_open = self.held.take().filter(|held| held.guard.open);
        if let (Some(held), Ok(runtime)) = (left_open, Handle::try_current()) {
            runtime.spawn(held.roll_back());
        }
    }
}

impl Writer {
    pub(super) fn new(conn: SqliteConnection, direct: Option<Direct>) -> Self {
        Self {
            turns: Arc::default(),
            direct: Mutex::new(direct),
            conn: Arc::new(tokio::sync::Mutex::new(Conn {
                conn: Some(conn),
                open: false,
            })),
        }
    }

    /// A transaction that somebody waits for.
    pub(super) async fn foreground(&self) -> Result<WriteTx> {
        self.try_foreground().await.map_err(store_error)
    }

    /// The same, with SQLite's own error.
    pub(super) async fn try_foreground(&self) -> sqlx::Result<WriteTx> {
        self.begin(|turns| &mut turns.foreground).await
    }

    /// A slice of background work.
    pub(super) async fn background(&self) -> Result<WriteTx> {
        self.try_background().await.map_err(store_error)
    }

    /// The same, with SQLite's own error.
    pub(super) async fn try_background(&self) -> sqlx::Result<WriteTx> {
        self.begin(|turns| &mut turns.background).await
    }

    /// Runs a transaction that somebody waits for on the direct connection.
    pub(super) async fn direct<T>(
        &self,
        work: impl AsyncFnOnce(&mut Direct) -> sqlx::Result<Done<T>> + Send,
    ) -> sqlx::Result<T> {
        let _turn = self.turn(|turns| &mut turns.foreground).await;
        let _settled = self.settled().await;
        in_place(|| {
            let mut direct = self.direct.lock().unwrap_or_else(PoisonError::into_inner);
            direct.as_mut().ok_or(sqlx::Error::PoolClosed)?.transaction(work)
        })
    }

    async fn turn(&self, class: fn(&mut Turns) -> &mut VecDeque<oneshot::Sender<Turn>>) -> Turn {
        let waiting = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.busy {
                let (tx, rx) = oneshot::channel();
                class(&mut turns).push_back(tx);
                Some(rx)
            } else {
                turns.busy = true;
                None
            }
        };
        match waiting {
            None => Turn(Arc::clone(&self.turns)),
            Some(rx) => rx
                .await
                .expect("a waiter is answered before its sender is dropped"),
        }
    }

    async fn begin(
        &self,
        class: fn(&mut Turns) -> &mut VecDeque<oneshot::Sender<Turn>>,
    ) -> sqlx::Result<WriteTx> {
        let turn = self.turn(class).await;
        let mut guard = self.settled().await;
        guard.conn.as_ref().ok_or(sqlx::Error::PoolClosed)?;
        // Noted first: given up while it waits for SQLite's lock, the transaction may begin all the same, and is rolled back.
        guard.open = true;
        let mut tx = WriteTx {
            held: Some(Held { guard, _turn: turn }),
        };
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(tx.conn()).await?;
        Ok(tx)
    }

    /// The writing connection, without a transaction that somebody left open. Only for who has the turn.
    async fn settled(&self) -> OwnedMutexGuard<Conn> {
        let mut guard = Arc::clone(&self.conn).lock_owned().await;
        if guard.open
            && let Some(conn) = &mut guard.conn
        {
            // If its commit did get through there is nothing to roll back, and SQLite says so; either is fine.
            sqlx::raw_sql("ROLLBACK").execute(conn).await.ok();
            guard.open = false;
        }
        guard
    }

    pub(super) async fn close(&self) {
        drop(self.direct.lock().unwrap_or_else(PoisonError::into_inner).take());
        let conn = self.conn.lock().await.conn.take();
        if let Some(conn) = conn
            && let Err(error) = conn.close().await
        {
            tracing::warn!(%error, "the database file was not closed cleanly");
        }
    }
}

/// Runs what waits for the disk. What else this thread has to do goes on meanwhile, if there are other threads.
fn in_place<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

impl Deref for WriteTx {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        let held = self.held.as_ref().expect(OPEN);
        held.guard.conn.as_ref().expect(OPEN)
    }
}

impl DerefMut for WriteTx {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.conn()
    }
}

const OPEN: &str = "a transaction begins only on an open connection";

impl WriteTx {
    fn held(&mut self) -> &mut Held {
        self.held.as_mut().expect(OPEN)
    }

    /// The connection, within the transaction.
    pub(super) fn conn(&mut self) -> &mut SqliteConnection {
        self.held().guard.conn.as_mut().expect(OPEN)
    }

    pub(super) async fn commit(self) -> Result<()> {
        self.try_commit().await.map_err(store_error)
    }

    /// The same, with SQLite's own error.
    pub(super) async fn try_commit(mut self) -> sqlx::Result<()> {
        sqlx::raw_sql("COMMIT").execute(self.conn()).await?;
        self.held().guard.open = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn writer() -> Writer {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::raw_sql("CREATE TABLE seen (what TEXT)")
            .execute(&mut conn)
            .await
            .unwrap();
        Writer::new(conn, None)
    }

    async fn note(mut tx: WriteTx, what: &'static str) {
        sqlx::query("INSERT INTO seen VALUES (?1)")
            .bind(what)
            .execute(tx.conn())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_transaction_that_is_given_up_frees_the_file_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = format!("sqlite:{}?mode=rwc", folder.path().join("t.db").display());
        let mut other = SqliteConnection::connect(&path).await.unwrap();
        sqlx::raw_sql("CREATE TABLE seen (what TEXT)")
            .execute(&mut other)
            .await
            .unwrap();
        let writer = Writer::new(SqliteConnection::connect(&path).await.unwrap(), None);
        let mut given_up = writer.foreground().await.unwrap();
        let insert = "INSERT INTO seen VALUES ('x')";
        sqlx::raw_sql(insert).execute(given_up.conn()).await.unwrap();
        drop(given_up);
        sqlx::raw_sql(insert).execute(&mut other).await.unwrap();
        note(writer.foreground().await.unwrap(), "y").await;
        let seen: String = sqlx::query_scalar("SELECT group_concat(what, '') FROM seen")
            .fetch_one(&mut other)
            .await
            .unwrap();
        assert_eq!(seen, "xy");
    }

    /// What so many of each class write, who all wait in line before `first` lets go.
    async fn written(writer: &Writer, first: WriteTx, background: usize, foreground: usize) -> String {
        let work = futures::future::join_all((0..background + foreground).map(|at| async move {
            if at < background {
                note(writer.background().await.unwrap(), "b").await;
            } else {
                note(writer.foreground().await.unwrap(), "f").await;
            }
        }));
        let release = async { note(first, "first ").await };
        futures::join!(work, release);
        let mut tx = writer.foreground().await.unwrap();
        let seen: Vec<(String,)> = sqlx::query_as("SELECT what FROM seen")
            .fetch_all(tx.conn())
            .await
            .unwrap();
        seen.into_iter().map(|(w,)| w).collect()
    }

    #[tokio::test]
    async fn background_gets_every_other_turn_and_no_more() {
        let writer = writer().await;
        let first = writer.foreground().await.unwrap();
        assert_eq!(written(&writer, first, 3, 3).await, "first bfbfbf");
    }

    #[tokio::test]
    async fn who_gave_up_takes_no_turn_from_its_class() {
        let writer = writer().await;
        let first = writer.foreground().await.unwrap();
        {
            let mut given_up: Vec<_> = (0..3).map(|_| Box::pin(writer.foreground())).collect();
            for waiter in &mut given_up {
                assert!(futures::poll!(waiter.as_mut()).is_pending());
            }
        }
        assert_eq!(written(&writer, first, 3, 1).await, "first bfbb");
    }

    #[tokio::test]
    async fn a_begin_that_was_given_up_under_a_lock_does_not_end_all_writing() {
        let dir = tempfile::tempdir().unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(dir.path().join("t.db"))
            .create_if_missing(true)
            .busy_timeout(std::time::Duration::from_secs(20));
        let mut other = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql("CREATE TABLE seen (what TEXT); BEGIN IMMEDIATE")
            .execute(&mut other)
            .await
            .unwrap();
        let direct = Direct::open(&dir.path().join("t.db"), "PRAGMA busy_timeout = 0").unwrap();
        let conn = SqliteConnection::connect_with(&options).await.unwrap();
        let writer = Writer::new(conn, Some(direct));
        let patience = std::time::Duration::from_millis(100);
        let begun = tokio::time::timeout(patience, writer.foreground()).await;
        assert!(begun.is_err(), "the lock is held");
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        let kept = writer.direct(async |conn| {
            conn.statement("INSERT INTO seen VALUES ('kept')")?.run(&[])?;
            Ok(Done::Commit(()))
        });
        kept.await.unwrap();
        note(writer.foreground().await.unwrap(), "kept").await;
    }

    #[tokio::test]
    async fn a_dropped_transaction_is_rolled_back_and_a_waiter_that_gave_up_does_not_keep_the_turn() {
        let writer = writer().await;
        let mut tx = writer.foreground().await.unwrap();
        sqlx::query("INSERT INTO seen VALUES ('lost')")
            .execute(tx.conn())
            .await
            .unwrap();
        {
            let mut gives_up = Box::pin(writer.background());
            assert!(futures::poll!(&mut gives_up).is_pending());
        }
        drop(tx);
        note(writer.background().await.unwrap(), "kept").await;
        let mut tx = writer.foreground().await.unwrap();
        let seen: Vec<(String,)> = sqlx::query_as("SELECT what FROM seen")
            .fetch_all(tx.conn())
            .await
            .unwrap();
        assert_eq!(seen, [("kept".to_owned(),)]);
    }
}
