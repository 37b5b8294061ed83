//! What can be known of a proxy in front: from the settings, and from the node that runs on them on this machine.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use trapline_core::{Clock, doctor::Check};
use trapline_wire as wire;

use super::TrustedProxies;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 64 << 10;
const NAME: &str = "proxies";

/// Looks at whom the node at `listen` trusts. Without a node there, nothing but the setting is known.
pub(crate) async fn examine(listen: &str, trusted: &TrustedProxies, clock: &Arc<dyn Clock>) -> Vec<Check> {
    if trusted.is_everybody() {
        let advice = "give `trusted_proxies` the address of the proxy alone: now any client may pose as another worker";
        return vec![Check::warn(NAME, "everybody is trusted", advice)];
    }
    let asked = tokio::select! {
        health = health(listen) => health,
        () = clock.sleep(PATIENCE) => None,
    };
    let Some(health) = asked else {
        return Vec::new();
    };
    if health.forwarded_headers_ignored {
        let advice = "give `trusted_proxies` the address of the proxy: without it, all workers behind it that do not name \
                      themselves are taken for one, and links lead to the node and not to the proxy";
        return vec![Check::warn(
            NAME,
            "X-Forwarded-For comes from an address that is not trusted",
            advice,
        )];
    }
    let seen = match trusted.is_empty() {
        true => "no proxy is trusted, and no such header came".to_owned(),
        false => format!("{trusted} trusted"),
    };
    vec![Check::ok(NAME, seen)]
}

/// What the node says of itself; `None` if none is there.
async fn health(listen: &str) -> Option<wire::Health> {
    let (host, port) = listen.rsplit_once(':')?;
    let host = match host {
        "0.0.0.0" | "[::]" => Ipv4Addr::LOCALHOST.to_string(),
        host => host.to_owned(),
    };
    let mut stream = TcpStream::connect(format!("{host}:{port}")).await.ok()?;
    let request = format!("GET /healthz HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut text = String::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_string(&mut text)
        .await
        .ok()?;
    serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
}
