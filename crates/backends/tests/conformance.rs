//! Every case of every port, against every implementation, each as a test of its own.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{future::Future, sync::Arc};

use libtest_mimic::{Arguments, Trial};
use trapline_backends::{EmbeddedProgress, EmbeddedQueue, SqliteStore, sqlite::Access};
use trapline_core::ports::{Progress, Queue};
use trapline_testkit::{
    ManualClock,
    conformance::{Case, World, found, health, projections, store, suspects},
    memory::MemoryStore,
};

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

async fn queue() -> Arc<dyn Queue> {
    Arc::new(EmbeddedQueue::new(Arc::new(ManualClock::new())))
}

async fn progress() -> Arc<dyn Progress> {
    Arc::new(EmbeddedProgress::new())
}

fn trials<F: Send + 'static, M: Future<Output = F> + 'static>(
    backend: &str,
    cases: &'static [Case<F>],
    make: fn() -> M,
) -> Vec<Trial> {
    cases
        .iter()
        .map(|(name, case)| {
            Trial::test(format!("{backend}::{name}"), move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                runtime.block_on(async { case(make().await).await });
                Ok(())
            })
        })
        .collect()
}

fn main() {
    let mut all = trials("sqlite", store::CASES, sqlite);
    all.extend(trials("sqlite", suspects::CASES, sqlite));
    all.extend(trials("sqlite", health::CASES, sqlite));
    all.extend(trials("sqlite", found::CASES, sqlite));
    all.extend(trials("memory", store::CASES, memory));
    all.extend(trials("memory", suspects::CASES, memory));
    all.extend(trials("memory", health::CASES, memory));
    all.extend(trials("memory", found::CASES, memory));
    all.extend(trials("embedded_queue", projections::queue::CASES, queue));
    all.extend(trials(
        "embedded_progress",
        projections::progress::CASES,
        progress,
    ));
    libtest_mimic::run(&Arguments::from_args(), all).exit();
}
