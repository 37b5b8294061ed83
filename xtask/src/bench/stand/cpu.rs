//! The CPU that a measurement took, by process.

use crate::bench::rounds::Figures;

/// Seconds of CPU since some moment.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::bench) struct Cpu {
    pub(in crate::bench) server: f64,
    pub(in crate::bench) postgres: f64,
    /// NATS and Redis.
    pub(in crate::bench) queue: f64,
    /// Of this process, which makes the load.
    pub(in crate::bench) load: f64,
    /// In use on the whole machine, and in all.
    pub(in crate::bench) machine: (f64, f64),
}

impl Cpu {
    pub(in crate::bench) fn since(self, before: Self) -> Self {
        self.with(before, |now, before| now - before)
    }

    /// Of two spans together.
    pub(in crate::bench) fn and(self, other: Self) -> Self {
        self.with(other, |one, other| one + other)
    }

    fn with(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            server: of(self.server, other.server),
            postgres: of(self.postgres, other.postgres),
            queue: of(self.queue, other.queue),
            load: of(self.load, other.load),
            machine: (
                of(self.machine.0, other.machine.0),
                of(self.machine.1, other.machine.1),
            ),
        }
    }

    /// Milliseconds for each of so many images or requests, by process.
    pub(in crate::bench) fn each(self, n: usize) -> Figures {
        let each = |seconds: f64| 1_000.0 * seconds / n.max(1) as f64;
        vec![
            ("cpu_ms", each(self.server + self.postgres)),
            ("server_cpu_ms", each(self.server)),
            ("postgres_cpu_ms", each(self.postgres)),
            ("queue_cpu_ms", each(self.queue)),
            ("load_cpu_ms", each(self.load)),
            ("others_share", self.others()),
        ]
    }

    /// The share of the machine that none of ours used.
    pub(in crate::bench) fn others(self) -> f64 {
        let ours = self.server + self.postgres + self.queue + self.load;
        ((self.machine.0 - ours) / self.machine.1.max(f64::EPSILON)).max(0.0)
    }
}
