//! `trapline serve`: a node, until a signal.

use trapline_core::error::chain;

use super::{
    config::Sources,
    exit::{CliResult, Exit},
    log, output,
    signals::Signals,
};
use crate::{
    config::{Effective, without_password},
    ui::link::LINK_LIFE,
    wiring::{Node, NodeOptions, first_admin_token},
};

/// Serve the API
#[derive(clap::Args)]
pub(super) struct ServeArgs {
    /// Where to listen (default 127.0.0.1:8000); port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// The store: a path, `sqlite:PATH` (default sqlite:trapline.db) or `postgres://…`.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Candidates: `embedded:` or `nats://…`.
    #[arg(long, value_name = "URL")]
    queue: Option<String>,
    /// Live counts and hints: `embedded:` or `redis://…`.
    #[arg(long, value_name = "URL")]
    progress: Option<String>,
    /// An admin token of this process, at least 20 characters, never stored; better given as TRAPLINE_ADMIN_TOKEN.
    /// Without one, and without one in the store, one is made and shown once.
    #[arg(long, value_name = "TOKEN")]
    admin_token: Option<String>,
    /// A folder whose photographs a signed-in person may see, where captures are files of this machine: a store of `trapline
    /// run`.
    #[arg(long, value_name = "DIR")]
    files: Option<String>,
    /// Let an admin wipe the projections, and take tasks that nobody answers (`trapline chaos`).
    #[arg(long)]
    allow_chaos: bool,
    #[command(flatten)]
    sources: Sources,
}

impl ServeArgs {
    /// Runs it.
    pub(super) async fn run(self) -> CliResult {
        let flags = [
            ("listen", self.listen.as_deref()),
            ("database", self.database.as_deref()),
            ("queue", self.queue.as_deref()),
            ("progress", self.progress.as_deref()),
            ("admin_token", self.admin_token.as_deref()),
            ("files", self.files.as_deref()),
            ("allow_chaos", self.allow_chaos.then_some("true")),
        ];
        let all = self.sources.load(&flags)?;
        log::start(&all.config.log, all.config.log_format);
        serve(&all).await
    }
}

async fn serve(all: &Effective) -> CliResult {
    let mut signals = Signals::listen()?;
    let config = &all.config;
    let options = NodeOptions {
        settings: all.told(),
        ..NodeOptions::default()
    };
    let node = Node::start(config, options).await?;
    if config.admin_token.is_none()
        && let Some(secret) = first_admin_token(&node.engine).await?
    {
        // Not by the log, which may be kept.
        output::note(format_args!(
            "this admin token is shown once; keep it, or make others with `trapline token create`:\n{secret}"
        ));
        match node.sign_in_link(&secret, "/jobs", LINK_LIFE).await {
            Ok(link) => link.into_iter().for_each(|link| {
                output::note(format_args!(
                    "to sign in with a browser, once and within 5 minutes: {link}"
                ));
            }),
            // The token is shown, and signs in as well.
            Err(error) => tracing::warn!(error = chain(&error), "no sign-in link could be made"),
        }
    }
    tracing::info!(
        url = node.url(),
        listen = config.listen,
        database = without_password(&config.database),
        "serving"
    );
    signals.next().await;
    tracing::info!("stopping; a second signal stops at once");
    tokio::select! {
        stopped = node.stop() => stopped?,
        _ = signals.next() => {
            tracing::warn!("stopped at once; leases live on, and results under way were not answered");
        }
    }
    tracing::info!("stopped");
    Ok(Exit::Done)
}
