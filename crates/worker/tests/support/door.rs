//! A door between a worker and its server, which a test can shut.

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::listen;

/// A TCP door in front of a server. Shut, it refuses connections and has broken those that were open.
pub struct Door {
    port: u16,
    target: String,
    open: Option<JoinSet<()>>,
}

impl Door {
    pub async fn open_to(url: &str) -> Self {
        let target = url.trim_start_matches("http://").to_owned();
        let (listener, _) = listen().await;
        let port = listener.local_addr().expect("a bound port has an address").port();
        let mut door = Self {
            port,
            target,
            open: None,
        };
        door.accept(listener);
        door
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub async fn shut(&mut self) {
        if let Some(mut open) = self.open.take() {
            open.shutdown().await;
        }
    }

    pub async fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port))
            .await
            .expect("our own port");
        self.accept(listener);
    }

    fn accept(&mut self, listener: TcpListener) {
        let target = self.target.clone();
        let mut open = JoinSet::new();
        open.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut inside, _)) = listener.accept().await {
                let target = target.clone();
                connections.spawn(async move {
                    if let Ok(mut outside) = TcpStream::connect(&target).await {
                        // Either end may break it off; that is what a door is for.
                        drop(tokio::io::copy_bidirectional(&mut inside, &mut outside).await);
                    }
                });
            }
        });
        self.open = Some(open);
    }
}
