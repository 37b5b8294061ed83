//! Commands that look at a store leave nothing behind: beside a server, after a crash, in a folder that can't be written.

use std::{
    collections::BTreeSet,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Stdio},
};

use trapline_testkit::Server;

fn trapline(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_trapline"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    std::fs::read_dir(folder).unwrap().map(name).collect()
}

/// Both commands find the store at `path` sound, and the folder as it was.
fn look_at(path: &Path, folder: &Path) {
    let before = names(folder);
    let database = path.to_str().unwrap();
    let (code, text) = trapline(&["verify", "--database", database]);
    assert_eq!(
        (code, text.as_str()),
        (Some(0), "every invariant holds: 0 jobs, 0 tasks\n")
    );
    let (code, text) = trapline(&["doctor", "--database", &format!("sqlite:{database}")]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("write-ahead log, schema of this version"), "{text}");
    assert_eq!(names(folder), before, "of {database}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_looked_at_and_its_folder_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_trapline"));
    let mut server = Server::start(binary, dir.path(), &[]).await;
    let served = server.database();
    look_at(&served, dir.path());

    // What a copy of a file in use is: the log without its index, which alone holds the schema.
    let copy = tempfile::tempdir().unwrap();
    let copied = copy.path().join("copy.db");
    std::fs::copy(&served, &copied).unwrap();
    std::fs::copy(served.with_extension("db-wal"), copied.with_extension("db-wal")).unwrap();
    look_at(&copied, copy.path());

    server.kill();
    look_at(&served, dir.path());

    server.restart().await;
    assert!(server.stop().await.success());
    assert!(
        !names(dir.path()).iter().any(|name| name.ends_with("-wal")),
        "it is at rest"
    );
    look_at(&served, dir.path());
    let link = copy.path().join("link.db");
    symlink(&served, &link).unwrap();
    look_at(&link, copy.path());

    let closed = std::fs::Permissions::from_mode(0o555);
    std::fs::set_permissions(dir.path(), closed).unwrap();
    look_at(&served, dir.path());
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
}
