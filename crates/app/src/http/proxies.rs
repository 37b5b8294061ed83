//! Where a request really came from, and under which name its sender knows this server.
//!
//! `X-Forwarded-*` is what anybody may write. It is believed only of a proxy that is trusted, and of each hop in turn: the
//! client is the last one that is not.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Networks of proxies whose `X-Forwarded-*` is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl FromStr for TrustedProxies {
    type Err = String;

    /// Addresses and networks, by commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
        words
            .map(|word| {
                let one = word.parse::<IpAddr>().map(IpNet::from);
                one.or_else(|_| word.parse())
                    .map(|net: IpNet| net.trunc())
                    .map_err(|_| {
                        format!("has `{word}`, which is neither an address nor a network like `10.0.0.0/8`")
                    })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl std::fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, net) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{net}")?;
        }
        Ok(())
    }
}

impl TrustedProxies {
    /// Whether nobody is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether everybody is.
    #[must_use]
    pub fn is_everybody(&self) -> bool {
        self.0.iter().any(|net| net.prefix_len() == 0)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

/// Who sent a request, and how it sees this server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Client {
    ip: Option<IpAddr>,
    /// `X-Forwarded-Proto` said so.
    pub(crate) https: bool,
    /// What `X-Forwarded-Host` says.
    pub(crate) host: Option<String>,
    /// A proxy that is trusted sent it.
    pub(crate) through_proxy: bool,
    /// From where `X-Forwarded-For` came that was not believed.
    pub(super) disbelieved: Option<IpAddr>,
}

/// The values of a header that is a list, in the order in which proxies added them.
fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let lines = headers.get_all(name).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|value| !value.is_empty())
        .collect()
}

/// An address as proxies write it: with a port, in brackets, or plain.
fn hop(text: &str) -> Option<IpAddr> {
    let plain = text.trim_start_matches('[').trim_end_matches(']');
    let address = text.parse::<SocketAddr>().map(|a| a.ip());
    address.or_else(|_| plain.parse()).ok().map(|a| a.to_canonical())
}

impl Client {
    /// Reads a request. `peer` is the other end of its connection; a request of this process has none.
    pub(super) fn of(headers: &HeaderMap, peer: Option<IpAddr>, trusted: &TrustedProxies) -> Self {
        let Some(peer) = peer.map(|p| p.to_canonical()) else {
            return Self::default();
        };
        if !trusted.trusts(peer) {
            return Self {
                ip: Some(peer),
                disbelieved: headers.contains_key("x-forwarded-for").then_some(peer),
                ..Self::default()
            };
        }
        let (mut client, mut hops) = (peer, 0);
        for text in values(headers, "x-forwarded-for").into_iter().rev() {
            let (true, Some(before)) = (trusted.trusts(client), hop(text)) else {
                break;
            };
            client = before;
            hops += 1;
        }
        // The proxy that the client talked to added its values as many places from the end as there are proxies; what is
        // before them came from the client.
        let outermost = |name: &str| {
            let values = values(headers, name);
            let at = values.len().saturating_sub(hops.max(1));
            values.get(at).map(|value| (*value).to_owned())
        };
        Self {
            ip: Some(client),
            https: outermost("x-forwarded-proto").is_some_and(|p| p.eq_ignore_ascii_case("https")),
            host: outermost("x-forwarded-host"),
            through_proxy: true,
            disbelieved: None,
        }
    }

    /// The client's address.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.ip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, trusted: &str, headers: &[(&str, &str)]) -> Client {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        Client::of(&map, Some(peer.parse().unwrap()), &trusted.parse().unwrap())
    }

    fn ip(client: &Client) -> String {
        client.ip.unwrap().to_string()
    }

    const FORGED: &[(&str, &str)] = &[
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
    ];

    #[test]
    fn what_an_untrusted_peer_says_of_itself_is_not_believed() {
        for trusted in ["", "10.0.0.0/8"] {
            let seen = client("192.0.2.7", trusted, FORGED);
            assert_eq!(
                (ip(&seen), seen.https, seen.host),
                ("192.0.2.7".to_owned(), false, None)
            );
            assert_eq!(seen.disbelieved, Some("192.0.2.7".parse().unwrap()));
        }
        assert_eq!(client("192.0.2.7", "", &[]).disbelieved, None);
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_not_trusted() {
        let trusted = "10.0.0.0/8, 2001:db8::/32,172.30.77.10";
        for (peer, forwarded, is) in [
            ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
            // The first is what the client said.
            ("10.0.0.1", "6.6.6.6, 192.0.2.7", "192.0.2.7"),
            ("10.0.0.1", "6.6.6.6, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
            ("2001:db8::1", "192.0.2.7:4711,[2001:db8::2]:80", "192.0.2.7"),
            ("10.0.0.1", "2001:db9::5", "2001:db9::5"),
            ("::ffff:10.0.0.1", "::ffff:192.0.2.7", "192.0.2.7"),
            // All of them are proxies.
            ("172.30.77.10", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            // No further than what can be read.
            ("10.0.0.1", "192.0.2.7, unknown", "10.0.0.1"),
            ("10.0.0.1", "192.0.2.7, unknown, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "", "10.0.0.1"),
        ] {
            let seen = client(peer, trusted, &[("x-forwarded-for", forwarded)]);
            assert_eq!(ip(&seen), is, "{peer} {forwarded}");
            assert_eq!(seen.disbelieved, None);
        }
    }

    #[test]
    fn several_headers_are_one_list_and_the_name_is_that_of_the_outermost_proxy() {
        let headers = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-forwarded-host", "evil.example, lab.example"),
            ("x-forwarded-host", "inner.local"),
            ("x-forwarded-proto", "http, https, http"),
        ];
        let seen = client("10.0.0.1", "10.0.0.0/8", &headers);
        assert_eq!(ip(&seen), "192.0.2.7");
        assert_eq!((seen.host.as_deref(), seen.https), (Some("lab.example"), true));
        let one = client("10.0.0.1", "10.0.0.0/8", FORGED);
        assert_eq!((one.host.as_deref(), one.https), (Some("evil.example"), true));
    }

    #[test]
    fn the_setting_is_addresses_and_networks() {
        let all: TrustedProxies = " 172.30.77.9/24, ::1 ,10.1.2.3".parse().unwrap();
        assert_eq!(all.to_string(), "172.30.77.0/24,::1/128,10.1.2.3/32");
        assert!(!all.is_everybody() && !all.is_empty());
        assert!("0.0.0.0/0".parse::<TrustedProxies>().unwrap().is_everybody());
        assert!("".parse::<TrustedProxies>().unwrap().is_empty());
        let error = "10.0.0.0/33".parse::<TrustedProxies>().unwrap_err();
        assert!(error.contains("`10.0.0.0/33`"), "{error}");
    }
}
