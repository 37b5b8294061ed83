//! SQLite's file: where it lies, and how much room it has.

use std::{
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use sqlx::{ConnectOptions as _, Connection as _};
use trapline_core::{Error, Result, doctor::Check};

use super::{RECENT_STEP, RecentStep, asked, stepped};
use crate::sqlite::{known_migrations, look::Look};

/// File systems of other machines: their locks are not to be relied on, and write-ahead logs need shared memory.
const REMOTE: [&str; 9] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "fuse.sshfs",
    "ceph",
    "glusterfs",
];
/// Below it the disk is soon full: a job of a million images takes about as much.
const ROOM: u64 = 1 << 30;
/// Below it commits may fail any moment.
const ROOM_MIN: u64 = 100 << 20;

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `None` if there is no file yet; else its journal mode.
    pub journal: Option<String>,
    /// Whether its migrations are those of this version.
    pub current: bool,
    /// The last step of the store's clock, if it was lately.
    pub step: Option<(i64, i64, i64)>,
    /// The kind of file system, where it can be seen.
    pub file_system: Option<String>,
    /// Bytes that are free beside the file.
    pub free: u64,
}

/// Asks and judges.
pub async fn examine(path: &Path) -> Vec<Check> {
    let advice = "correct `database`: the folder must be there, and the file be a database of Trapline's";
    match asked("sqlite.file", ask(path), advice).await {
        Ok(facts) => judge(&facts),
        Err(none) => vec![none],
    }
}

async fn ask(path: &Path) -> Result<Facts> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let cannot = |e: std::io::Error| {
        let text = format!("the folder `{}` can't be looked at", folder.display());
        Error::invalid(text).with_source(e)
    };
    let folder = folder.canonicalize().map_err(cannot)?;
    let disk = rustix::fs::statvfs(&folder).map_err(|e| cannot(e.into()))?;
    let mut facts = Facts {
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        file_system: std::fs::read_to_string("/proc/self/mountinfo")
            .ok()
            .and_then(|mounts| file_system(&mounts, &folder)),
        ..Facts::default()
    };
    match path.metadata() {
        Ok(_) => (facts.journal, facts.current, facts.step) = look(path).await?,
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(cannot(e)),
    }
    Ok(facts)
}

async fn look(path: &Path) -> Result<(Option<String>, bool, Option<RecentStep>)> {
    let strange = |e: sqlx::Error| {
        Error::invalid(format!(
            "`{}` can't be read as a database of Trapline's",
            path.display()
        ))
        .with_source(e)
    };
    let mut conn = Look::at(path).options().connect().await.map_err(strange)?;
    let applied: Vec<i64> = sqlx::query_scalar(include_str!("../sql/cluster/migrations.sql"))
        .fetch_all(&mut conn)
        .await
        .map_err(strange)?;
    let current = applied == known_migrations();
    let step = match current {
        true => sqlx::query_as(RECENT_STEP)
            .fetch_optional(&mut conn)
            .await
            .map_err(strange)?,
        false => None,
    };
    // It was only read.
    conn.close().await.ok();
    Ok((Some(journal(path)?), current, step))
}

/// The journal mode as the file's head says it; a connection that is sure that nobody writes looks at no journal.
fn journal(path: &Path) -> Result<String> {
    let cannot =
        |e: std::io::Error| Error::invalid(format!("`{}` can't be read", path.display())).with_source(e);
    let mut head = [0; 20];
    std::fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut head))
        .map_err(cannot)?;
    // The versions that are needed to write and to read it (SQLite, "Database File Format", 1.3.3).
    Ok(if head[18..] == [2, 2] { "wal" } else { "delete" }.to_owned())
}

/// The kind of the file system whose mount point is nearest above a folder.
fn file_system(mounts: &str, folder: &Path) -> Option<String> {
    mounts
        .lines()
        .filter_map(|line| {
            let (mount, source) = line.split_once(" - ")?;
            let point = mount.split(' ').nth(4)?.replace("\\040", " ");
            let kind = source.split(' ').next()?;
            folder.starts_with(&point).then(|| (point.len(), kind.to_owned()))
        })
        // Of two mounts on one point the later one hides the other.
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
}

