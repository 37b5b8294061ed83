//! HTTP clients and bounded reading, shared by the API client, the image fetcher and the forwarder.
//!
//! No answer is read without a bound, and no error text names a URL: presigned URLs are credentials.

use std::error::Error;
use std::sync::Once;
use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Certificate, Client, ClientBuilder, Response, Url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A machine that was switched off says nothing. This is how soon an answer is no longer expected from it.
const KEEPALIVE: Duration = Duration::from_secs(15);
const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(50);

/// A client builder with what all our clients share.
///
/// A proxy of the environment is not asked about loopback addresses: it could not reach them.
pub(crate) fn builder(loopback: bool) -> ClientBuilder {
    let builder = Client::builder()
        .user_agent(concat!("trapline-worker/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(KEEPALIVE)
        .tcp_keepalive_interval(KEEPALIVE)
        .tcp_keepalive_retries(2)
        .pool_idle_timeout(IDLE_CONNECTION_MAX);
    if loopback { builder.no_proxy() } else { builder }
}

/// Builds a client. A machine without root certificates can still work over plain HTTP.
pub(crate) fn build(make: impl Fn() -> ClientBuilder) -> reqwest::Result<Client> {
    install_crypto();
    make().build().or_else(|error| {
        let client = make().tls_certs_only(std::iter::empty::<Certificate>()).build()?;
        tracing::warn!(error = %chain(&error), "no usable root certificates: https will not work");
        Ok(client)
    })
}

/// The process needs one crypto provider. Another crate may have installed one already; that is as good.
fn install_crypto() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        if rustls::crypto::ring::default_provider()
            .install_default()
            .is_err()
        {
            tracing::debug!("a crypto provider was already installed");
        }
    });
}

/// Whether a URL is on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// How long a server asks to wait, in either form of `Retry-After`: seconds, or a date by the server's own clock.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    }
    let date = |text| Some(rfc2822::parse(text).ok()?.timestamp());
    let now = text(DATE).and_then(date).unwrap_or_else(Timestamp::now);
    let wait = date(asked)?.duration_since(now);
    Some(wait.try_into().unwrap_or(Duration::ZERO))
}

/// Whether an answer is a problem told in JSON (RFC 9457).
pub(crate) fn is_problem(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/problem+json"))
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    #[error("the connection broke")]
    Broken(#[source] reqwest::Error),
}

/// Reads a body of at most `bytes_max` bytes.
pub(crate) async fn read_body(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, BodyError> {
    if response
        .content_length()
        .is_some_and(|length| length > bytes_max as u64)
    {
        return Err(BodyError::TooLong(bytes_max));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| BodyError::Broken(error.without_url()))?
    {
        if body.len() + chunk.len() > bytes_max {
            return Err(BodyError::TooLong(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let level = error.to_string();
        // Some libraries repeat their source in their own text.
        if !text.contains(&level) {
            text.push_str(": ");
            text.push_str(&level);
        }
        cause = error.source();
    }
    text
}

/// At most `characters_max` characters of a text, for logs and error results.
pub(crate) fn cut(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognised_in_every_spelling() {
        for (url, expected) in [
            ("http://localhost:1/", true),
            ("http://127.0.0.1/", true),
            ("http://[::1]:80/", true),
            ("http://10.0.0.1/", false),
            ("http://localhost.example.org/", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_as_a_date() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (asked, expected) in [
            ("3", Some(3)),
            (" 120 ", Some(120)),
            ("0", Some(0)),
            ("-5", Some(0)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, date.parse().unwrap());
            headers.insert(RETRY_AFTER, asked.parse().unwrap());
            assert_eq!(
                retry_after(&headers),
                expected.map(Duration::from_secs),
                "{asked}"
            );
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(cut("äöü", 3), "äöü");
    }
}
