//! One process serves a file, whatever the file is called; what a database may be called, each command knows alike.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::fs::symlink,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use trapline_testkit::Server;

use super::support::trapline;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_use_is_refused_to_serve_and_run_by_every_name_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(env!("CARGO_BIN_EXE_trapline")), dir.path(), &[]).await;
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(server.database(), elsewhere.path().join("link.db")).unwrap();
    symlink(dir.path(), elsewhere.path().join("folder")).unwrap();
    std::fs::hard_link(server.database(), dir.path().join("hard.db")).unwrap();
    let hard = dir.path().join("hard.db");
    for name in [
        "link.db",
        "sqlite:folder/server.db",
        "sqlite://link.db",
        hard.to_str().unwrap(),
    ] {
        for command in [vec!["serve", "--listen", "127.0.0.1:0"], vec!["run"]] {
            let args = [&command[..], &["--database", name]].concat();
            let output = trapline(elsewhere.path(), &args).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
            assert!(said(&output).contains("is in use by"), "{args:?}: {output:?}");
        }
    }
}

/// Starts `serve` and waits until it says that it serves.
async fn serving(mut command: Command) -> Child {
    command
        .env("TRAPLINE_LISTEN", "127.0.0.1:0")
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (serves, until_it_serves) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut serves = Some(serves);
        // To its end: what it says later is read by nobody else, and must not stop it.
        for line in lines.map_while(Result::ok) {
            if line.contains("serving")
                && let Some(serves) = serves.take()
            {
                serves.send(()).ok();
            }
        }
    });
    let serves = tokio::time::timeout(Duration::from_secs(30), until_it_serves).await;
    serves.unwrap().expect("it serves");
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_called_the_same_by_flag_environment_and_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.toml"), "database = \"sqlite://june.db\"").unwrap();
    let by_environment = |name: &str| {
        let mut command = trapline(dir.path(), &["serve"]);
        command.env("TRAPLINE_DATABASE", name);
        command
    };
    for command in [
        trapline(dir.path(), &["serve", "--database", "june.db"]),
        trapline(dir.path(), &["serve", "--database", "sqlite:./june.db"]),
        by_environment("sqlite:june.db"),
        by_environment("june.db"),
        trapline(dir.path(), &["serve", "--config", "t.toml"]),
    ] {
        let mut child = serving(command).await;
        let hung_up = Command::new("kill")
            .args(["-HUP", &child.id().to_string()])
            .status()
            .unwrap();
        assert!(hung_up.success());
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap())
            .await
            .unwrap();
        assert_eq!(ended.code(), Some(0), "a closed terminal is a clean end");
    }
    for name in ["june.db", "sqlite:june.db", "sqlite://june.db"] {
        for command in ["verify", "doctor"] {
            let output = trapline(dir.path(), &[command, "--database", name])
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(0), "{command} {name}: {output:?}");
        }
    }
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["june.db", "june.db.lock", "june.thumbs.db", "t.toml"]);
}

#[test]
fn a_run_is_alone_whatever_servers_the_environment_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = trapline(dir.path(), &["run", "--workers", "2", "--json"]);
    command
        .env("DATABASE_URL", "mysql://u:p@h/theirs")
        .env("NATS_URL", "amqp://127.0.0.1:1")
        .env("REDIS_URL", "memcached://127.0.0.1:1");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "its store was its own"
    );
}

#[test]
fn what_is_no_database_is_refused_by_each_command_with_what_to_give() {
    let dir = tempfile::tempdir().unwrap();
    for (name, why) in [
        ("mysql://h/d", "`mysql:` is not supported"),
        (":memory:", "in memory is not supported"),
        ("sqlite:june.db?mode=rwc", "options after `?` are not read"),
        ("sqlite:", "the path is missing"),
    ] {
        for command in ["serve", "verify", "doctor"] {
            let output = trapline(dir.path(), &[command, "--database", name])
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(2), "{command} {name}: {output:?}");
            assert!(said(&output).contains(why), "{command} {name}: {output:?}");
        }
    }
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing is made"
    );
}
