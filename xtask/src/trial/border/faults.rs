//! What goes away: nodes stand still or are killed, the queue and the progress are wiped, the store is killed.

use std::time::Duration;

use rand::{RngExt as _, rngs::StdRng};
use tokio::sync::{RwLock, watch};
use trapline_drill::pass;
use trapline_testkit::{
    Server,
    services::{Cluster, Nats, Postgres, Redis},
};

use crate::soak::Teller;

/// One node in ten that stands still does so for up to so long, seconds; the others for a moment.
const PAUSE_MAX: u64 = 40;

/// Strikes until it is over; returns how often. Then all of it is there.
pub(super) async fn strike(
    cluster: &mut Cluster,
    mut dice: StdRng,
    over: watch::Receiver<bool>,
    teller: &Teller,
) -> u32 {
    let seeded = <StdRng as rand::SeedableRng>::seed_from_u64(dice.random());
    // A node does not start while the store is away; whoever supervises it starts it again until it does.
    let store_is_there = RwLock::new(());
    let nodes = strike_nodes(&mut cluster.nodes, dice, &over, &store_is_there);
    let services = (&mut cluster.nats, &mut cluster.redis, &mut cluster.postgres);
    let services = strike_services(services, seeded, &over, &store_is_there);
    let (nodes, services) = futures::join!(nodes, services);
    teller.tell(&format!("nodes {nodes}, services {services}"));
    nodes + services
}

async fn strike_nodes(
    nodes: &mut [Server; 2],
    mut dice: StdRng,
    over: &watch::Receiver<bool>,
    store_is_there: &RwLock<()>,
) -> u32 {
    let mut faults = 0;
    while !*over.borrow() {
        pass(Duration::from_millis(dice.random_range(500..8_000))).await;
        let node = &mut nodes[dice.random_range(0..2)];
        match dice.random_range(0..10) {
            0..4 => {
                node.kill();
                pass(Duration::from_millis(dice.random_range(0..3_000))).await;
                let _there = store_is_there.read().await;
                node.restart().await;
            }
            n => {
                let most = if n == 9 { PAUSE_MAX * 1_000 } else { 5_000 };
                node.pause();
                pass(Duration::from_millis(dice.random_range(10..most))).await;
                node.resume();
            }
        }
        faults += 1;
    }
    faults
}

async fn strike_services(
    (nats, redis, postgres): (&mut Nats, &mut Redis, &mut Postgres),
    mut dice: StdRng,
    over: &watch::Receiver<bool>,
    store_is_there: &RwLock<()>,
) -> u32 {
    let mut faults = 0;
    while !*over.borrow() {
        pass(Duration::from_millis(dice.random_range(1_000..12_000))).await;
        let away = Duration::from_millis(dice.random_range(0..4_000));
        match dice.random_range(0..4) {
            0 => {
                nats.kill();
                pass(away).await;
                nats.restart_empty().await;
            }
            1 => {
                redis.ask("FLUSHALL").await;
            }
            2 => {
                redis.kill();
                pass(away).await;
                redis.restart_empty().await;
            }
            _ => {
                let _away = store_is_there.write().await;
                postgres.kill();
                pass(away).await;
                postgres.restart().await;
            }
        }
        faults += 1;
    }
    faults
}
