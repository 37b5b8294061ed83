//! Where servers are, and how that is shown: never with a password or a token.

use std::path::{Path, PathBuf};

use trapline_core::{Error, Result};

/// Where the truth is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database<'a> {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// The URL of a PostgreSQL database.
    Postgres(&'a str),
}

impl<'a> Database<'a> {
    /// Reads `sqlite:PATH`, `sqlite://PATH`, a bare path, or `postgres://…`. A `~/` at the start of a path is the home folder,
    /// because a shell replaces it before a bare path and not after `sqlite:`.
    ///
    /// # Errors
    /// `Invalid` if it names another kind of database, or no file that could be kept.
    pub fn parse(text: &'a str) -> Result<Self> {
        let wrong = |why: String| Err(Error::field("database", format!("`database`: {why}")));
        let text = text.trim();
        let scheme = text.split_once(':').map(|(s, _)| s.to_ascii_lowercase());
        let path = match scheme.as_deref() {
            Some("postgres" | "postgresql") => return Ok(Self::Postgres(text)),
            Some("sqlite") => {
                let path = &text["sqlite:".len()..];
                if path.contains('?') {
                    return wrong(
                        "options after `?` are not read; give `sqlite:PATH` alone (or a path without the scheme, if its \
                         name has a `?`)"
                            .to_owned(),
                    );
                }
                path.strip_prefix("//").unwrap_or(path)
            }
            Some(scheme) if scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                return wrong(format!(
                    "`{scheme}:` is not supported; give `sqlite:PATH` or `postgres://…`"
                ));
            }
            _ => text,
        };
        match path {
            "" => wrong("the path is missing; give `sqlite:PATH`".to_owned()),
            ":memory:" => wrong("a store in memory is not supported; give the path of a file".to_owned()),
            path => Ok(Self::Sqlite(at_home(path, std::env::home_dir().as_deref()))),
        }
    }
}

/// The file of a store that is a file: `sqlite:june.db`, `sqlite://june.db` and `june.db` are the same one.
///
/// # Errors
/// `Invalid` as [`Database::parse`], and for a PostgreSQL database.
pub fn sqlite_path(text: &str) -> Result<PathBuf> {
    match Database::parse(text)? {
        Database::Sqlite(path) => Ok(path),
        Database::Postgres(_) => Err(Error::field(
            "database",
            "`database`: this command keeps its store in a file of its own, not in PostgreSQL; give a path such as `june.db`, \
             or use `trapline serve --database postgres://…` with `trapline worker`",
        )),
    }
}

fn at_home(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    }
}

const HIDDEN: &str = "***";

/// A URL as it may be shown: without its password, which PostgreSQL also takes from the query.
#[must_use]
pub fn without_password(url: &str) -> String {
    let Ok(mut parsed) = reqwest::Url::parse(url) else {
        return url.to_owned();
    };
    let is_password = |name: &str| name.eq_ignore_ascii_case("password");
    let in_query = parsed.query_pairs().any(|(name, _)| is_password(&name));
    if parsed.password().is_none() && !in_query {
        return url.to_owned();
    }
    if parsed.password().is_some() {
        // Only URLs that can't have a password refuse to change theirs.
        parsed.set_password(Some(HIDDEN)).ok();
    }
    if in_query {
        let pairs: Vec<(String, String)> = parsed.query_pairs().into_owned().collect();
        let shown = pairs.iter().map(|(name, value)| match is_password(name) {
            true => (name.as_str(), HIDDEN),
            false => (name.as_str(), value.as_str()),
        });
        parsed.query_pairs_mut().clear().extend_pairs(shown);
    }
    parsed.into()
}

/// Addresses of NATS servers as they may be shown: without passwords and tokens. Only the first needs a scheme.
pub(super) fn without_secrets(urls: &str) -> String {
    let shown: Vec<String> = urls.split(',').map(|url| without_secret(url.trim())).collect();
    shown.join(",")
}

fn without_secret(url: &str) -> String {
    if !url.contains("://") {
        let shown = without_secret(&format!("nats://{url}"));
        return shown.strip_prefix("nats://").unwrap_or(&shown).to_owned();
    }
    match reqwest::Url::parse(url) {
        Ok(parsed) if parsed.password().is_some() => without_password(url),
        // A name without a password is a token.
        Ok(mut parsed) if !parsed.username().is_empty() => {
            parsed.set_username(HIDDEN).ok();
            parsed.into()
        }
        Ok(_) => url.to_owned(),
        Err(_) => url
            .rsplit_once('@')
            .map_or_else(|| url.to_owned(), |(_, host)| format!("{HIDDEN}@{host}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_a_path_with_or_without_its_scheme() {
        for (text, path) in [
            ("sqlite:a/b.db", "a/b.db"),
            ("sqlite://a/b.db", "a/b.db"),
            ("SQLite:a/b.db", "a/b.db"),
            (" a/b.db ", "a/b.db"),
            ("sqlite:///srv/june.db", "/srv/june.db"),
            ("sqlite:/srv/june.db", "/srv/june.db"),
            ("2026-06:night 1.db", "2026-06:night 1.db"),
            ("what?.db", "what?.db"),
            ("./c:june.db", "./c:june.db"),
        ] {
            assert_eq!(
                Database::parse(text).unwrap(),
                Database::Sqlite(path.into()),
                "{text}"
            );
            assert_eq!(sqlite_path(text).unwrap(), Path::new(path), "{text}");
        }
        let url = "postgres://u:secret@h/d";
        assert_eq!(Database::parse(url).unwrap(), Database::Postgres(url));
        assert_eq!(without_password(url), "postgres://u:***@h/d");
        let url = "postgres:///d?host=/run/pg&user=u&password=secret";
        assert_eq!(
            without_password(url),
            "postgres:///d?host=%2Frun%2Fpg&user=u&password=***"
        );
        assert_eq!(without_password("sqlite:a.db"), "sqlite:a.db");
    }

    #[test]
    fn what_is_no_file_and_no_server_of_ours_is_refused_with_what_to_give() {
        for (text, said) in [
            ("mysql://x", "`mysql:` is not supported"),
            ("file:june.db", "`file:` is not supported"),
            ("sqlite:", "the path is missing"),
            ("", "the path is missing"),
            ("sqlite::memory:", "in memory is not supported"),
            (":memory:", "in memory is not supported"),
            ("sqlite:june.db?mode=rwc", "options after `?` are not read"),
        ] {
            let error = Database::parse(text).unwrap_err().message;
            assert!(error.contains(said), "{text}: {error}");
        }
        let error = sqlite_path("postgres://u:secret@h/d").unwrap_err().message;
        assert!(error.contains("not in PostgreSQL"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_tilde_is_the_home_folder_where_no_shell_has_replaced_it() {
        let home = Path::new("/home/ana");
        assert_eq!(at_home("~/june.db", Some(home)), Path::new("/home/ana/june.db"));
        assert_eq!(at_home("~june.db", Some(home)), Path::new("~june.db"));
        assert_eq!(at_home("~/june.db", None), Path::new("~/june.db"));
    }
}
