//! What is plugged into what. Of the app only this, `wiring/`, the kinds of URL in `config/urls.rs`, `cli/export.rs` and
//! `chaos/ground.rs` name a concrete backend.

mod beside;
mod options;
mod thumbs;
mod view;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use trapline_backends::{
    EmbeddedProgress, EmbeddedQueue, JetStreamOptions, JetStreamQueue, PostgresStore, RedisProgress,
    SqliteStore, doctor, postgres::PostgresOptions, sqlite::Access,
};
use trapline_core::{
    Clock, Error, Result,
    catalog::Role,
    doctor::Check,
    ports::{OffsetPage, Progress, Queue, Store},
};
use trapline_engine::{Engine, Policy, Ports, Supervisor, SystemClock};

pub(crate) use trapline_backends::Known;

pub use self::{
    beside::{look_at_store, looking_at_store, open_store},
    options::NodeOptions,
    thumbs::Thumbs,
};
use crate::{
    config::{Config, Database},
    http::{self, AppState, Guards, LocalFiles, Site, auth, router},
    serve::{ConnectionCounts, Serving, listen},
    ui::link,
};

/// A running node.
pub struct Node {
    /// The verbs.
    pub engine: Engine,
    /// Where it listens.
    pub address: SocketAddr,
    supervisor: Supervisor,
    store: Opened,
    clock: Arc<dyn Clock>,
    state: AppState,
    connections: Arc<ConnectionCounts>,
    close_http: CancellationToken,
    http: tokio::task::JoinHandle<()>,
    drain: Duration,
}

/// A store, as it must be closed.
enum Opened {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

impl Opened {
    async fn open(database: &str, access: Access, clock: &Arc<dyn Clock>) -> Result<Self> {
        Ok(match Database::parse(database)? {
            Database::Sqlite(path) => Self::Sqlite(Arc::new(
                SqliteStore::open(&path, access, Arc::clone(clock)).await?,
            )),
            Database::Postgres(url) => Self::Postgres(Arc::new(
                PostgresStore::connect(url, PostgresOptions::default()).await?,
            )),
        })
    }

    fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }
}

