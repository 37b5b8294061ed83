//! A node that shows a kept store, and nothing else.

use std::{path::Path, sync::Arc};

use tokio::net::TcpListener;
use trapline_backends::{EmbeddedProgress, EmbeddedQueue, SqliteStore};
use trapline_core::{Clock, Result};
use trapline_engine::{Engine, Ports, Supervisor, SystemClock};

use super::{Node, Opened, Parts, local_address};
use crate::{
    config::Config,
    http::{AppState, Auth, LocalFiles, Sessions, Site, kept_router},
};

impl Node {
    /// Starts a node that shows a kept store to whoever has `token`, processes nothing, and serves no program.
    ///
    /// # Errors
    /// `Invalid` if the file is no store, of another version, or in use.
    pub async fn view(path: &Path, listener: TcpListener, token: &str) -> Result<Self> {
        let address = local_address(&listener)?;
        let is_local = address.ip().is_loopback();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let store = Opened::Sqlite(Arc::new(SqliteStore::open_kept(path, Arc::clone(&clock)).await?));
        let ports = Ports {
            store: store.store(),
            queue: Arc::new(EmbeddedQueue::new(Arc::clone(&clock))),
            progress: Arc::new(EmbeddedProgress::new()),
            clock: Arc::clone(&clock),
        };
        let supervisor = Supervisor::new(Arc::clone(&clock));
        let shown = AppState::of(Engine::idle(ports, supervisor.clone()), None);
        let state = AppState {
            auth: Auth::viewer(Arc::clone(&shown.catalog), clock, token),
            sessions: Sessions::in_memory(),
            is_kept: true,
            // A store names files of this machine: they are for whoever sits at it.
            local_files: if is_local {
                LocalFiles::All
            } else {
                LocalFiles::None
            },
            site: Site {
                public: None,
                is_local,
            },
            ..shown
        };
        let parts = Parts {
            store,
            supervisor,
            app: kept_router(state.clone()),
            state,
        };
        Ok(Self::serve(parts, listener, address, &Config::default()))
    }
}
