//! What a hand-out and a settlement cost, printed; that they are right is what is tested.

use std::sync::Arc;

use futures::future::join_all;
use trapline_core::{
    Clock as _, JobStatus,
    ports::{Posted, Settlement},
};
use trapline_testkit::{RealClock, conformance::Grant};

use crate::{races::another_job, support::Databases, two_nodes};

const CLIENTS: usize = 16;
const TASKS: usize = 8_000;

pub(crate) async fn grants_and_settlements_of_sixteen_clients(databases: Arc<Databases>) {
    let (a, b) = two_nodes(&databases).await;
    let clock = RealClock::new();
    let job = another_job(&a, TASKS).await;
    a.collect().await;
    let detections = a.detections(4).await;
    let began = clock.monotonic();
    let granted: Vec<Vec<Vec<Grant>>> = join_all((0..CLIENTS).map(async |n| {
        let node = if n % 2 == 0 { &a } else { &b };
        let worker = node.worker(&format!("w{n}")).await;
        let mut mine = Vec::new();
        loop {
            let (more, _) = node
                .hand_out(job, trapline_core::ports::Want::Batch, None, 8, worker)
                .await;
            if more.is_empty() {
                return mine;
            }
            mine.push(more);
        }
    }))
    .await;
    let grants: usize = granted.iter().map(Vec::len).sum();
    let handed_out = clock.monotonic() - began;
    let began = clock.monotonic();
    join_all(granted.iter().enumerate().map(async |(n, mine)| {
        let node = if n % 2 == 0 { &a } else { &b };
        for few in mine {
            let items: Vec<_> = few
                .iter()
                .map(|g| Settlement {
                    receipt: g.0,
                    posted: Posted::Success(detections.clone()),
                })
                .collect();
            node.settle(&items).await;
        }
    }))
    .await;
    let settled = clock.monotonic() - began;
    let rate = |n: usize, d: std::time::Duration| n as f64 / d.as_secs_f64();
    let images: usize = granted.iter().flatten().map(Vec::len).sum();
    let line = format!(
        "{CLIENTS} clients, 2 nodes, one job, 8 images each, 4 detections an image: {:.0} grants/s, {:.0} settlements/s of {:.0} images/s",
        rate(grants, handed_out),
        rate(grants, settled),
        rate(images, settled),
    );
    #[allow(clippy::print_stdout, reason = "a number for people")]
    {
        println!("{line}");
    }
    let rest = a.grant_of(job, None, TASKS, "rest").await;
    for grant in rest {
        a.succeed(grant, 0).await;
    }
    assert_eq!(a.job(job).await.status, JobStatus::Success);
    a.check_counts(job).await;
}
