//! The configuration as a file that loads again: `trapline config > trapline.toml`.

use super::{Effective, Origin, Setting};

impl Effective {
    /// Every setting under what it is. What has no value, and what is not shown, stands there as a comment, so that it is taken
    /// from where it is now.
    #[must_use]
    pub fn to_file(&self) -> String {
        let entry = |(setting, value, origin): (&Setting, String, Origin)| {
            let env = setting.env.join(", ");
            let head = format!("# {} ({origin}; {env})", setting.about);
            let key = setting.key;
            if value.is_empty() {
                format!("{head}\n# {key} =\n")
            } else if setting.secret || value.contains("***") {
                format!(
                    "{head}\n# A secret is not shown: set it again here, or leave it to {env}.\n# {key} =\n"
                )
            } else {
                format!("{head}\n{key} = {}\n", in_toml(&value))
            }
        };
        self.rows().map(entry).collect()
    }
}

/// A number or a truth as it is, else a string.
fn in_toml(value: &str) -> String {
    let plain =
        value.parse::<i64>().is_ok_and(|n| n.to_string() == value) || matches!(value, "true" | "false");
    match plain {
        true => value.to_owned(),
        false => toml::Value::String(value.to_owned()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, SETTINGS};

    /// Another value than the default's for every key that has one to show.
    const OTHER: &[(&str, &str)] = &[
        ("listen", "0.0.0.0:9000"),
        ("database", "sqlite:/srv/night \"1\"/t\\é.db"),
        ("queue", "nats://a:4222,tls://b:4222"),
        ("progress", "redis://c:6379"),
        ("task_ttr", "301"),
        ("max_deliver", "3"),
        ("max_ack_pending", "999"),
        ("queue_replicas", "3"),
        ("max_projected_jobs", "50"),
        ("queue_credentials", "/etc/trapline/nats.creds"),
        ("settle_wait", "24"),
        ("allow_chaos", "true"),
        ("health_interval", "61"),
        ("stalled_after", "601"),
        ("zombie_after", "7201"),
        ("tick_retention", "86401"),
        ("idle_policy", "strict"),
        ("json_bytes_max", "1000001"),
        ("large_json_bytes_max", "1000002"),
        ("result_bytes_max", "1000003"),
        ("item_bytes_max", "1000000"),
        ("body_idle_timeout", "31"),
        ("json_body_timeout", "32"),
        ("result_body_timeout", "33"),
        ("body_memory_max", "9000000"),
        ("body_memory_wait", "6"),
        ("login_per_minute", "11"),
        ("trusted_proxies", "10.0.0.0/8,192.168.1.1"),
        ("public_url", "https://lab.example:8443"),
        ("files", "/photographs"),
        ("thumbnails_bytes_max", "1000004"),
        ("connections_max", "1234"),
        ("header_timeout", "16"),
        ("idle_timeout", "76"),
        ("write_timeout", "34"),
        ("drain_seconds", "29"),
        ("log", "warn,trapline_engine=debug"),
    ];

    fn load(file: &str, flags: &[(&str, &str)]) -> Effective {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trapline.toml");
        std::fs::write(&path, file).unwrap();
        let flags: Vec<_> = flags
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Effective::load(Some(&path), |_| None, &flags).unwrap()
    }

    #[test]
    fn what_is_printed_loads_as_what_it_was() {
        let mut all = OTHER.to_vec();
        all.push(("log_format", "json"));
        for setting in SETTINGS.iter().filter(|s| !s.secret) {
            assert!(
                all.iter().any(|(key, _)| *key == setting.key),
                "{setting:?} is tried too"
            );
        }
        let before = load("", &all);
        let shown = (SETTINGS.iter().map(|s| (s.show)(&before.config))).zip(SETTINGS);
        for (value, setting) in shown.filter(|(_, s)| !s.secret) {
            assert_ne!(
                value,
                (setting.show)(&Config::default()),
                "{setting:?} is another than the default's"
            );
        }
        let file = before.to_file();
        assert_eq!(load(&file, &[]).config, before.config, "{file}");
        let defaults = load("", &[]);
        assert_eq!(load(&defaults.to_file(), &[]).config, Config::default());
    }

    #[test]
    fn no_secret_is_in_the_file_and_the_file_does_not_take_its_place() {
        let secret = "a-token-of-more-than-twenty";
        for (key, value) in [
            ("admin_token", secret.to_owned()),
            ("database", format!("postgres://u:{secret}@h/d")),
            ("queue", format!("nats://{secret}@h:4222")),
            ("progress", format!("redis://u:{secret}@h")),
        ] {
            let file = load("", &[(key, &value)]).to_file();
            assert!(!file.contains(secret), "{file}");
            let loaded = load(&file, &[]);
            assert_eq!(loaded.config, Config::default(), "{key} is left to where it was");
        }
    }
}
