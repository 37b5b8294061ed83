//! `trapline serve`: a node, until a signal.

use trapline_core::Result;

use super::{Exit, config::Sources, log, signals::Signals};
use crate::{
    config::Config,
    wiring::{Node, NodeOptions, first_admin_token},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Where to listen (default 127.0.0.1:8000); port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// The store: `sqlite:PATH` (default sqlite:trapline.db).
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Candidates: `embedded:`.
    #[arg(long, value_name = "URL")]
    queue: Option<String>,
    /// Live counts and hints: `embedded:`.
    #[arg(long, value_name = "URL")]
    progress: Option<String>,
    /// An admin token of this process, at least 20 characters, never stored; better given as TRAPLINE_ADMIN_TOKEN.
    /// Without one, and without one in the store, one is made and shown once.
    #[arg(long, value_name = "TOKEN")]
    admin_token: Option<String>,
    #[command(flatten)]
    sources: Sources,
}

pub(super) async fn run(args: Args) -> Exit {
    let flags = [
        ("listen", args.listen.as_deref()),
        ("database", args.database.as_deref()),
        ("queue", args.queue.as_deref()),
        ("progress", args.progress.as_deref()),
        ("admin_token", args.admin_token.as_deref()),
    ];
    let config = match args.sources.load(&flags) {
        Ok(all) => all.config,
        Err(error) => return Exit::from_error(&error),
    };
    log::start(&config.log, config.log_format);
    match serve(&config).await {
        Ok(()) => Exit::Done,
        Err(error) => Exit::from_error(&error),
    }
}

async fn serve(config: &Config) -> Result<()> {
    let mut signals = Signals::new()?;
    let node = Node::start(config, NodeOptions::default()).await?;
    if config.admin_token.is_none()
        && let Some(secret) = first_admin_token(&node.engine).await?
    {
        show_token(&secret);
    }
    tracing::info!(url = node.url(), database = config.database, "serving");
    signals.next().await;
    tracing::info!("stopping; a second signal stops at once");
    tokio::select! {
        stopped = node.stop() => stopped?,
        () = signals.next() => tracing::warn!("stopped at once; leases live on, and results under way were not answered"),
    }
    tracing::info!("stopped");
    Ok(())
}

/// On stderr and nowhere else, on a line of its own; not by the log, which may be kept.
#[allow(clippy::print_stderr, reason = "a command's own output")]
fn show_token(secret: &str) {
    eprintln!(
        "trapline: this admin token is shown once; keep it, or make others with `trapline token create`:\n{secret}"
    );
}
