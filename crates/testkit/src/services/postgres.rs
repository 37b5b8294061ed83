//! `postgres`, from a cluster that `initdb` makes once. It refuses to run as root, so then it runs as another user.

use std::{
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use tempfile::TempDir;

use super::{
    START, binary, free_port,
    process::{Process, tail},
};

const PACKAGE: &str = "postgresql";
/// Where Debian keeps what belongs beside `postgres`.
const BESIDE: [&str; 4] = [
    "/usr/lib/postgresql/18/bin",
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
];

/// A cluster that nobody runs; each server copies it, because `initdb` takes a second. It lies beside the tests' binaries, and
/// all of them share it: a static is never dropped, so a temporary folder would stay.
static TEMPLATE: LazyLock<PathBuf> = LazyLock::new(|| {
    let initdb = binary("initdb", PACKAGE, &BESIDE).unwrap_or_else(|missing| panic!("{missing}"));
    // `initdb (PostgreSQL) 15.10 (…)`
    let said = run(Command::new(&initdb).arg("--version"));
    let version = said.split_whitespace().nth(2).expect("a version");
    let binaries = std::env::current_exe().expect("the path of this binary");
    let template = binaries.with_file_name(format!("postgres-{version}"));
    if !template.exists() {
        make_template(&initdb, &template);
    }
    template
});

/// Another process may make it at the same time: the first rename wins, and both are alike.
fn make_template(initdb: &Path, template: &Path) {
    let folder = folder();
    run(as_user(initdb)
        .args(["--username=trapline", "--auth=trust", "--encoding=UTF8"])
        .args(["--locale=C", "--no-sync", "--pgdata"])
        .arg(data(&folder)));
    let beside = template.with_added_extension(std::process::id().to_string());
    copy(&data(&folder), &beside);
    if std::fs::rename(&beside, template).is_err() {
        assert!(template.exists(), "{} can't be made", template.display());
        std::fs::remove_dir_all(&beside).expect("a folder of ours");
    }
}

/// A private server.
pub struct Postgres {
    binary: PathBuf,
    folder: TempDir,
    port: u16,
    process: Process,
}

impl Drop for Postgres {
    /// Before its folder is removed: what is written meanwhile would stay, a gigabyte of it if the test was large.
    fn drop(&mut self) {
        self.end();
    }
}

impl Postgres {
    /// The binary that is used.
    ///
    /// # Errors
    /// If it is not installed.
    pub fn binary() -> Result<PathBuf, String> {
        binary("postgres", PACKAGE, &BESIDE)
    }

    /// Starts one and waits until it accepts connections.
    ///
    /// # Panics
    /// If it is not installed or does not start.
    pub async fn start() -> Self {
        let binary = Self::binary().unwrap_or_else(|missing| panic!("{missing}"));
        let folder = folder();
        copy_template(&folder);
        let port = free_port();
        let process = spawn(&binary, &folder, port);
        let mut postgres = Self {
            binary,
            folder,
            port,
            process,
        };
        postgres.wait().await;
        postgres
    }

    /// The address of a database; `postgres` is there from the start.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://trapline@127.0.0.1:{}/{database}", self.port)
    }

    /// SIGKILL, and nothing of it is left on the machine but its folder: a postmaster that is killed leaves a segment of shared
    /// memory to the next one in the same folder.
    fn end(&mut self) {
        self.process.kill_all();
        if let Some(segment) = segment(&data(&self.folder)) {
            // A test may have started another one that removed it.
            Command::new("ipcrm").args(["-m", &segment]).output().ok();
        }
    }

    /// SIGKILL of the postmaster; its children end by themselves.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// The fast stop of an orderly restart: it ends every session at once and writes what it holds. Returns when it is gone.
    pub fn quit(&mut self) {
        self.process.quit("INT");
    }

    /// Asks as `psql` does, on a session of its own: columns are separated by `|`, rows by line breaks.
    ///
    /// # Panics
    /// If it refuses.
    #[must_use]
    pub fn ask(&self, sql: &str) -> String {
        let psql = binary("psql", PACKAGE, &BESIDE).unwrap_or_else(|missing| panic!("{missing}"));
        let done = Command::new(psql)
            .args(["--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .arg(self.url("postgres"))
            .output()
            .expect("a program");
        assert!(
            done.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// SIGSTOP of all its processes: it keeps its connections and answers nothing.
    pub fn stop(&self) {
        self.process.signal_all("STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.process.signal_all("CONT");
    }

    /// Its postmaster, whose children its other processes are.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Where it listens on this machine.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Starts it on the same port with what it had stored.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = spawn(&self.binary, &self.folder, self.port);
        self.wait().await;
    }

    /// Starts it on the same port as `initdb` made it.
    ///
    /// # Panics
    /// If its folder can't be emptied.
    pub async fn restart_empty(&mut self) {
        self.end();
        std::fs::remove_dir_all(data(&self.folder)).expect("an empty folder");
        copy_template(&self.folder);
        self.restart().await;
    }

    /// The pid file says both who runs and whether it is ready; `pg_ctl` waits for the same line. After a kill the children of
    /// the old postmaster may hold the shared memory for a moment, and the new one refuses to start meanwhile.
    async fn wait(&mut self) {
        let log = self.folder.path().join("log");
        let pid_file = data(&self.folder).join("postmaster.pid");
        let (binary, folder, port) = (&self.binary, &self.folder, self.port);
        let process = &mut self.process;
        crate::until("postgres accepts connections", START, || {
            // Should it end for another reason, the bound ends this and the log's tail says why.
            if process.ended().is_some() {
                *process = spawn(binary, folder, port);
            }
            let text = std::fs::read_to_string(&pid_file).unwrap_or_default();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            let ready =
                lines.first() == Some(&process.id().to_string().as_str()) && lines.get(7) == Some(&"ready");
            let state = if ready { Ok(()) } else { Err(tail(&log)) };
            std::future::ready(state)
        })
        .await;
    }
}

fn spawn(binary: &Path, folder: &TempDir, port: u16) -> Process {
    let mut args = vec!["-D".to_owned(), data(folder).display().to_string()];
    for setting in [
        format!("port={port}"),
        "listen_addresses=127.0.0.1".into(),
        // No socket file: its folder would need to be writable, and its name is short.
        "unix_socket_directories=".into(),
        "max_connections=200".into(),
        // In its folder, where nothing outlives it.
        "dynamic_shared_memory_type=mmap".into(),
    ] {
        args.extend(["-c".to_owned(), setting]);
    }
    Process::start(binary, &args, *USER, &folder.path().join("log"))
}

/// The number of its System V segment, which is on the seventh line of the pid file, behind a key.
fn segment(data: &Path) -> Option<String> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let id = text.lines().nth(6)?.split_whitespace().nth(1)?;
    Some(id.to_owned())
}

fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

/// A folder that the other user may enter, and whose data is that user's.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("a folder of ours");
    if let Some((user, group)) = *USER {
        chown(folder.path(), Some(user), Some(group)).expect("root may");
    }
    folder
}

fn copy_template(folder: &TempDir) {
    copy(&TEMPLATE, &data(folder));
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from).arg(to));
}

