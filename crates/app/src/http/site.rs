//! By which names the server is called. A page of another site can make its own name mean this machine (DNS rebinding), and would
//! then be of the same origin as these pages.

use std::{convert::Infallible, net::IpAddr, str::FromStr};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{
        Extensions, HeaderMap, Request as HttpRequest, StatusCode, Uri, header, request::Parts,
        uri::Authority,
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{ApiError, AppState, proxies::Client};

/// Where people find this server: `https://trapline.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    pub(crate) https: bool,
    /// With its port, if that is not the scheme's.
    pub(crate) host: String,
}

impl std::fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let s = if self.https { "s" } else { "" };
        write!(f, "http{s}://{}", self.host)
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "is not like `https://trapline.example`: scheme and host, and no path".to_owned();
        let url = reqwest::Url::parse(text).map_err(|_| wrong())?;
        let is_plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_open = url.username().is_empty() && url.password().is_none();
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong()),
        };
        let host = url.host_str().filter(|_| is_plain && is_open).ok_or_else(wrong)?;
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        Ok(Self {
            https,
            host: format!("{host}{port}"),
        })
    }
}

impl PublicUrl {
    fn is(&self, host: &str) -> bool {
        let usual = if self.https { ":443" } else { ":80" };
        host.strip_suffix(usual)
            .unwrap_or(host)
            .eq_ignore_ascii_case(&self.host)
    }
}

/// The names of a server; by default it answers to any.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Its one name, if it has been given one.
    pub public: Option<PublicUrl>,
    /// Whether only this machine reaches it.
    pub is_local: bool,
}

impl Site {
    /// Whether a request for `host` is meant for this server.
    fn is(&self, host: Option<&str>, through_proxy: bool) -> bool {
        let Some(host) = host else {
            return self.public.is_none() && !self.is_local;
        };
        match &self.public {
            Some(public) => public.is(host),
            None => !self.is_local || through_proxy || is_of_this_machine(host),
        }
    }
}

fn is_of_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    let name = name.to_ascii_lowercase();
    address.is_ok_and(|a| a.is_loopback()) || name == "localhost" || name.ends_with(".localhost")
}

/// How a client calls this server: by its name, and its port if that is not the scheme's.
pub(crate) fn called<'a>(
    extensions: &'a Extensions,
    headers: &'a HeaderMap,
    uri: &'a Uri,
) -> Option<&'a str> {
    let client = extensions.get::<Client>();
    client
        .and_then(|c| c.host.as_deref())
        .or_else(|| headers.get(header::HOST)?.to_str().ok())
        .or_else(|| uri.authority().map(Authority::as_str))
}

/// How the client of a request calls this server, by [`called`].
pub(crate) struct Called(pub(crate) Option<String>);

impl<S: Sync> FromRequestParts<S> for Called {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let host = called(&parts.extensions, &parts.headers, &parts.uri);
        Ok(Self(host.map(str::to_owned)))
    }
}

/// Whether this server is the one that a request was meant for.
pub(crate) fn is_meant<B>(site: &Site, request: &HttpRequest<B>) -> bool {
    let client = request.extensions().get::<Client>();
    let host = called(request.extensions(), request.headers(), request.uri());
    site.is(host, client.is_some_and(|c| c.through_proxy))
}

/// In front of what needs no token.
pub(crate) async fn check(State(app): State<AppState>, request: Request, next: Next) -> Response {
    match is_meant(&app.site, &request) {
        true => next.run(request).await,
        false => {
            ApiError::detail(StatusCode::MISDIRECTED_REQUEST, "this server has another name").into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_one_machine_answers_to_the_names_of_it_and_a_named_one_to_its_own() {
        let local = Site {
            is_local: true,
            ..Site::default()
        };
        for own in [
            "127.0.0.1:8000",
            "localhost",
            "LOCALHOST:8000",
            "[::1]:8000",
            "127.9.9.9",
            "lab.localhost:1",
        ] {
            assert!(local.is(Some(own), false), "{own}");
        }
        for other in [
            "evil.example:8000",
            "localhost.evil.example",
            "10.0.0.1",
            "",
            "127.0.0.1.evil.example",
        ] {
            assert!(!local.is(Some(other), false), "{other}");
            assert!(Site::default().is(Some(other), false), "{other}");
        }
        assert!(
            local.is(Some("lab.example"), true),
            "a proxy that is trusted knows its names"
        );
        let named = Site {
            public: Some("https://Lab.example/".parse().unwrap()),
            is_local: true,
        };
        for (host, is_own) in [
            ("lab.example", true),
            ("lab.example:443", true),
            ("lab.example:80", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(named.is(Some(host), true), is_own, "{host}");
        }
        assert!(!named.is(None, false) && !local.is(None, false));
    }

    #[test]
    fn a_public_url_is_a_scheme_and_a_host() {
        for (text, is) in [
            ("https://lab.example", "https://lab.example"),
            ("http://Lab:8000/", "http://lab:8000"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), is);
        }
        for wrong in [
            "lab.example",
            "https://lab.example/trapline",
            "ftp://lab",
            "https://u:p@lab",
            "https://lab/?a",
            "",
        ] {
            assert!(wrong.parse::<PublicUrl>().is_err(), "{wrong}");
        }
    }
}
