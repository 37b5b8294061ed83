//! How nodes differ.

use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use trapline_engine::ImageUrl;

use crate::config::Told;

/// How a node differs from a plain server.
pub struct NodeOptions {
    /// How a task's `image_url` is made when it is reserved.
    pub image_url: ImageUrl,
    /// Whether captures may have `file` URLs, as in `trapline run`.
    pub allow_file_urls: bool,
    /// Whether a signed-in person may see the photographs of this machine that captures name.
    pub shows_files: bool,
    /// Routes beside the API's, without a token.
    pub beside: Router,
    /// An address that is listened on already.
    pub listener: Option<TcpListener>,
    /// Whether the only worker lives in this process: what a process before it held in the same file is free at once.
    pub sole_worker: bool,
    /// The settings, for an admin to look at.
    pub settings: Vec<Told>,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            image_url: Arc::new(|_, _, url| url.to_owned()),
            allow_file_urls: false,
            shows_files: false,
            beside: Router::new(),
            listener: None,
            sole_worker: false,
            settings: Vec::new(),
        }
    }
}
