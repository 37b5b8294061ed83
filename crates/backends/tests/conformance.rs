//! Every case of every port, against every implementation, each as a test of its own.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use std::{future::Future, sync::Arc};

use futures::future::join_all;
use libtest_mimic::{Arguments, Trial};
use trapline_backends::{
    EmbeddedProgress, EmbeddedQueue, JetStreamOptions, JetStreamQueue, RedisProgress, SqliteStore,
    sqlite::Access,
};
use trapline_core::ports::{Progress, Queue};
use trapline_testkit::{
    ManualClock, RealClock,
    conformance::{
        Case, World, apart, budget, captures, catalog, creates, deaths, definitions, drafts, failures, found,
        frozen, grants, health, last_tries, pages,
        projections::{self, Fixture},
        recent, results, sessions, store, summaries, suspects, timeline, workers,
    },
    memory::MemoryStore,
    services::{Nats, NatsBinary, Redis},
};

use support::Databases;

/// The tables of the store.
const STORE: [&[Case<World>]; 23] = [
    store::CASES,
    budget::CASES,
    timeline::CASES,
    suspects::CASES,
    deaths::CASES,
    grants::CASES,
    apart::CASES,
    last_tries::CASES,
    health::CASES,
    found::CASES,
    creates::CASES,
    frozen::CASES,
    definitions::CASES,
    drafts::CASES,
    captures::CASES,
    catalog::CASES,
    failures::CASES,
    pages::CASES,
    recent::CASES,
    results::CASES,
    sessions::CASES,
    summaries::CASES,
    workers::CASES,
];

async fn sqlite() -> World {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let path = dir.path().join("test.db");
    let store = SqliteStore::open(&path, Access::Exclusive, Arc::new(clock.clone()))
        .await
        .unwrap();
    World {
        store: Arc::new(store),
        clock,
        keep: Box::new(dir),
    }
}

async fn memory() -> World {
    let clock = ManualClock::new();
    World {
        store: Arc::new(MemoryStore::new(Arc::new(clock.clone()))),
        clock,
        keep: Box::new(()),
    }
}

async fn queue() -> Fixture<dyn Queue> {
    Fixture::new(Arc::new(EmbeddedQueue::new(Arc::new(ManualClock::new()))))
}

async fn progress() -> Fixture<dyn Progress> {
    Fixture::new(Arc::new(EmbeddedProgress::new()))
}

async fn jetstream(url: String) -> Fixture<dyn Queue> {
    let queue = JetStreamQueue::connect(&url, JetStreamOptions::default(), Arc::new(RealClock::new()));
    Fixture::new(Arc::new(queue.await.unwrap()))
}

async fn redis(url: String) -> Fixture<dyn Progress> {
    let progress = RedisProgress::connect(&url, Arc::new(RealClock::new()));
    Fixture::new(Arc::new(progress.await.unwrap()))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn trials<F: Send + 'static, M: Future<Output = F> + 'static>(
    backend: &str,
    cases: &'static [Case<F>],
    make: impl Fn() -> M + Clone + Send + 'static,
) -> Vec<Trial> {
    cases
        .iter()
        .map(|(name, case)| {
            let make = make.clone();
            Trial::test(format!("{backend}::{name}"), move || {
                runtime().block_on(async { case(make().await).await });
                Ok(())
            })
        })
        .collect()
}

/// One server of each kind and version, which the cases share.
struct Servers {
    nats: Vec<Nats>,
    redis: Redis,
    postgres: Arc<Databases>,
}

impl Servers {
    fn start() -> Self {
        let binaries = NatsBinary::all().unwrap_or_else(|missing| panic!("{missing}"));
        runtime().block_on(async {
            Self {
                nats: join_all(binaries.into_iter().map(Nats::start)).await,
                redis: Redis::start().await,
                postgres: Arc::new(Databases::start().await),
            }
        })
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let mut all = Vec::new();
    for cases in STORE {
        all.extend(trials("sqlite", cases, sqlite));
    }
    for cases in [
        store::CASES,
        budget::CASES,
        timeline::CASES,
        suspects::CASES,
        deaths::CASES,
        grants::CASES,
        apart::CASES,
        last_tries::CASES,
        health::CASES,
        found::CASES,
        creates::CASES,
        frozen::CASES,
        drafts::CASES,
        captures::CASES,
        failures::CASES,
        pages::CASES,
        recent::CASES,
        results::CASES,
        sessions::CASES,
        summaries::CASES,
        workers::CASES,
    ] {
        all.extend(trials("memory", cases, memory));
    }
    all.extend(trials("embedded_queue", projections::queue::CASES, queue));
    all.extend(trials(
        "embedded_progress",
        projections::progress::CASES,
        progress,
    ));
    let servers = Servers::start();
    let postgres = Arc::clone(&servers.postgres);
    let world = move || {
        let postgres = Arc::clone(&postgres);
        async move { postgres.world().await }
    };
    for cases in STORE {
        all.extend(trials("postgres", cases, world.clone()));
    }
    for nats in &servers.nats {
        let (name, url) = (format!("jetstream_{}", nats.version()), nats.url());
        let make = move || jetstream(url.clone());
        all.extend(trials(&name, projections::queue::CASES, make));
    }
    let url = servers.redis.url();
    all.extend(trials("redis", projections::progress::CASES, move || {
        redis(url.clone())
    }));
    let done = libtest_mimic::run(&arguments, all);
    // `exit` drops nothing, and each holds the databases.
    drop((servers, world));
    done.exit();
}
