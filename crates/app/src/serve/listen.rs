//! The address that a server listens on.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};
use trapline_core::{Error, Result};

/// Connections that wait to be accepted. Where more come at once, the system drops them unseen, and a client that does not
/// speak first believes them open.
const BACKLOG: u32 = 4_096;

/// As `TcpListener::bind`, with a longer backlog.
async fn bind(address: &str) -> std::io::Result<TcpListener> {
    let mut failed = std::io::Error::other("the name has no address");
    for address in tokio::net::lookup_host(address).await? {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Listens on `host:port`.
///
/// # Errors
/// `Invalid` naming the address if it is in use or not ours to listen on.
pub async fn listen(address: &str) -> Result<TcpListener> {
    bind(address).await.map_err(|e| {
        let what = match e.kind() {
            std::io::ErrorKind::AddrInUse => {
                "is in use; stop what listens there, or give another with --listen"
            }
            _ => "can't be listened on",
        };
        Error::invalid(format!("the address `{address}` {what}")).with_source(e)
    })
}
