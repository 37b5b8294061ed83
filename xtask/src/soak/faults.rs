//! What goes away, when and for how long: all of it by the seed.

use std::time::Duration;

use anyhow::Result;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use tokio::sync::RwLock;
use trapline_drill::{Fleet, pass};
use trapline_testkit::{
    Server,
    services::{Nats, Postgres, Redis},
};

use super::Teller;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    NodeKilled,
    NatsRestartedEmpty,
    RedisFlushed,
    RedisRestartedEmpty,
    PostgresKilled,
    PostgresStoppedFast,
}

/// Each comes at least once.
pub(super) const KINDS: [Kind; 6] = [
    Kind::NodeKilled,
    Kind::NatsRestartedEmpty,
    Kind::RedisFlushed,
    Kind::RedisRestartedEmpty,
    Kind::PostgresKilled,
    Kind::PostgresStoppedFast,
];
/// And so many more at the most.
const MORE: u32 = 4;

#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    /// Once so many results are delivered,
    after: u64,
    /// and a little later, as an answer comes at one moment of a commit.
    and_then: Duration,
    pub(super) kind: Kind,
    /// How long it is away.
    away: Duration,
    /// Which node, if it is one.
    node: usize,
}

/// In the order in which they come.
pub(super) fn plan(seed: u64, images: u64) -> Vec<Fault> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut kinds = KINDS.to_vec();
    for _ in 0..random.random_range(0..=MORE) {
        kinds.push(KINDS[random.random_range(0..KINDS.len())]);
    }
    kinds.shuffle(&mut random);
    let mut faults: Vec<Fault> = kinds
        .into_iter()
        .map(|kind| Fault {
            after: random.random_range(images / 50..images * 9 / 10),
            and_then: Duration::from_micros(random.random_range(0..50_000)),
            kind,
            away: Duration::from_millis(random.random_range(0..3_000)),
            node: random.random_range(0..2),
        })
        .collect();
    faults.sort_by_key(|f| (f.after, f.and_then));
    faults
}

/// The nodes come and go beside what they run on, so that both may be away at once.
pub(super) struct Stage<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) patience: Duration,
    pub(super) teller: &'a Teller,
    /// A node does not start while the store is away; whoever supervises it starts it again until it does.
    pub(super) store_is_there: RwLock<()>,
}

impl Stage<'_> {
    async fn comes(&self, fault: &Fault) -> Result<()> {
        self.fleet.until_delivered(fault.after, self.patience).await?;
        pass(fault.and_then).await;
        let (kind, after, away) = (fault.kind, fault.after, fault.away);
        self.teller
            .tell(&format!("{kind:?} after {after} results, for {away:?}"));
        Ok(())
    }

    pub(super) async fn strike_nodes(&self, faults: &[Fault], nodes: &mut [Server; 2]) -> Result<()> {
        for fault in faults.iter().filter(|f| f.kind == Kind::NodeKilled) {
            self.comes(fault).await?;
            nodes[fault.node].kill();
            pass(fault.away).await;
            let _there = self.store_is_there.read().await;
            nodes[fault.node].restart().await;
        }
        Ok(())
    }

    pub(super) async fn strike_services(
        &self,
        faults: &[Fault],
        (nats, redis, postgres): (&mut Nats, &mut Redis, &mut Postgres),
    ) -> Result<()> {
        for fault in faults {
            match fault.kind {
                Kind::NodeKilled => continue,
                _ => self.comes(fault).await?,
            }
            match fault.kind {
                Kind::NodeKilled => {}
                Kind::NatsRestartedEmpty => {
                    nats.kill();
                    pass(fault.away).await;
                    nats.restart_empty().await;
                }
                Kind::RedisFlushed => {
                    redis.ask("FLUSHALL").await;
                }
                Kind::RedisRestartedEmpty => {
                    redis.kill();
                    pass(fault.away).await;
                    redis.restart_empty().await;
                }
                Kind::PostgresKilled | Kind::PostgresStoppedFast => {
                    let _away = self.store_is_there.write().await;
                    if fault.kind == Kind::PostgresKilled {
                        postgres.kill();
                    } else {
                        postgres.quit();
                    }
                    pass(fault.away).await;
                    postgres.restart().await;
                }
            }
        }
        Ok(())
    }
}
