//! Query parameters, by upstream's rules. Unknown ones are ignored; of a repeated one the last counts.

use std::collections::BTreeMap;

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use trapline_core::ports::OffsetPage;

use super::{ApiError, AppState, fields::NO_NUL};

/// A page is never longer (docs/rules.md B10).
pub const PAGE_MAX: u64 = 1_000;

/// The parameters of a request.
#[derive(Clone, Debug, Default)]
pub struct Params(BTreeMap<String, String>);

impl FromRequestParts<AppState> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| ApiError::invalid("the query string can't be read"))?;
        Self::of(pairs)
    }
}

impl Params {
    /// No text of a store has a NUL, and PostgreSQL can't even be asked for one.
    fn of(pairs: Vec<(String, String)>) -> Result<Self, ApiError> {
        let with_nul = pairs.iter().find(|(_, value)| value.contains('\0'));
        match with_nul {
            Some((name, _)) => Err(ApiError::field(name, NO_NUL)),
            None => Ok(Self(pairs.into_iter().collect())),
        }
    }

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

    /// A count of rows; what is none is as absent, as Django REST framework has it.
    fn rows(&self, name: &str) -> Option<u64> {
        let text = self.text(name)?.trim();
        let digits = text.strip_prefix('+').unwrap_or(text);
        let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        number.then(|| digits.parse().unwrap_or(u64::MAX).min(i64::MAX.unsigned_abs()))
    }

    /// How many rows a page has: 1 at the least, [`PAGE_MAX`] at the most, and `default` if nothing, or nothing
    /// sensible, is said.
    #[must_use]
    pub fn limit(&self, default: u64) -> u64 {
        let given = self.rows("limit").filter(|&n| n > 0);
        given.unwrap_or(default).min(PAGE_MAX)
    }

    /// A page by limit and offset.
    #[must_use]
    pub fn page(&self, default_limit: u64) -> OffsetPage {
        OffsetPage {
            limit: self.limit(default_limit),
            offset: self.rows("offset").unwrap_or(0),
        }
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
    fn a_value_with_nul_is_refused_by_its_name() {
        let of = |value: &str| Params::of(vec![("search".to_owned(), value.to_owned())]);
        assert_eq!(of("night").unwrap().text("search"), Some("night"));
        let text = of("a\0b").unwrap_err().text();
        assert_eq!(
            text.as_deref(),
            Some("`search`: Null characters are not allowed.")
        );
    }

    #[test]
    fn a_page_is_bounded() {
        for large in ["99999", "99999999999999999999"] {
            assert_eq!(params(&[("limit", large)]).page(10).limit, PAGE_MAX);
        }
        assert_eq!(
            params(&[("offset", "99999999999999999999")]).page(10).offset,
            i64::MAX.unsigned_abs()
        );
        for nonsense in ["0", "-3", "x", "", "1.5", "+"] {
            let page = params(&[("limit", nonsense), ("offset", nonsense)]).page(10);
            assert_eq!((page.limit, page.offset), (10, 0), "{nonsense}");
        }
        let page = params(&[("limit", " 7 "), ("offset", "+3")]).page(10);
        assert_eq!((page.limit, page.offset), (7, 3));
    }
}
