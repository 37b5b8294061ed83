//! The configuration: one typed tree, one table of its keys. Defaults < `trapline.toml` < environment < flags; validated at
//! start, every error naming its key; secrets never shown.

mod file;
mod table;
mod told;
mod urls;
mod values;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use trapline_core::{Error, Result, health::HealthPolicy};

pub use self::{
    table::{SETTINGS, Setting},
    told::Told,
    urls::{Database, sqlite_path, without_password},
};
use crate::{
    http::{Limits, PublicUrl, TrustedProxies},
    serve::ConnectionLimits,
};

/// The file that is read when none is named and it is there.
pub const FILE: &str = "trapline.toml";
/// An admin token given from outside has at least this many characters (docs/rules.md B2).
pub const ADMIN_TOKEN_MIN: usize = 20;

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs, one object a line.
    Json,
}

/// What a server can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `host:port`; port 0 takes a free one.
    pub listen: String,
    /// `sqlite:` and a path, or `postgres://…`.
    pub database: String,
    /// `embedded:`, or `nats://…`.
    pub queue: String,
    /// `embedded:`, or `redis://…`.
    pub progress: String,
    /// An admin token of this process, never stored.
    pub admin_token: Option<String>,
    /// How long a lease lasts.
    pub task_ttr: Duration,
    /// How many strikes make a task `lost`.
    pub max_deliver: i64,
    /// How many tasks may be proposed by the broker and not granted yet.
    pub max_ack_pending: u64,
    /// Copies of each queue in a cluster of brokers.
    pub queue_replicas: usize,
    /// Jobs that have a queue at once; `None` is what suits the replicas.
    pub max_projected_jobs: Option<usize>,
    /// The file with the broker's user and key.
    pub queue_credentials: Option<PathBuf>,
    /// The folder whose photographs a signed-in person may see, where captures are files of this machine.
    pub files: Option<PathBuf>,
    /// How long a result waits for the store.
    pub settle_wait: Duration,
    /// Bytes of thumbnails that are kept; 0 keeps none.
    pub thumbnails_bytes_max: u64,
    /// Whether an admin may wipe projections and take tasks that no worker answers.
    pub allow_chaos: bool,
    /// When the health check runs, and what it thinks is idle.
    pub health: HealthPolicy,
    /// How large bodies may be.
    pub limits: Limits,
    /// Proxies whose `X-Forwarded-*` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Where people find this server.
    pub public_url: Option<PublicUrl>,
    /// How many connections there may be, and how long each may keep the server waiting.
    pub connections: ConnectionLimits,
    /// How long a graceful stop may take.
    pub drain: Duration,
    /// Which lines are logged, as `tracing` filters: `info`, `warn,trapline_engine=debug`.
    pub log: String,
    /// How they are written.
    pub log_format: LogFormat,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".to_owned(),
            database: "sqlite:trapline.db".to_owned(),
            queue: "embedded:".to_owned(),
            progress: "embedded:".to_owned(),
            admin_token: None,
            task_ttr: Duration::from_secs(300),
            max_deliver: 2,
            max_ack_pending: 1_000,
            queue_replicas: 1,
            max_projected_jobs: None,
            queue_credentials: None,
            files: None,
            settle_wait: Duration::from_secs(25),
            thumbnails_bytes_max: 2 << 30,
            allow_chaos: false,
            health: HealthPolicy::default(),
            limits: Limits::default(),
            trusted_proxies: TrustedProxies::default(),
            public_url: None,
            connections: ConnectionLimits::default(),
            drain: Duration::from_secs(30),
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// This file.
    File(String),
    /// This variable.
    Environment(&'static str),
    /// The command line.
    Flag,
    /// The command itself, whatever was said.
    Command,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag => f.write_str("flag"),
            Self::Command => f.write_str("this command"),
        }
    }
}

/// A configuration, and where each of its values came from.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The values.
    pub config: Config,
    origins: BTreeMap<&'static str, Origin>,
}

impl Effective {
    /// Puts the layers together. `flags` are pairs of key and value; `env` looks a variable up.
    ///
    /// # Errors
    /// `Invalid`, naming the key and where the value came from.
    pub fn load(
        file: Option<&Path>,
        env: impl Fn(&str) -> Option<String>,
        flags: &[(String, String)],
    ) -> Result<Self> {
        let mut all = Self {
            config: Config::default(),
            origins: BTreeMap::new(),
        };
        match file {
            Some(path) => all.read_file(path)?,
            None if Path::new(FILE).exists() => all.read_file(Path::new(FILE))?,
            None => {}
        }
        // The environment is other programs' too: what a flag replaces is not read, so that it need not be right.
        let by_flag = |key: &str| flags.iter().any(|(flag, _)| flag == key);
        for setting in SETTINGS.iter().filter(|s| !by_flag(s.key)) {
            let given = setting.env.iter().find_map(|name| Some((*name, env(name)?)));
            if let Some((name, value)) = given.filter(|(_, value)| !value.is_empty()) {
                all.set(setting, &value, Origin::Environment(name))?;
            }
        }
        for (key, value) in flags {
            all.set(find(key)?, value, Origin::Flag)?;
        }
        all.validate()?;
        Ok(all)
    }

