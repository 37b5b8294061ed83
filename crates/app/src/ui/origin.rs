//! Refuses what another site makes a browser send: a form on it would be sent with the session of whoever looks at it.
//!
//! A browser says where a request comes from in `Sec-Fetch-Site`, but over plain HTTP only to itself; there `Origin` must be this
//! server. A request with neither is refused, since each browser sends one of them with a POST.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::page::PageError;
use crate::http::{AppState, proxies::Client, site};

/// In front of every page: refuses what was meant for another server. Behind it, a request is seen as its sender sees it.
pub(super) async fn by_name(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    if !site::is_meant(&app.site, &request) {
        return PageError::Misdirected.into_response();
    }
    if let Some(public) = &app.site.public {
        let mut client = request.extensions().get::<Client>().cloned().unwrap_or_default();
        client.https = public.https;
        client.host = Some(public.host.clone());
        request.extensions_mut().insert(client);
    }
    next.run(request).await
}

/// In front of every page.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let client = request.extensions().get::<Client>();
    if request.method().is_safe() || is_own(request.headers(), client) {
        return next.run(request).await;
    }
    PageError::Forged.into_response()
}

fn is_own(headers: &HeaderMap, client: Option<&Client>) -> bool {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin" || site == "none";
    }
    let host = client
        .and_then(|c| c.host.as_deref())
        .or_else(|| text(header::HOST));
    let origin = text(header::ORIGIN).and_then(|o| o.split_once("://"));
    matches!((origin, host), (Some((_, from)), Some(host)) if from.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_let_through(of: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in of {
            headers.insert(*name, value.parse().unwrap());
        }
        is_own(&headers, None)
    }

    #[test]
    fn what_a_browser_sends_from_this_server_is_let_through_and_nothing_else() {
        let host = ("host", "lab:8000");
        for own in [
            [host, ("sec-fetch-site", "same-origin")],
            [host, ("sec-fetch-site", "none")],
            [host, ("origin", "http://lab:8000")],
            [host, ("origin", "https://LAB:8000")],
        ] {
            assert!(is_let_through(&own), "{own:?}");
        }
        for foreign in [
            &[host][..],
            &[host, ("sec-fetch-site", "cross-site")],
            // Another port of this machine is another site's.
            &[
                host,
                ("sec-fetch-site", "same-site"),
                ("origin", "http://lab:8000"),
            ],
            &[host, ("origin", "http://lab:9000")],
            &[host, ("origin", "http://evil.example")],
            &[host, ("origin", "null")],
            &[("origin", "http://lab:8000")],
        ] {
            assert!(!is_let_through(foreign), "{foreign:?}");
        }
    }
}
