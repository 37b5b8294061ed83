//! Query parameters, by upstream's rules. Unknown ones are ignored; of a repeated one the last counts.

use std::collections::BTreeMap;

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use trapline_core::ports::OffsetPage;

use super::{ApiError, AppState};

/// A page is never longer (RULES.md B10).
pub const PAGE_MAX: u64 = 1_000;

/// The parameters of a request.
#[derive(Clone, Debug, Default)]
pub struct Params(BTreeMap<String, String>);

impl FromRequestParts<AppState> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| ApiError::invalid("the query string can't be read"))?;
        Ok(Self(pairs.into_iter().collect()))
    }
}

impl Params {
    /// The value as given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether it is there at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The parts of a comma-separated list; empty parts are none.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.text(name)
            .into_iter()
            .flat_map(|t| t.split(','))
            .map(str::trim)
            .filter(|t| !t.is_empty())
            .collect()
    }

    /// Absent: `default`. Present and empty: true. `0` and `false` in any case: false. Anything else: true.
    #[must_use]
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.text(name)
            .map_or(default, |t| t != "0" && !t.eq_ignore_ascii_case("false"))
    }

    /// An integer; present and empty is as absent, as a form sends it.
    ///
    /// # Errors
    /// 400 naming the parameter.
    pub fn int(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.text(name) {
            None | Some("") => Ok(None),
            Some(text) => match text.parse() {
                Ok(n) => Ok(Some(n)),
                Err(_) => Err(ApiError::field(name, "A valid integer is required.")),
            },
        }
    }

    /// How many rows a page has: 1 at the least, [`PAGE_MAX`] at the most.
    ///
    /// # Errors
    /// 400 if it is not an integer.
    pub fn limit(&self, default: u64) -> Result<u64, ApiError> {
        let given = self
            .int("limit")?
            .and_then(|n| u64::try_from(n).ok())
            .filter(|&n| n > 0);
        Ok(given.unwrap_or(default).min(PAGE_MAX))
    }

    /// A page by limit and offset.
    ///
    /// # Errors
    /// 400 if either is not an integer.
    pub fn page(&self, default_limit: u64) -> Result<OffsetPage, ApiError> {
        let offset = self
            .int("offset")?
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(0);
        Ok(OffsetPage {
            limit: self.limit(default_limit)?,
            offset,
        })
    }

    /// All parameters by name, for links to other pages.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params(pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    #[test]
    fn a_flag_is_true_unless_it_is_zero_or_false() {
        let p = params(&[("a", ""), ("b", "0"), ("c", "FALSE"), ("d", "no"), ("e", "1")]);
        let read: Vec<_> = ["a", "b", "c", "d", "e", "absent"]
            .iter()
            .map(|n| p.flag(n, false))
            .collect();
        assert_eq!(read, [true, false, false, true, true, false]);
        assert!(p.flag("absent", true));
    }

    #[test]
    fn a_page_is_bounded() {
        assert_eq!(params(&[("limit", "99999")]).page(10).unwrap().limit, PAGE_MAX);
        assert_eq!(
            params(&[("limit", "0"), ("offset", "-3")])
                .page(10)
                .unwrap()
                .limit,
            10
        );
        assert!(params(&[("limit", "x")]).page(10).is_err());
    }
}
