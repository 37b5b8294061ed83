//! Looking at a file without leaving anything behind. SQLite makes two files beside a database in WAL mode even for a reader, and
//! a reader can't remove them; so what is to be read decides how it is opened.
//!
//! Beside a server, or after a crash, both files are there and are read as they are. Else the database is at rest: it is read
//! as a file that does not change, and whoever reads asks afterwards whether that was so ([`Look::is_unchanged`]).

use std::{
    fs::Metadata,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sqlx::{
    ConnectOptions as _,
    sqlite::{SqliteConnectOptions, SqliteLockingMode},
};

use super::lock::real_path;

/// How a file is looked at.
#[derive(Debug)]
pub(crate) struct Look {
    path: PathBuf,
    how: How,
    before: Rest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Beside others, by SQLite's locks.
    Shared,
    /// Alone, and there is no log to be read.
    AtRest,
    /// Alone, with a log that a crash or a copy left without its index: that is made in memory.
    WithLog,
}

/// What tells a change of a database at rest.
#[derive(Debug, PartialEq, Eq)]
struct Rest([Option<(u64, Option<SystemTime>)>; 3]);

impl Rest {
    fn of(path: &Path) -> Self {
        let seen = |meta: Metadata| (meta.len(), meta.modified().ok());
        Self(["", "-wal", "-shm"].map(|end| beside(path, end).metadata().ok().map(seen)))
    }
}

impl Look {
    pub(crate) fn at(path: &Path) -> Self {
        // SQLite follows links too, so that its files lie beside the real one.
        let path = real_path(path).unwrap_or_else(|_| path.to_owned());
        let before = Rest::of(&path);
        let how = match before.0 {
            [_, Some(_), Some(_)] => How::Shared,
            [_, None | Some((0, _)), _] => How::AtRest,
            [_, Some(_), None] => How::WithLog,
        };
        Self { path, how, before }
    }

    pub(crate) fn options(&self) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .read_only(true)
            .busy_timeout(Duration::from_secs(5))
            .disable_statement_logging();
        match self.how {
            How::Shared => options,
            How::AtRest => options.immutable(true),
            // Without locks, and alone: else the index would be a file.
            How::WithLog => options
                .vfs("unix-none")
                .locking_mode(SqliteLockingMode::Exclusive),
        }
    }

    /// Whether what was read holds: nobody wrote meanwhile, or did it under SQLite's locks.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.how == How::Shared || Rest::of(&self.path) == self.before
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(end);
    path.into()
}
