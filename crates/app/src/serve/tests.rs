//! Real sockets, and a clock that is moved by hand.

use std::{io::ErrorKind, time::Duration};

use axum::routing::get;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
};
use trapline_testkit::{ManualClock, until};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    clock: ManualClock,
    counts: Arc<ConnectionCounts>,
    closing: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(app: Router, limits: ConnectionLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (clock, closing) = (ManualClock::new(), CancellationToken::new());
        let serving = Serving {
            app,
            limits,
            clock: Arc::new(clock.clone()),
            counts: Arc::default(),
            closing: closing.clone(),
        };
        let counts = Arc::clone(&serving.counts);
        #[expect(clippy::disallowed_methods, reason = "a test has no supervisor")]
        let served = tokio::spawn(serving.run(listener));
        Self {
            address,
            clock,
            counts,
            closing,
            served,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn open(&self, n: u64) {
        until("connections are open", PATIENCE, async || {
            match self.counts.open() {
                open if open == n => Ok(()),
                open => Err(format!("{open} of {n}")),
            }
        })
        .await;
    }

    async fn stop(self) {
        self.closing.cancel();
        self.served.await.unwrap();
    }
}

fn app() -> Router {
    Router::new().route("/", get(async || "here"))
}

/// What comes until the server closes; a reset is an end too.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    match stream.read_to_end(&mut text).await {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    String::from_utf8(text).unwrap()
}

/// Asks, and reads the answer, whose body is `here`.
async fn ask(stream: &mut TcpStream) {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"here") {
        assert!(stream.read_buf(&mut text).await.unwrap() > 0, "{text:?}");
    }
}

#[tokio::test]
async fn who_says_nothing_or_half_a_header_is_closed_when_the_header_is_due() {
    let server = Running::start(app(), ConnectionLimits::default()).await;
    let mut silent = server.connect().await;
    let mut half = server.connect().await;
    half.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        .await
        .unwrap();
    server.open(2).await;
    server.clock.advance(Duration::from_secs(9));
    // Byte by byte gains nothing.
    half.write_all(b"a").await.unwrap();
    let mut good = server.connect().await;
    ask(&mut good).await;
    assert_eq!((server.counts.open(), server.counts.timed_out()), (3, 0));
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut half).await, "");
    server.open(1).await;
    assert_eq!(server.counts.timed_out(), 2);
    ask(&mut good).await;
    server.stop().await;
}

#[tokio::test]
async fn a_connection_that_has_asked_is_kept_longer_than_a_header_may_take() {
    let server = Running::start(app(), ConnectionLimits::default()).await;
    let mut kept = server.connect().await;
    ask(&mut kept).await;
    for _ in 0..11 {
        server.clock.advance(Duration::from_secs(10));
    }
    ask(&mut kept).await;
    // A second request may dawdle no more than the first.
    kept.write_all(b"GET / HT").await.unwrap();
    let closed = until("the half header is noticed", PATIENCE, async || {
        server.clock.advance(Duration::from_secs(5));
        match server.counts.timed_out() {
            1 => Ok(()),
            _ => Err("open".to_owned()),
        }
    });
    closed.await;
    assert_eq!(rest(&mut kept).await, "");
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_takes_long_outlives_the_time_out_of_the_header() {
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (asked, go) = (Arc::clone(&asked), Arc::clone(&go));
        async move || {
            asked.notify_one();
            go.notified().await;
            "here"
        }
    };
    let server = Running::start(
        Router::new().route("/", get(handler)),
        ConnectionLimits::default(),
    )
    .await;
    let mut poll = server.connect().await;
    poll.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    asked.notified().await;
    server.clock.advance(Duration::from_secs(1_000));
    go.notify_one();
    assert!(rest(&mut poll).await.ends_with("here"));
    server.stop().await;
}

#[tokio::test]
async fn one_connection_too_many_is_closed_as_it_comes_and_counted() {
    let limits = ConnectionLimits {
        connections_max: 2,
        ..ConnectionLimits::default()
    };
    let server = Running::start(app(), limits).await;
    let mut first = server.connect().await;
    ask(&mut first).await;
    let _second = server.connect().await;
    server.open(2).await;
    let mut third = server.connect().await;
    assert_eq!(rest(&mut third).await, "");
    assert_eq!(server.counts.refused(), 1);
    ask(&mut first).await;
    drop(first);
    server.open(1).await;
    ask(&mut server.connect().await).await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_none_of_its_answer_is_closed() {
    let endless = || {
        Body::from_stream(futures::stream::repeat_with(|| {
            Ok::<_, Infallible>(vec![0_u8; 1 << 16])
        }))
    };
    let server = Running::start(
        Router::new().route("/", get(async move || endless())),
        ConnectionLimits::default(),
    )
    .await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    until("the connection is closed", PATIENCE, async || {
        server.clock.advance(Duration::from_secs(5));
        match server.counts.timed_out() {
            1 => Ok(()),
            _ => Err("open".to_owned()),
        }
    })
    .await;
    server.open(0).await;
    server.stop().await;
}

#[tokio::test]
async fn a_stop_answers_what_is_under_way_and_closes_the_rest() {
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (asked, go) = (Arc::clone(&asked), Arc::clone(&go));
        async move || {
            asked.notify_one();
            go.notified().await;
            "here"
        }
    };
    let server = Running::start(app().route("/slow", get(slow)), ConnectionLimits::default()).await;
    let mut idle = server.connect().await;
    ask(&mut idle).await;
    let mut silent = server.connect().await;
    let mut working = server.connect().await;
    working
        .write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    asked.notified().await;
    server.open(3).await;
    server.closing.cancel();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut silent).await, "");
    assert!(TcpStream::connect(server.address).await.is_err());
    go.notify_one();
    assert!(rest(&mut working).await.ends_with("here"));
    server.stop().await;
}
