//! Where servers are, and how that is shown: never with a password or a token.

use std::path::Path;

use trapline_core::{Error, Result};

/// Where the truth is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database<'a> {
    /// A SQLite file.
    Sqlite(&'a Path),
    /// The URL of a PostgreSQL database.
    Postgres(&'a str),
}

impl<'a> Database<'a> {
    /// Reads `sqlite:PATH`, a bare path, or `postgres://…`.
    ///
    /// # Errors
    /// `Invalid` if it names another kind of database.
    pub fn parse(text: &'a str) -> Result<Self> {
        let path = match text.split_once(':') {
            Some(("postgres" | "postgresql", _)) => return Ok(Self::Postgres(text)),
            Some(("sqlite", path)) => path.strip_prefix("//").unwrap_or(path),
            Some((scheme, _)) if scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                return Err(Error::field(
                    "database",
                    format!("`database`: `{scheme}:` is not supported; give `sqlite:PATH` or `postgres://…`"),
                ));
            }
            _ => text,
        };
        if path.is_empty() {
            return Err(Error::field(
                "database",
                "`database`: the path is missing; give `sqlite:PATH`",
            ));
        }
        Ok(Self::Sqlite(Path::new(path)))
    }
}

/// A URL as it may be shown: without its password.
#[must_use]
pub fn without_password(url: &str) -> String {
    match reqwest::Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            // Only URLs that can't have a password refuse to change theirs.
            parsed.set_password(Some("***")).ok();
            parsed.into()
        }
        _ => url.to_owned(),
    }
}

/// Addresses of NATS servers as they may be shown: without passwords and tokens.
pub(super) fn without_secrets(urls: &str) -> String {
    let one = |url: &str| match reqwest::Url::parse(url) {
        Ok(parsed) if parsed.password().is_some() => without_password(url),
        // A name without a password is a token.
        Ok(mut parsed) if !parsed.username().is_empty() => {
            parsed.set_username("***").ok();
            parsed.into()
        }
        _ => url.to_owned(),
    };
    let shown: Vec<String> = urls.split(',').map(|url| one(url.trim())).collect();
    shown.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_a_path_with_or_without_its_scheme() {
        for text in ["sqlite:a/b.db", "sqlite://a/b.db", "a/b.db"] {
            assert_eq!(
                Database::parse(text).unwrap(),
                Database::Sqlite(Path::new("a/b.db"))
            );
        }
        let url = "postgres://u:secret@h/d";
        assert_eq!(Database::parse(url).unwrap(), Database::Postgres(url));
        assert_eq!(without_password(url), "postgres://u:***@h/d");
        assert_eq!(without_password("sqlite:a.db"), "sqlite:a.db");
        assert!(Database::parse("mysql://x").is_err());
        assert!(Database::parse("sqlite:").is_err());
    }
}
