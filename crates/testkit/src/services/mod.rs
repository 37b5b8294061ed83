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
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(20);

/// A port that nobody listens on now.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    trapline_drill::free_port().expect("a free port")
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
