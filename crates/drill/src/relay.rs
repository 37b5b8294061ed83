//! A port in between: to one server, as a network that can go silent, or to several nodes, as a balancer of connections.
//!
//! The invariant: what has passed is never changed. To its client a silent relay neither carries, nor closes, nor refuses; the
//! server sees the connections that were open end.

use std::{io, net::Ipv4Addr, sync::Arc};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Where a new connection goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// To the next one that answers.
    Each,
    /// To the first, or to the next if that is away.
    First,
}

/// A port on which servers are reached; it carries until it is dropped.
pub struct Relay {
    port: u16,
    silent: watch::Sender<bool>,
    turn: watch::Sender<Turn>,
    _carrier: JoinSet<()>,
}

impl Relay {
    /// A new way to these `host:port`.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn to(servers: Vec<String>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("no free port")?;
        let port = listener.local_addr()?.port();
        let (silent, turn) = (watch::Sender::new(false), watch::Sender::new(Turn::Each));
        let mut carrier = JoinSet::new();
        carrier.spawn(carry_all(
            listener,
            servers.into(),
            silent.subscribe(),
            turn.subscribe(),
        ));
        Ok(Self {
            port,
            silent,
            turn,
            _carrier: carrier,
        })
    }

    /// The port to connect to instead of the servers'.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where new connections go from now on.
    pub fn turns(&self, turn: Turn) {
        self.turn.send_replace(turn);
    }

    /// Nothing passes, on old connections and on new ones.
    pub fn silence(&self) {
        self.silent.send_replace(true);
    }

    /// New connections are carried. One that was silenced stays silent to its client.
    pub fn heal(&self) {
        self.silent.send_replace(false);
    }
}

async fn carry_all(
    listener: TcpListener,
    servers: Arc<[String]>,
    silent: watch::Receiver<bool>,
    turn: watch::Receiver<Turn>,
) {
    let mut open = FuturesUnordered::new();
    let mut next = 0;
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                next = if *turn.borrow() == Turn::First { 0 } else { next + 1 };
                open.push(carry(client, Arc::clone(&servers), next, silent.clone()));
            }
            Some(ended) = open.next() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended");
                }
            }
        }
    }
}

/// Ends, and so closes both sides, when one side has closed.
async fn carry(
    mut client: TcpStream,
    servers: Arc<[String]>,
    first: usize,
    mut silent: watch::Receiver<bool>,
) -> io::Result<()> {
    let copy = async {
        let mut there = connect(&servers, first).await?;
        // Else small packets wait for each other, and every question takes 40 ms.
        client.set_nodelay(true)?;
        there.set_nodelay(true)?;
        copy_bidirectional(&mut client, &mut there).await.map(drop)
    };
    tokio::select! {
        biased;
        _ = silent.wait_for(|silent| *silent) => {}
        done = copy => return done,
    }
    std::future::pending().await
}

async fn connect(servers: &[String], first: usize) -> io::Result<TcpStream> {
    let mut refused = io::Error::other("no server");
    for at in 0..servers.len() {
        match TcpStream::connect(&servers[(first + at) % servers.len()]).await {
            Ok(there) => return Ok(there),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        sync::mpsc,
    };

    use super::*;

    /// A server that sends back what it gets, and tells when a connection has ended.
    async fn echo(listener: TcpListener, ended: mpsc::UnboundedSender<()>) {
        let mut open = JoinSet::new();
        while let Ok((mut there, _)) = listener.accept().await {
            let ended = ended.clone();
            open.spawn(async move {
                let (mut from, mut to) = there.split();
                tokio::io::copy(&mut from, &mut to).await.ok();
                ended.send(()).ok();
            });
        }
    }

    async fn ask(connection: &mut TcpStream) -> u8 {
        connection.write_all(b"x").await.unwrap();
        connection.read_u8().await.unwrap()
    }

    #[tokio::test]
    async fn a_silenced_connection_stays_silent_and_a_new_one_is_carried() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = listener.local_addr().unwrap().to_string();
        let mut serving = JoinSet::new();
        let (ended, mut has_ended) = mpsc::unbounded_channel();
        serving.spawn(echo(listener, ended));
        // Nobody listens on the first: the next one that answers is taken.
        let relay = Relay::to(vec!["127.0.0.1:1".to_owned(), server]).await.unwrap();
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port()));
        let mut before = connect().await.unwrap();
        assert_eq!(ask(&mut before).await, b'x');
        relay.silence();
        has_ended.recv().await.unwrap();
        let during = connect().await.unwrap();
        relay.heal();
        let mut after = connect().await.unwrap();
        assert_eq!(ask(&mut after).await, b'x');
        for silent in [&before, &during] {
            let read = silent.try_read(&mut [0]).unwrap_err();
            assert_eq!(read.kind(), io::ErrorKind::WouldBlock);
        }
    }
}
