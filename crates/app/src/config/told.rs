//! The settings as a page tells them.

use super::{Effective, Origin, Setting};

/// A setting of a node that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its key.
    pub key: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Its value; of a secret only whether it is set.
    pub value: String,
    /// Where that came from.
    pub origin: String,
}

impl Effective {
    /// Every setting, in the order of the table.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        let one = |(setting, value, origin): (&'static Setting, String, Origin)| Told {
            key: setting.key,
            about: setting.about,
            value: match (value.is_empty(), setting.secret) {
                (true, _) => "not set".to_owned(),
                (false, true) => "set".to_owned(),
                (false, false) => value,
            },
            origin: origin.to_string(),
        };
        self.rows().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_told_with_where_it_came_from_and_no_secret_is() {
        let secret = "a-token-of-more-than-twenty";
        let flags = [
            ("admin_token", secret),
            ("database", "postgres://u:short-secret@h/d"),
        ];
        let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let env = |name: &str| (name == "TRAPLINE_TASK_TTR").then(|| "60".to_owned());
        let mut all = Effective::load(None, env, &flags).unwrap();
        all.decide("listen", |config| "127.0.0.1:1".clone_into(&mut config.listen));
        let told = all.told();
        assert_eq!(told.len(), crate::config::SETTINGS.len());
        let of = |key: &str| {
            let told = told.iter().find(|told| told.key == key).unwrap();
            format!("{} from {}", told.value, told.origin)
        };
        assert_eq!(of("admin_token"), "set from flag");
        assert_eq!(of("database"), "postgres://u:***@h/d from flag");
        assert_eq!(of("task_ttr"), "60 from environment TRAPLINE_TASK_TTR");
        assert_eq!(of("max_deliver"), "2 from default");
        assert_eq!(of("public_url"), "not set from default");
        assert_eq!(of("listen"), "127.0.0.1:1 from this command");
    }
}
