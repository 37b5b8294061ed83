//! The cases of a store whose clock is set: nothing stands still for the length of the step, and nothing ends early.

use std::time::Duration;

use trapline_core::{
    JobStatus,
    ports::{Beat, NewJob},
    timeline::{Anchor, shown},
};

use super::{World, cases};

const S: i64 = 1_000_000;
const HOUR: i64 = 3_600 * S;
/// How far the clock is set forward; after all of them it is right again.
const STEPS: [i64; 6] = [
    HOUR,
    -HOUR,
    -48 * HOUR,
    48 * HOUR,
    365 * 24 * HOUR,
    -365 * 24 * HOUR,
];

/// A node that remembers its last heartbeat, as the engine does.
#[derive(Default)]
struct Node {
    last: Option<Anchor>,
}

impl Node {
    async fn beat(&mut self, w: &World) -> Beat {
        let beat = w.pulse_after(false, self.last).await;
        self.last = beat.timeline.anchor;
        beat
    }

    /// Time passes while the node is up; none of it is a gap.
    async fn live(&mut self, w: &World, seconds: u64) {
        for _ in 0..seconds {
            w.pass(1);
            assert_eq!(self.beat(w).await.gap, None);
        }
    }
}

cases! { World;
    async fn a_lease_ends_on_time_however_the_clock_is_set_meanwhile(w: World) {
        let mut node = Node::default();
        node.beat(&w).await;
        for by in STEPS {
            let job = w.job_of(1).await;
            assert_eq!(w.grant(job, 1, "w").await.len(), 1);
            w.clock.set_forward(by);
            node.live(&w, 63).await;
            assert!(w.sweep().await.freed.is_empty(), "early, by {by}");
            node.live(&w, 2).await;
            assert_eq!(w.sweep().await.freed.len(), 1, "late, by {by}");
            assert_eq!(w.succeed(w.grant(job, 1, "x").await[0], 0).await, trapline_core::ports::Settled::Saved);
        }
    }

    async fn a_delay_passes_on_time_however_the_clock_is_set_meanwhile(w: World) {
        let mut node = Node::default();
        node.beat(&w).await;
        let (pipeline, set) = (w.pipeline().await, w.set(&[true]).await);
        for by in STEPS {
            let job = w.create(&NewJob { delay_seconds: 100, reprocess: true, ..w.new_job(pipeline, set) }).await;
            w.clock.set_forward(by);
            node.live(&w, 99).await;
            w.collect().await;
            assert!(!w.job(job).await.collected, "early, by {by}");
            node.live(&w, 2).await;
            w.collect().await;
            assert!(w.job(job).await.collected, "late, by {by}");
        }
    }

    async fn a_grace_and_the_ticks_lease_last_as_long_as_they_should(w: World) {
        let mut node = Node::default();
        node.beat(&w).await;
        let lease = Duration::from_secs(62);
        for by in STEPS {
            let job = w.job_of(1).await;
            w.grant(job, 1, "w").await;
            // An outage in which the clock is set, and then again in its grace.
            w.pass(30);
            w.clock.set_forward(by);
            let gap = node.beat(&w).await.gap.unwrap();
            assert_eq!((gap.to, gap.grace_until), (w.now(), w.now().plus(w.policy().ttr)), "by {by}");
            assert!(w.store.take_tick("a", w.now(), lease, None).await.unwrap());
            w.clock.set_forward(-by / 2);
            for _ in 0..61 {
                w.pass(1);
                assert_eq!(node.beat(&w).await.gap, Some(gap));
            }
            assert!(w.sweep().await.freed.is_empty(), "early, by {by}");
            assert!(!w.store.take_tick("b", w.now(), lease, None).await.unwrap(), "early, by {by}");
            w.pass(4);
            node.beat(&w).await;
            assert_eq!(w.sweep().await.freed.len(), 1, "late, by {by}");
            assert!(w.store.take_tick("b", w.now(), Duration::ZERO, None).await.unwrap(), "late, by {by}");
            w.clock.set_forward(-(by - by / 2));
            node.beat(&w).await;
            // Under a lease no more, and no strike of it: it takes two more ends to lose the task.
            assert_eq!(w.succeed(w.grant(job, 1, "x").await[0], 0).await, trapline_core::ports::Settled::Saved);
        }
    }

    async fn a_job_is_idle_since_its_last_result_however_the_clock_was_set_since(w: World) {
        let mut node = Node::default();
        node.beat(&w).await;
        for by in STEPS {
            let job = w.job_of(2).await;
            let tasks = w.grant(job, 2, "w").await;
            w.succeed(tasks[0], 0).await;
            let at = w.now();
            w.clock.set_forward(by);
            node.live(&w, 10).await;
            let vitals = w.store.vitals(trapline_core::JobId(job.0 - 1), 1, 2).await.unwrap();
            let idle = w.now().since(vitals[0].idle_since);
            assert_eq!((vitals[0].idle_since, idle), (at, Duration::from_secs(10)), "by {by}");
            w.succeed(tasks[1], 0).await;
            assert_eq!(w.job(job).await.status, JobStatus::Success);
            w.check_invariants().await;
        }
    }

    async fn a_node_that_starts_where_the_last_one_ran_sees_through_a_step(w: World) {
        Node::default().beat(&w).await;
        for by in STEPS {
            let job = w.job_of(1).await;
            w.grant(job, 1, "w").await;
            w.pass(3);
            w.clock.set_forward(by);
            let mut node = Node::default();
            let beat = w.pulse(true).await;
            node.last = beat.timeline.anchor;
            assert_eq!((beat.now, beat.timeline.step.unwrap().by), (w.now(), by));
            assert_eq!(beat.gap.unwrap().to, w.now(), "it did not end cleanly");
            w.outlive().await;
            node.beat(&w).await;
            assert_eq!(w.grant(job, 1, "x").await.len(), 1);
        }
    }

    async fn after_a_start_of_the_machine_no_lease_ends_before_its_grace_whatever_the_clock_says(w: World) {
        for by in [-48 * HOUR, 48 * HOUR] {
            let job = w.job_of(1).await;
            let before = w.pulse(false).await.now;
            w.grant(job, 1, "w").await;
            w.clock.reboot();
            w.clock.set_forward(by);
            let beat = w.pulse(true).await;
            // Set back, it is seen for what it is; ahead, as if so much time had passed: then the gap protects leases.
            assert!(beat.now >= before);
            assert_eq!(beat.timeline.step.filter(|step| step.at == beat.now).map(|step| (step.by - HOUR / 2) / HOUR), (by < 0).then_some(-48));
            let gap = beat.gap.unwrap();
            assert_eq!(gap.grace_until, beat.now.plus(w.policy().ttr));
            let swept = w.store.sweep(&w.policy(), Some(&Default::default()), gap.grace_until).await.unwrap();
            assert!(swept.freed.is_empty() && swept.touched.is_empty());
        }
    }

    async fn of_two_nodes_one_absorbs_a_step_and_the_other_finds_it_absorbed(w: World) {
        let (mut a, mut b) = (Node::default(), Node::default());
        a.beat(&w).await;
        b.beat(&w).await;
        for by in STEPS {
            w.pass(1);
            w.clock.set_forward(by);
            let noticed = a.beat(&w).await;
            assert_eq!((noticed.now, noticed.timeline.step.map(|s| s.by)), (w.now(), Some(by)));
            w.pass(1);
            let found = b.beat(&w).await;
            assert_eq!((found.now, found.timeline.offset), (w.now(), noticed.timeline.offset));
            assert_eq!(found.timeline.step, noticed.timeline.step, "recorded once");
            // People see the clock as it is.
            use trapline_core::Clock as _;
            assert_eq!(shown(found.now, found.timeline.offset), w.clock.now());
            std::mem::swap(&mut a, &mut b);
        }
    }
}
