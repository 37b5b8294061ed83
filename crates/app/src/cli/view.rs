//! `trapline view`: the pages of a kept store, to look at; nothing is processed, and nothing is written to it.

use std::path::PathBuf;

use trapline_core::catalog::SESSION_MAX;

use super::{
    exit::{CliResult, Exit},
    log, output,
    signals::Signals,
};
use crate::{http::auth, serve::listen, wiring::Node};

/// Look at a kept store in a browser: read-only, nothing is processed
#[derive(clap::Args)]
pub(super) struct ViewArgs {
    /// The store that `trapline run --database` or `trapline serve` has kept
    #[arg(value_name = "FILE")]
    database: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    listen: String,
}

impl ViewArgs {
    /// Runs it.
    pub(super) async fn run(self) -> CliResult {
        log::start_by_environment();
        let mut signals = Signals::listen()?;
        let token = auth::new_secret();
        let node = Node::view(&self.database, listen(&self.listen).await?, &token).await?;
        if let Some(link) = node.sign_in_link(&token, "/jobs", SESSION_MAX).await? {
            output::line(link)?;
        }
        output::note("open it in a browser; it signs in once. Ctrl-C ends this.");
        signals.next().await;
        node.stop().await?;
        Ok(Exit::Done)
    }
}