/// The queue that is configured.
pub(crate) async fn queue(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Queue>> {
    let clock = Arc::clone(clock);
    if config.queue == "embedded:" {
        return Ok(Arc::new(EmbeddedQueue::new(clock)));
    }
    Ok(Arc::new(
        JetStreamQueue::connect(&config.queue, stream_options(config), clock).await?,
    ))
}

fn stream_options(config: &Config) -> JetStreamOptions {
    let by_replicas = JetStreamOptions::replicated(config.queue_replicas);
    JetStreamOptions {
        max_ack_pending: u32::try_from(config.max_ack_pending).unwrap_or(u32::MAX),
        max_projected_jobs: config
            .max_projected_jobs
            .unwrap_or(by_replicas.max_projected_jobs),
        credentials: config.queue_credentials.clone(),
        ..by_replicas
    }
}

/// The progress that is configured.
pub(crate) async fn progress(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Progress>> {
    if config.progress == "embedded:" {
        return Ok(Arc::new(EmbeddedProgress::new()));
    }
    Ok(Arc::new(
        RedisProgress::connect(&config.progress, Arc::clone(clock)).await?,
    ))
}

/// Asks every server of a deployment of so many nodes what is unsafe or wrong, all at once. Nothing is written.
///
/// # Errors
/// `Invalid` if the database is of no known kind.
pub async fn examine(config: &Config, nodes: u64, nats_monitors: &[String]) -> Result<Vec<Check>> {
    let clock = SystemClock::new();
    let any_clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let database = Database::parse(&config.database)?;
    let store = async {
        match &database {
            Database::Sqlite(path) => doctor::sqlite::examine(path).await,
            Database::Postgres(url) => doctor::postgres::examine(url, nodes, &clock).await,
        }
    };
    let queue = async {
        match config.queue.as_str() {
            "embedded:" => Vec::new(),
            url => doctor::nats::examine(url, &stream_options(config), nats_monitors, &clock).await,
        }
    };
    let progress = async {
        match config.progress.as_str() {
            "embedded:" => Vec::new(),
            url => doctor::redis::examine(url, &clock).await,
        }
    };
    let proxies = http::doctor::examine(&config.listen, &config.trusted_proxies, &any_clock);
    let (store, queue, progress, proxies) = tokio::join!(store, queue, progress, proxies);
    let mut checks = [store, queue, progress, proxies].concat();
    if matches!(database, Database::Postgres(_)) && nodes > 1 {
        checks.extend(shared(config));
    }
    Ok(checks)
}

/// Nodes that share a store should share the projections too.
fn shared(config: &Config) -> Option<Check> {
    let alone: Vec<&str> = [("queue", &config.queue), ("progress", &config.progress)]
        .into_iter()
        .filter(|(_, url)| *url == "embedded:")
        .map(|(key, _)| key)
        .collect();
    let advice = "set NATS_URL and REDIS_URL: a node does not see the other's candidates and hints, so a worker may wait \
                  seconds for what is free";
    (!alone.is_empty()).then(|| Check::warn("nodes", format!("embedded: {}", alone.join(", ")), advice))
}

/// What a node is made of.
struct Parts {
    store: Opened,
    supervisor: Supervisor,
    state: AppState,
    app: Router,
}

fn local_address(listener: &TcpListener) -> Result<SocketAddr> {
    listener
        .local_addr()
        .map_err(|e| Error::internal("the listening address is unknown").with_source(e))
}

impl Node {
    /// Starts a node: store, engine, HTTP.
    ///
    /// # Errors
    /// `Invalid` if what was configured can't be used, else as the store's.
    pub async fn start(config: &Config, options: NodeOptions) -> Result<Self> {
        let listener = match options.listener {
            Some(listener) => listener,
            None => listen(&config.listen).await?,
        };
        let address = local_address(&listener)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let access = match options.sole_worker {
            true => Access::Alone,
            false => Access::Exclusive,
        };
        let store = Opened::open(&config.database, access, &clock).await?;
        let ports = Ports {
            store: store.store(),
            queue: queue(config, &clock).await?,
            progress: progress(config, &clock).await?,
            clock: Arc::clone(&clock),
        };
        let policy = Policy {
            task_ttr: config.task_ttr,
            max_deliver: config.max_deliver,
            settle_wait: config.settle_wait,
            health: config.health,
            ..Policy::default()
        };
        let supervisor = Supervisor::new(Arc::clone(&clock));
        let engine = Engine::start(ports, policy, options.image_url, supervisor.clone()).await?;
        let thumbs = store.thumbs(&config.database, config.thumbnails_bytes_max).await;
        let guards = Guards::new(&config.limits, config.trusted_proxies.clone(), &clock);
        let state = AppState {
            guards,
            site: Site {
                public: config.public_url.clone(),
                is_local: address.ip().is_loopback(),
            },
            limits: config.limits,
            allow_file_urls: options.allow_file_urls,
            local_files: match options.shows_files {
                true => LocalFiles::All,
                false => LocalFiles::below(config.files.as_deref())?,
            },
            allow_chaos: config.allow_chaos,
            thumbs,
            settings: options.settings.into(),
            ..AppState::of(engine.clone(), config.admin_token.as_deref())
        };
        state.serve(&supervisor);
        let checked = middleware::from_fn_with_state(state.clone(), http::site::check);
        let app = options
            .beside
            .layer(checked)
            .fallback_service(router(state.clone()));
        let parts = Parts {
            store,
            supervisor,
            state,
            app,
        };
        Ok(Self::serve(parts, listener, address, config))
    }

    fn serve(parts: Parts, listener: TcpListener, address: SocketAddr, config: &Config) -> Self {
        let Parts {
            store,
            supervisor,
            state,
            app,
        } = parts;
        let close_http = CancellationToken::new();
        let connections = Arc::new(ConnectionCounts::default());
        let serving = Serving {
            app,
            limits: config.connections,
            clock: Arc::clone(&state.clock),
            counts: Arc::clone(&connections),
            closing: close_http.clone(),
        };
        let http = supervisor.once("http server", serving.run(listener));
        Self {
            engine: state.engine.clone(),
            address,
            supervisor,
            store,
            clock: Arc::clone(&state.clock),
            state,
            connections,
            close_http,
            http,
            drain: config.drain,
        }
    }

    /// The root of its API, for clients on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{address}")
    }

    /// A link that signs in once with this token, if it is valid, and leads to a page. It works for `life`.
    ///
    /// # Errors
    /// As the store's.
    pub async fn sign_in_link(&self, token: &str, page: &str, life: Duration) -> Result<Option<String>> {
        let path = link::of_token(&self.state, token, life).await?;
        Ok(path.map(|path| match &self.state.site.public {
            Some(public) => format!("{public}{path}?next={page}"),
            None => format!("{}{path}?next={page}", self.url()),
        }))
    }

    /// What became of its connections.
    #[must_use]
    pub fn connections(&self) -> &ConnectionCounts {
        &self.connections
    }

    /// What keeps one caller from harming the others.
    #[must_use]
    pub fn guards(&self) -> &Guards {
        &self.state.guards
    }

    /// Where tasks that outlive a request are spawned.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// Stops gracefully: long polls end, requests under way are answered, results that came are settled, then the
    /// store is closed.
    ///
    /// # Errors
    /// `Internal` naming what did not stop within the drain; as the store's, if its last words could not be written.
    pub async fn stop(self) -> Result<()> {
        self.engine.stop_waiting();
        self.close_http.cancel();
        let until = self.clock.monotonic() + self.drain;
        tokio::select! {
            _ = self.http => {}
            () = self.clock.sleep(self.drain) => {
                tracing::warn!("requests were still under way when the drain was over");
            }
        }
        let left = until
            .saturating_sub(self.clock.monotonic())
            .max(Duration::from_secs(1));
        let hung = self.supervisor.stop(left).await;
        let written = match self.state.is_kept {
            true => Ok(()),
            false => self.engine.finish().await,
        };
        self.state.thumbs.write(&self.engine).await;
        self.state.thumbs.close().await;
        self.store.close().await;
        written?;
        hung.map_err(|names| Error::internal(format!("did not stop in time: {}", names.join(", "))))
    }
}

/// Makes an admin token if the store has none; its secret is returned once and kept nowhere.
///
/// # Errors
/// As the store's.
pub async fn first_admin_token(engine: &Engine) -> Result<Option<String>> {
    let store = engine.store();
    let mut page = OffsetPage {
        limit: 1_000,
        offset: 0,
    };
    loop {
        let tokens = store.tokens(page).await?;
        let now = engine.now();
        if tokens.rows.iter().any(|t| {
            t.role == Role::Admin && t.project_id.is_none() && t.expires_at.is_none_or(|end| now < end)
        }) {
            return Ok(None);
        }
        page.offset += page.limit;
        if page.offset >= tokens.count {
            break;
        }
    }
    let (_, secret) = auth::mint(store.as_ref(), "first admin", Role::Admin, None, None).await?;
    Ok(Some(secret))
}
