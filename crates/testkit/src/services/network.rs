//! A network between a client and a server that can go silent, as a partition is: nothing is closed and nothing is answered.

use std::{io, net::Ipv4Addr, sync::Arc};

use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// A port on which a server is reached for as long as the network carries.
pub struct Network {
    port: u16,
    silent: Arc<watch::Sender<bool>>,
    carrier: JoinHandle<()>,
}

impl Network {
    /// A new way to the server at that local port.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let silent = Arc::new(watch::Sender::new(false));
        #[expect(clippy::disallowed_methods, reason = "a test has no supervisor")]
        let carrier = tokio::spawn(carry_all(listener, server, Arc::clone(&silent)));
        Self {
            port,
            silent,
            carrier,
        }
    }

    /// The port to connect to instead of the server's.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The server's address with this network in between.
    #[must_use]
    pub fn through(&self, url: &str, server: u16) -> String {
        url.replace(&format!(":{server}"), &format!(":{}", self.port))
    }

    /// Nothing passes, on old connections and on new ones.
    pub fn silence(&self) {
        self.silent.send_replace(true);
    }

    /// New connections are carried. One that was silenced stays silent.
    pub fn heal(&self) {
        self.silent.send_replace(false);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

async fn carry_all(listener: TcpListener, server: u16, silent: Arc<watch::Sender<bool>>) {
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            Ok((accepted, _)) = listener.accept() => open.push(carry(accepted, server, silent.subscribe())),
            Some(_ended) = open.next() => {}
        }
    }
}

/// Ends, and so closes both sides, when one side has closed.
async fn carry(mut client: TcpStream, server: u16, mut silent: watch::Receiver<bool>) -> io::Result<()> {
    let copy = async {
        let mut there = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await?;
        // Else small packets wait for each other, and every question takes 40 ms.
        there.set_nodelay(true)?;
        client.set_nodelay(true)?;
        copy_bidirectional(&mut client, &mut there).await.map(drop)
    };
    let silenced = async { silent.wait_for(|silent| *silent).await.is_ok() };
    tokio::select! {
        biased;
        _ = silenced => {}
        done = copy => return done,
    }
    std::future::pending().await
}
