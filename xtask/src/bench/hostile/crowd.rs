//! The attackers: raw sockets, each of which waits until it is closed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use super::Args;

/// Between two bytes of a body that drips.
const DRIP: Duration = Duration::from_secs(2);
/// Connections that are opened at once.
const OPENING: usize = 100;
const BOMB_BYTES: usize = 8 << 20;

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Silent,
    Half,
    Drip,
    Bomb,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Half => "half",
            Self::Drip => "drip",
            Self::Bomb => "bomb",
        }
    }
}

/// What became of one attacker.
pub(super) struct Held {
    /// `None` if it gave up first.
    pub(super) closed_after: Option<Duration>,
    /// The status, or what came instead.
    pub(super) answer: String,
}

/// All of them at once; how each kind fared, in the order of [`Kind`].
pub(super) async fn attack(
    address: &str,
    tokens: &[String],
    args: &Args,
    patience: Duration,
) -> [Vec<Held>; 4] {
    let bomb: Arc<[u8]> = bomb().into();
    let all = [
        (Kind::Silent, args.silent),
        (Kind::Half, args.half),
        (Kind::Drip, args.drips),
        (Kind::Bomb, args.bombs),
    ];
    let [silent, half, drips, bombs] = all.map(|(kind, n)| {
        let (address, bomb, tokens) = (address.to_owned(), Arc::clone(&bomb), tokens.to_vec());
        crowd(kind, n, address, tokens, bomb, patience)
    });
    let (silent, half, drips, bombs) = tokio::join!(silent, half, drips, bombs);
    [silent, half, drips, bombs]
}

fn bomb() -> Vec<u8> {
    let mut text = b"{\"name\": [0".to_vec();
    while text.len() + 4 < BOMB_BYTES {
        text.extend_from_slice(b",0");
    }
    text.extend_from_slice(b"]}");
    text
}

async fn crowd(
    kind: Kind,
    n: usize,
    address: String,
    tokens: Vec<String>,
    bomb: Arc<[u8]>,
    patience: Duration,
) -> Vec<Held> {
    let opening = Arc::new(tokio::sync::Semaphore::new(OPENING));
    let mut attackers = JoinSet::new();
    for turn in 0..n {
        let (address, token) = (address.clone(), tokens[turn % tokens.len()].clone());
        let (bomb, opening) = (Arc::clone(&bomb), Arc::clone(&opening));
        attackers.spawn(async move {
            let turn = opening.acquire_owned().await;
            let stream = TcpStream::connect(address).await;
            drop(turn);
            match stream {
                Ok(stream) => one(kind, stream, &token, &bomb, patience).await,
                Err(error) => Held {
                    closed_after: None,
                    answer: format!("no connection: {}", error.kind()),
                },
            }
        });
    }
    attackers.join_all().await
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
async fn one(kind: Kind, stream: TcpStream, token: &str, bomb: &[u8], patience: Duration) -> Held {
    let began = Instant::now();
    let (mut read, mut write) = stream.into_split();
    let head = |length: usize| {
        format!(
            "POST /api/v2/jobs/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\nContent-Type: application/json\r\n\
             Connection: close\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let writing = async {
        // Whoever is closed can write no more; the reader tells when that was.
        match kind {
            Kind::Silent => {}
            Kind::Half => drop(write.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await),
            Kind::Drip => {
                let mut open = write.write_all(head(10_000).as_bytes()).await.is_ok();
                // The attack itself: a byte in each of these spans.
                let mut drips = tokio::time::interval(DRIP);
                drips.tick().await;
                while open {
                    drips.tick().await;
                    open = write.write_all(b" ").await.is_ok();
                }
            }
            Kind::Bomb => {
                if write.write_all(head(bomb.len()).as_bytes()).await.is_ok() {
                    drop(write.write_all(bomb).await);
                }
            }
        }
        std::future::pending::<()>().await
    };
    let reading = async {
        let mut text = Vec::new();
        let ended = read.read_to_end(&mut text).await;
        let said = String::from_utf8_lossy(&text);
        match (said.split(' ').nth(1), ended) {
            (Some(status), _) => status.to_owned(),
            (None, Ok(_)) => "closed".to_owned(),
            (None, Err(error)) => error.kind().to_string(),
        }
    };
    let closed = async {
        tokio::select! {
            answer = reading => Held { closed_after: Some(began.elapsed()), answer },
            () = writing => Held { closed_after: None, answer: "unreachable".to_owned() },
        }
    };
    tokio::time::timeout(patience, closed).await.unwrap_or(Held {
        closed_after: None,
        answer: "held".to_owned(),
    })
}