    fn read_file(&mut self, path: &Path) -> Result<()> {
        let shown = path.display().to_string();
        let wrong = |what: String| Error::invalid(format!("the configuration file `{shown}` {what}"));
        let text = std::fs::read_to_string(path).map_err(|e| wrong(format!("can't be read: {e}")))?;
        let table: toml::Table = text
            .parse()
            .map_err(|e: toml::de::Error| wrong(format!("is not valid TOML: {e}")))?;
        for (key, value) in table {
            let value = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => {
                    value.to_string()
                }
                _ => {
                    return Err(wrong(format!(
                        "has a list or table at `{key}`; every key has one value"
                    )));
                }
            };
            let setting = find(&key).map_err(|e| wrong(format!("is wrong: {e}")))?;
            self.set(setting, &value, Origin::File(shown.clone()))?;
        }
        Ok(())
    }

    fn set(&mut self, setting: &'static Setting, value: &str, origin: Origin) -> Result<()> {
        (setting.set)(&mut self.config, value.trim()).map_err(|why| {
            // What is before an `@` may be a password, and of a malformed value nobody can tell.
            let shown = if setting.secret || value.contains('@') {
                "the value"
            } else {
                value
            };
            Error::invalid(format!("`{}` from {origin}: {shown} {why}", setting.key))
        })?;
        self.origins.insert(setting.key, origin);
        Ok(())
    }

    /// Checks what no single value shows.
    fn validate(&self) -> Result<()> {
        let c = &self.config;
        if c.limits.item_bytes > c.limits.result_bytes {
            return Err(Error::invalid(format!(
                "`item_bytes_max` ({}) must not be above `result_bytes_max` ({})",
                c.limits.item_bytes, c.limits.result_bytes
            )));
        }
        c.health.validate(c.task_ttr).map_err(|errors| {
            let all: Vec<String> = errors.into_iter().map(|e| e.message).collect();
            Error::invalid(all.join("; "))
        })
    }

    /// Sets what the command itself decides.
    pub fn decide(&mut self, key: &'static str, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.origins.insert(key, Origin::Command);
    }

    /// Key, value as shown, and origin of every setting, in the order of the table.
    pub fn rows(&self) -> impl Iterator<Item = (&'static Setting, String, Origin)> + '_ {
        SETTINGS.iter().map(|setting| {
            let value = (setting.show)(&self.config);
            let shown = if setting.secret && !value.is_empty() {
                "(set, not shown)".to_owned()
            } else {
                value
            };
            (
                setting,
                shown,
                self.origins.get(setting.key).cloned().unwrap_or(Origin::Default),
            )
        })
    }
}

