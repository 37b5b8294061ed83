//! The lock beside the file: two servers on one file would each think that they own its one writer.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use trapline_core::{Error, Result};

/// Held until dropped; the system releases it if the process dies.
pub(super) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock of a database file.
    ///
    /// # Errors
    /// `Invalid` if another process holds it, naming its pid; `Unavailable` if the lock can't be made.
    pub(super) fn take(database: &Path) -> Result<Self> {
        let path = beside(database);
        let io = |e: std::io::Error| {
            Error::unavailable(format!("cannot lock `{}`", path.display())).with_source(e)
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid).map_err(io)?;
                return Err(Error::invalid(format!(
                    "the database `{}` is in use by the process {}; stop it first, or name another file",
                    database.display(),
                    pid.trim()
                )));
            }
            Err(std::fs::TryLockError::Error(e)) => return Err(io(e)),
        }
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        write!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Self { _file: file })
    }
}

fn beside(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}
