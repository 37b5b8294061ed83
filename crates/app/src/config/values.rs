//! How the text of a setting is read.

use std::time::Duration;

pub(super) fn number(text: &str, min: u64, max: u64) -> Result<u64, String> {
    let wrong = || format!("is not a whole number from {min} to {max}");
    let n: u64 = text.parse().map_err(|_| wrong())?;
    if (min..=max).contains(&n) {
        Ok(n)
    } else {
        Err(wrong())
    }
}

pub(super) fn seconds(text: &str, min: u64, max: u64) -> Result<Duration, String> {
    number(text, min, max).map(Duration::from_secs)
}

pub(super) fn bytes(text: &str) -> Result<usize, String> {
    number(text, 1, 1 << 40).map(|n| usize::try_from(n).unwrap_or(usize::MAX))
}

/// `embedded:`, or a URL of one of these schemes.
pub(super) fn projection(text: &str, schemes: &[&str]) -> Result<String, String> {
    match text.split_once(':') {
        None if text == "embedded" => Ok("embedded:".to_owned()),
        Some(("embedded", "")) => Ok(text.to_owned()),
        Some((scheme, _)) if schemes.contains(&scheme) => Ok(text.to_owned()),
        _ => Err(format!(
            "is not supported; give `embedded:` or `{}://…`",
            schemes[0]
        )),
    }
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("is neither `true` nor `false`".to_owned()),
    }
}

/// A number as a size; one that does not fit is as good as none.
pub(super) fn count(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
