//! The lock of a database file: two servers on one file would each think that they own its one writer.
//!
//! It is on what the file is, not on what it is called. A file beside the real path holds the lock from before the database is
//! there, and says who has it; so links, other relative paths and older versions meet in it. A second lock is on the file
//! itself, which has more names than one if it is hard-linked or mounted elsewhere too.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use trapline_core::{Error, Result};

/// Symbolic links that are followed, as by the system.
const LINKS_MAX: usize = 40;

/// Held until dropped; the system releases it if the process dies.
pub(super) struct FileLock {
    _beside: File,
    /// Nothing of it is read or written here. It is open for longer than SQLite's own connections, because closing it would take
    /// SQLite's locks with it.
    _itself: Option<File>,
}

impl FileLock {
    /// Takes the lock of a database file, which is made empty if it is not there.
    ///
    /// # Errors
    /// `Invalid` if another process holds it, naming its pid, or if there can't be such a file; `Unavailable` if the lock can't
    /// be made.
    pub(super) fn take(database: &Path) -> Result<Self> {
        let real = real_path(database)
            .and_then(no_folder)
            .map_err(|e| unusable(database, e))?;
        let mut beside = open(&beside(&real)).map_err(|e| unusable(database, e))?;
        let cannot = |e: std::io::Error| {
            Error::unavailable(format!("cannot lock the database `{}`", database.display())).with_source(e)
        };
        if !try_lock(&beside).map_err(cannot)? {
            let mut pid = String::new();
            beside.read_to_string(&mut pid).map_err(cannot)?;
            return Err(match pid.trim() {
                // It has just begun.
                "" => in_use(database, "by another process"),
                pid => in_use(database, &format!("by the process {pid}")),
            });
        }
        let itself = open(&real).map_err(|e| unusable(database, e))?;
        let itself = has_own_locks(&itself).then_some(itself);
        if let Some(file) = &itself
            && !try_lock(file).map_err(cannot)?
        {
            return Err(in_use(
                database,
                "by another process, which knows the same file by another name",
            ));
        }
        beside.set_len(0).map_err(cannot)?;
        beside.rewind().map_err(cannot)?;
        write!(beside, "{}", std::process::id()).map_err(cannot)?;
        Ok(Self {
            _beside: beside,
            _itself: itself,
        })
    }
}

/// Asked before the file beside it is made, which would stay.
fn no_folder(path: PathBuf) -> std::io::Result<PathBuf> {
    if path.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    Ok(path)
}

fn in_use(database: &Path, by: &str) -> Error {
    Error::invalid(format!(
        "the database `{}` is in use {by}; stop it first, or name another file",
        database.display()
    ))
}

fn unusable(database: &Path, e: std::io::Error) -> Error {
    let shown = database.display();
    let error = match e.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Error::invalid(format!(
            "the folder of the database `{shown}` is missing; make it first"
        )),
        ErrorKind::IsADirectory => Error::invalid(format!("the database `{shown}` is a folder; name a file")),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::invalid(format!(
            "the database `{shown}` can't be written here; its file and its folder must be writable"
        )),
        _ => Error::unavailable(format!("the database file `{shown}` can't be opened")),
    };
    error.with_source(e)
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Whether nobody else has it.
fn try_lock(file: &File) -> std::io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(e)) => Err(e),
    }
}

/// Whether a lock of the whole file is another kind than those that SQLite takes on parts of it. File systems of other machines
/// make one kind of both, so that ours would keep SQLite out.
#[cfg(target_os = "linux")]
fn has_own_locks(file: &File) -> bool {
    const REMOTE: [u64; 5] = [
        0x6969,      // NFS
        0xff53_4d42, // CIFS
        0xfe53_4d42, // SMB 2 and 3
        0x0102_1997, // 9P
        0x6573_5546, // FUSE
    ];
    rustix::fs::fstatfs(file).is_ok_and(|fs| !REMOTE.contains(&((fs.f_type as u64) & 0xffff_ffff)))
}

#[cfg(not(target_os = "linux"))]
fn has_own_locks(_file: &File) -> bool {
    true
}

/// Where a file is or would be made, whatever links lead there.
///
/// # Errors
/// As the system's, if a folder on the way is missing or links go round in a circle.
pub(crate) fn real_path(path: &Path) -> std::io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match path.canonicalize() {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            done => return done,
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.canonicalize()?,
            _ => std::env::current_dir()?,
        };
        let Some(name) = path.file_name() else {
            return Err(ErrorKind::IsADirectory.into());
        };
        let here = folder.join(name);
        match here.read_link() {
            // It leads to a file that is not there yet.
            Ok(target) => path = folder.join(target),
            Err(_) => return Ok(here),
        }
    }
    Err(std::io::Error::other("its links go round in a circle"))
}

fn beside(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn refused(path: &Path) -> String {
        FileLock::take(path)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn a_file_is_locked_under_every_name_that_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        symlink("t.db", at("link.db")).unwrap();
        symlink("link.db", at("link-to-link.db")).unwrap();
        symlink(dir.path(), at("sub/folder")).unwrap();
        let lock = FileLock::take(&at("t.db")).unwrap();
        std::fs::hard_link(at("t.db"), at("sub/hard.db")).unwrap();
        for name in [
            "t.db",
            "link.db",
            "link-to-link.db",
            "sub/../t.db",
            "sub/folder/t.db",
            "sub/folder/link.db",
        ] {
            let said = refused(&at(name));
            assert!(
                said.contains(&format!("by the process {}", std::process::id())),
                "{name}: {said}"
            );
        }
        let said = refused(&at("sub/hard.db"));
        assert!(said.contains("knows the same file by another name"), "{said}");
        assert_eq!(refused(&at("other.db")), "", "another file is free");
        drop(lock);
        for name in ["link.db", "sub/hard.db", "t.db"] {
            assert_eq!(refused(&at(name)), "", "{name} is free again");
        }
    }

    #[test]
    fn a_file_that_is_not_there_yet_is_locked_through_the_links_that_lead_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        symlink("made.db", at("link.db")).unwrap();
        let _lock = FileLock::take(&at("link.db")).unwrap();
        assert!(at("made.db").exists(), "where the link leads");
        assert!(at("made.db.lock").exists() && !at("link.db.lock").exists());
        assert!(refused(&at("made.db")).contains("in use"), "by its own name");
    }

    #[test]
    fn what_can_not_be_a_database_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        symlink("b", at("a")).unwrap();
        symlink("a", at("b")).unwrap();
        std::fs::write(at("file"), b"").unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        for (name, why) in [
            ("gone/t.db", "the folder of the database"),
            ("file/t.db", "the folder of the database"),
            ("folder", "is a folder"),
            ("a", "can't be opened"),
        ] {
            let said = refused(&at(name));
            assert!(said.contains(why), "{name}: {said}");
        }
        assert!(!at("folder.lock").exists(), "nothing is left behind");
    }
}