/// Whom to run as, user and group: nobody else, unless we are root.
static USER: LazyLock<Option<(u32, u32)>> = LazyLock::new(|| {
    let me = std::fs::metadata("/proc/self").expect("a proc file system");
    let exists = |user: &str| {
        Command::new("id")
            .arg(user)
            .output()
            .is_ok_and(|o| o.status.success())
    };
    (me.uid() == 0).then(|| {
        let user = if exists("postgres") { "postgres" } else { "nobody" };
        (id("-u", user), id("-g", user))
    })
});

fn id(which: &str, user: &str) -> u32 {
    let said = Command::new("id")
        .args([which, user])
        .output()
        .expect("the program `id`");
    String::from_utf8_lossy(&said.stdout)
        .trim()
        .parse()
        .expect("a number")
}

fn as_user(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if let Some((user, group)) = *USER {
        command
            .arg(format!("--reuid={user}"))
            .arg(format!("--regid={group}"))
            .arg("--clear-groups");
    }
    command.arg("--").arg(program);
    command
}

/// Its output.
fn run(command: &mut Command) -> String {
    let done = command.output().expect("a program");
    assert!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn postgres_starts_survives_a_kill_and_starts_anew() {
        let mut postgres = Postgres::start().await;
        let marker = data(&postgres.folder).join("marker");
        std::fs::write(&marker, "").unwrap();
        postgres.kill();
        postgres.restart().await;
        assert!(marker.exists());
        postgres.restart_empty().await;
        assert!(!marker.exists());
        let segment = segment(&data(&postgres.folder)).unwrap();
        assert!(is_segment(&segment));
        drop(postgres);
        assert!(!is_segment(&segment));
    }

    fn is_segment(id: &str) -> bool {
        let all = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
        all.lines().any(|line| line.split_whitespace().nth(1) == Some(id))
    }
}
