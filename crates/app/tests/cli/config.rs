//! `trapline config` prints a file that loads.

use std::{
    path::Path,
    process::{Command, Output},
};

const SECRET: &str = "a-secret-of-more-than-twenty";

/// `trapline config ARGS…` in a folder, with nothing in the environment but this.
fn config(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trapline"));
    command.current_dir(folder).env_clear().envs(env.iter().copied());
    command.arg("config").args(args).output().unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Keys with their values.
fn values(file: &str) -> Vec<&str> {
    file.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn what_config_prints_loads_as_what_it_was_wherever_its_values_came_from() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("before.toml"), "task_ttr = 77\nlog = \"debug\"").unwrap();
    let set = |pair| ["--set", pair];
    for (args, env, expected) in [
        (vec![], vec![], "task_ttr = 300"),
        (set("task_ttr=301").to_vec(), vec![], "task_ttr = 301"),
        (set("database=night \"1\"\\é.db").to_vec(), vec![], "database = "),
        (
            set("log=warn,trapline_engine=debug").to_vec(),
            vec![],
            "log = \"warn,",
        ),
        (
            vec![],
            vec![("NATS_TASK_TTR", "302"), ("TRAPLINE_LISTEN", "[::]:9000")],
            "listen = \"[::]:9000\"",
        ),
        (
            vec![],
            vec![("TRAPLINE_TRUSTED_PROXIES", "10.0.0.0/8,::1")],
            "trusted_proxies = \"10.0.0.0/8,::1",
        ),
        (
            vec!["--config", "before.toml"],
            vec![("TRAPLINE_LOG_FORMAT", "json")],
            "task_ttr = 77",
        ),
    ] {
        let first = printed(&config(dir.path(), &args, &env));
        assert!(
            values(&first).iter().any(|line| line.starts_with(expected)),
            "{first}"
        );
        std::fs::write(dir.path().join("t.toml"), &first).unwrap();
        let again = printed(&config(dir.path(), &["--config", "t.toml"], &[]));
        assert_eq!(values(&again), values(&first), "{args:?} {env:?}");
        std::fs::write(dir.path().join("trapline.toml"), &first).unwrap();
        let found = printed(&config(dir.path(), &[], &[]));
        assert_eq!(values(&found), values(&first), "{args:?} {env:?}");
        std::fs::remove_file(dir.path().join("trapline.toml")).unwrap();
    }
}

#[test]
fn no_secret_is_printed_wherever_it_came_from_and_the_rest_loads() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = format!("postgres://u:{SECRET}@h/d");
    let nats = format!("nats://a:1,nats://u:{SECRET}@b:2");
    let in_file = format!("admin_token = \"{SECRET}\"\nprogress = \"redis://:{SECRET}@h\"\ntask_ttr = 299");
    std::fs::write(dir.path().join("secret.toml"), in_file).unwrap();
    let by_flag = format!("queue={nats}");
    for (args, env) in [
        (vec!["--config", "secret.toml"], vec![]),
        (vec!["--set", &by_flag, "--set", "task_ttr=299"], vec![]),
        (
            vec!["--set", "task_ttr=299"],
            vec![
                ("TRAPLINE_ADMIN_TOKEN", SECRET),
                ("DATABASE_URL", &postgres),
                ("NATS_URL", &nats),
            ],
        ),
    ] {
        let first = printed(&config(dir.path(), &args, &env));
        let json = printed(&config(dir.path(), &[&args[..], &["--json"]].concat(), &env));
        assert!(!first.contains(SECRET) && !json.contains(SECRET), "{first}{json}");
        assert!(first.contains("# A secret is not shown"), "{first}");
        std::fs::write(dir.path().join("t.toml"), &first).unwrap();
        let again = printed(&config(dir.path(), &["--config", "t.toml"], &[]));
        assert!(values(&again).contains(&"task_ttr = 299"), "{again}");
        // What is in the environment is taken from there; a flag or another file is not.
        let from_env = printed(&config(dir.path(), &["--config", "t.toml"], &env));
        let all = values(&from_env).len() == values(&first).len();
        assert_eq!(all, !env.is_empty(), "{from_env}");
    }
}