fn judge(facts: &Facts) -> Vec<Check> {
    let file = match (facts.journal.as_deref(), facts.current) {
        (None, _) => Check::ok("sqlite.file", "none yet; `trapline serve` makes it"),
        (Some(_), false) => Check::warn(
            "sqlite.file",
            "the schema is not that of this version",
            "start `trapline serve` of this version on it, or use the version that made it",
        ),
        (Some("wal"), true) => Check::ok("sqlite.file", "write-ahead log, schema of this version"),
        (Some(other), true) => Check::warn(
            "sqlite.file",
            format!("journal mode {other}"),
            "start `trapline serve` on it, which sets the write-ahead log; backups must not change it",
        ),
    };
    let mut checks = vec![file, place(facts), room(facts)];
    checks.extend(facts.step.map(|step| stepped("sqlite.clock_step", step)));
    checks
}

fn place(facts: &Facts) -> Check {
    let Some(kind) = facts.file_system.as_deref() else {
        return Check::ok("sqlite.file_system", "can't be seen here; it must be a local one");
    };
    let advice = "move the file to a local disk, or use PostgreSQL: over a network its locks and its log are not to be relied on";
    Check::that(
        !REMOTE.contains(&kind),
        Check::ok("sqlite.file_system", kind),
        Check::fail("sqlite.file_system", kind, advice),
    )
}

fn room(facts: &Facts) -> Check {
    let seen = format!("{} MiB free", facts.free >> 20);
    let advice = "make room: while the disk is full nothing is handed out and no result is saved";
    match facts.free {
        free if free < ROOM_MIN => Check::fail("sqlite.disk", seen, advice),
        free if free < ROOM => Check::warn("sqlite.disk", seen, advice),
        _ => Check::ok("sqlite.disk", seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapline_core::doctor::Verdict;

    const MOUNTS: &str = "\
        22 1 254:0 / / rw,relatime - ext4 /dev/root rw\n\
        23 22 0:21 / /proc rw - proc proc rw\n\
        30 22 0:40 / /srv/shared rw,relatime shared:1 - nfs4 host:/export rw\n\
        31 30 0:41 / /srv/shared\\040two rw - xfs /dev/sdb rw\n";

    fn verdicts(facts: &Facts) -> [Verdict; 3] {
        let all: Vec<Verdict> = judge(facts).iter().map(|c| c.verdict).collect();
        all.try_into().unwrap()
    }

    #[test]
    fn the_file_system_is_that_of_the_nearest_mount_point() {
        let kind = |folder| file_system(MOUNTS, Path::new(folder)).unwrap();
        assert_eq!(kind("/srv"), "ext4");
        assert_eq!(kind("/srv/shared/trapline"), "nfs4");
        assert_eq!(kind("/srv/sharedness"), "ext4");
        assert_eq!(kind("/srv/shared two"), "xfs");
    }

    #[test]
    fn a_file_is_judged_by_its_mode_its_place_and_its_room() {
        use Verdict::{Fail, Ok, Warn};
        let sound = Facts {
            journal: Some("wal".into()),
            current: true,
            file_system: Some("ext4".into()),
            free: 5 << 30,
            step: None,
        };
        assert_eq!(verdicts(&sound), [Ok, Ok, Ok]);
        let stepped = Facts {
            step: Some((0, -3_600_000_000, 3_600_000_000)),
            ..sound.clone()
        };
        assert_eq!(judge(&stepped)[3].verdict, Warn);
        let none = Facts {
            journal: None,
            file_system: None,
            ..sound.clone()
        };
        assert_eq!(verdicts(&none), [Ok, Ok, Ok]);
        let shared = Facts {
            journal: Some("delete".into()),
            file_system: Some("nfs4".into()),
            free: 1 << 28,
            ..sound.clone()
        };
        assert_eq!(verdicts(&shared), [Warn, Fail, Warn]);
        let other = Facts {
            current: false,
            free: 0,
            ..sound
        };
        assert_eq!(verdicts(&other), [Warn, Ok, Fail]);
    }
}