fn find(key: &str) -> Result<&'static Setting> {
    SETTINGS.iter().find(|s| s.key == key).ok_or_else(|| {
        let known: Vec<&str> = SETTINGS.iter().map(|s| s.key).collect();
        Error::invalid(format!(
            "there is no setting `{key}`; known: {}",
            known.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapline_core::error::chain;

    fn load(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Effective> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.toml");
        std::fs::write(&path, file).unwrap();
        let flags: Vec<_> = flags
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let env = |name: &str| env.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned());
        Effective::load(Some(&path), env, &flags)
    }

    #[test]
    fn flags_win_over_the_environment_over_the_file_over_defaults() {
        let file = "task_ttr = 10\nmax_deliver = 3\nlisten = \"127.0.0.1:1\"";
        let env = [("NATS_TASK_TTR", "20"), ("TRAPLINE_LISTEN", "127.0.0.1:2")];
        let all = load(file, &env, &[("listen", "127.0.0.1:3")]).unwrap();
        assert_eq!(all.config.listen, "127.0.0.1:3");
        assert_eq!(all.config.task_ttr, Duration::from_secs(20));
        assert_eq!(all.config.max_deliver, 3);
        assert_eq!(all.config.max_ack_pending, 1_000);
        let origins: Vec<String> = all.rows().map(|(s, _, o)| format!("{} {o}", s.key)).collect();
        assert!(origins.contains(&"listen flag".to_owned()));
        assert!(origins.contains(&"task_ttr environment NATS_TASK_TTR".to_owned()));
        assert!(origins.contains(&"max_ack_pending default".to_owned()));
    }

    #[test]
    fn what_a_flag_replaces_need_not_be_right_in_an_environment_that_other_programs_share() {
        let env = [("DATABASE_URL", "mysql://u:p@h/their.db")];
        let all = load("", &env, &[("database", "june.db")]).unwrap();
        assert_eq!(all.config.database, "june.db");
        assert!(load("", &env, &[]).is_err());
        assert!(load("", &env, &[("listen", "127.0.0.1:3")]).is_err());
    }

    #[test]
    fn every_error_names_its_key_and_where_it_came_from() {
        let said = |r: Result<Effective>| chain(&r.unwrap_err());
        assert!(said(load("task_ttr = 0", &[], &[])).contains("`task_ttr` from file"));
        assert!(
            said(load("", &[("NATS_MAX_DELIVER", "x")], &[]))
                .contains("`max_deliver` from environment NATS_MAX_DELIVER")
        );
        assert!(said(load("tusk_ttr = 1", &[], &[])).contains("no setting `tusk_ttr`; known: listen"));
        assert!(said(load("task_ttr = [1]", &[], &[])).contains("list or table at `task_ttr`"));
        assert!(said(load("= 1", &[], &[])).contains("is not valid TOML"));
        assert!(
            said(load("item_bytes_max = 9\nresult_bytes_max = 8", &[], &[])).contains("`item_bytes_max` (9)")
        );
    }

    #[test]
    fn thresholds_of_the_health_check_that_contradict_each_other_are_refused_naming_both_keys() {
        let said = |file| chain(&load(file, &[], &[]).unwrap_err());
        for (file, key, other) in [
            ("task_ttr = 600\nstalled_after = 599", "stalled_after", "task_ttr"),
            (
                "health_interval = 700\ntick_retention = 9999",
                "stalled_after",
                "health_interval",
            ),
            ("zombie_after = 599", "zombie_after", "stalled_after"),
            ("tick_retention = 119", "tick_retention", "health_interval"),
        ] {
            let error = said(file);
            assert!(error.contains(&format!("`{key}` is ")), "{file}: {error}");
            assert!(error.contains(&format!("(`{other}`)")), "{file}: {error}");
        }
        let two = said("stalled_after = 1\ntick_retention = 1");
        assert!(
            two.contains("`stalled_after` is 1s") && two.contains("`tick_retention` is 1s"),
            "{two}"
        );
        load(
            "task_ttr = 600\nstalled_after = 600\nzombie_after = 600",
            &[],
            &[],
        )
        .unwrap();
    }

    #[test]
    fn a_secret_is_shown_neither_in_the_table_nor_in_an_error() {
        let secret = "a-token-of-more-than-twenty";
        let all = load("", &[("TRAPLINE_ADMIN_TOKEN", secret)], &[]).unwrap();
        assert!(all.rows().all(|(_, value, _)| !value.contains(secret)));
        let error = load("", &[("TRAPLINE_ADMIN_TOKEN", "short-secret")], &[]).unwrap_err();
        assert!(!chain(&error).contains("short-secret"), "{error}");
        let urls =
            "nats://u:short-secret@a:1,tls://short-secret@b,nats://c:3,u:short-secret@d:4,short-secret@e:5";
        let all = load("", &[("NATS_URL", urls)], &[]).unwrap();
        let row = all.rows().find(|(setting, ..)| setting.key == "queue").unwrap();
        assert_eq!(row.1, "nats://u:***@a:1,tls://***@b,nats://c:3,u:***@d:4,***@e:5");
        let error = load("", &[("NATS_URL", "http://u:short-secret@a")], &[]).unwrap_err();
        assert!(!chain(&error).contains("short-secret"), "{error}");
    }

    #[test]
    fn streams_are_configured_for_one_server_or_a_cluster() {
        let all = load("", &[], &[]).unwrap().config;
        assert_eq!((all.queue_replicas, all.max_projected_jobs), (1, None));
        let env = [
            ("NATS_STREAM_REPLICAS", "3"),
            ("NATS_CREDS", "/etc/trapline/nats.creds"),
        ];
        let all = load("max_projected_jobs = 50", &env, &[]).unwrap().config;
        assert_eq!((all.queue_replicas, all.max_projected_jobs), (3, Some(50)));
        assert!(all.queue_credentials.is_some_and(|p| p.ends_with("nats.creds")));
        for even in ["0", "2", "4", "x"] {
            let error = load("", &[("TRAPLINE_QUEUE_REPLICAS", even)], &[]).unwrap_err();
            assert!(chain(&error).contains("must be 1, 3 or 5"), "{error}");
        }
    }
}
