//! What a node does by itself, as long as it runs.

use trapline_core::{Result, catalog::DRAFT_LIFE, error::chain};

use crate::{Engine, engine::BEAT, minutes, settle::Inbox, summaries};

/// How many jobs are dispatched at the same time.
const DISPATCHERS: usize = 2;

impl Engine {
    pub(crate) fn spawn_services(&self, inbox: Inbox) {
        let supervisor = &self.inner.supervisor;
        let policy = &self.inner.policy;
        let settling = self.clone();
        supervisor.once("settler", async move { settling.settle_loop(inbox).await });
        let every = |name, interval, what: fn(Self) -> futures::future::BoxFuture<'static, Result<()>>| {
            let engine = self.clone();
            supervisor.every(name, interval, move || what(engine.clone()));
        };
        every("heartbeat", BEAT, |e| {
            Box::pin(async move { e.beat(false).await })
        });
        every("signs of life", policy.flush_interval(), |e| {
            Box::pin(async move { e.flush_signs().await })
        });
        every("job log", BEAT, |e| Box::pin(async move { e.write_log().await }));
        every("job minutes", minutes::WRITE_EVERY, |e| {
            Box::pin(async move { e.write_minutes().await })
        });
        every("summaries", summaries::EVERY, |e| {
            Box::pin(async move { e.summarise_once().await })
        });
        every("sweep", policy.sweep_interval, |e| {
            Box::pin(async move { e.sweep_once().await.map(drop) })
        });
        every("lost replies", policy.sweep_interval, |e| {
            Box::pin(async move { e.take_back_lost_replies().await })
        });
        every("progress", BEAT, |e| {
            Box::pin(async move { e.pay_progress().await })
        });
        every("purge", policy.sweep_interval, |e| {
            Box::pin(async move { e.purge_once().await })
        });
        every("drafts", DRAFT_LIFE / 24, |e| {
            Box::pin(async move { e.forget_drafts().await })
        });
        every("health check", policy.health.health_interval, |e| {
            Box::pin(async move { e.tick_on_time().await })
        });
        for _ in 0..DISPATCHERS {
            let dispatching = self.clone();
            supervisor.once("dispatcher", async move { dispatching.dispatch_loop().await });
        }
        let projecting = self.clone();
        supervisor.once("projection at start", async move {
            if let Err(error) = projecting.project_running().await {
                // Tasks that are not projected are found by the fill from the store.
                tracing::warn!(error = chain(&error), "running jobs were not all projected");
            }
        });
    }
}
