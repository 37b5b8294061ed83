//! Real servers for tests, private to a run: on free ports, in temporary folders, ended by their id when dropped, and by the
//! kernel if the test process dies first. A missing binary is an error that names its package, never a silent pass.

mod cluster;
mod connections;
mod handouts;
mod nats;
mod nats_cluster;
mod network;
mod postgres;
mod process;
mod redis;

pub use cluster::Cluster;
pub use connections::{Connections, connections, requests, result};
pub use handouts::{Handouts, handouts};
pub use nats::{Nats, NatsBinary};
pub use nats_cluster::NatsCluster;
pub use network::Network;
pub use postgres::Postgres;
pub use redis::Redis;

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(20);

/// A port that nobody listens on now. It lies below those that systems give to connections, so that a server that is
/// killed finds it free when it is started again.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    const PORTS: u16 = 16_000;
    // Each of these hashes from another seed.
    let start = RandomState::new().hash_one(()) % u64::from(PORTS);
    (0..PORTS)
        .map(|n| 16_000 + ((start + u64::from(n)) % u64::from(PORTS)) as u16)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}

/// Finds a program on PATH and in the folders beside it.
///
/// # Errors
/// What is missing, and how to install it.
pub fn binary(name: &str, package: &str, beside: &[&str]) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(beside.iter().map(PathBuf::from));
    folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| format!("`{name}` is not installed; on Debian: apt-get install {package}"))
}

/// Empties a folder.
fn empty(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)
}
