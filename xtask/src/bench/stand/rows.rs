//! Rows that a benchmark starts on, in both dialects.

/// The statements that write them.
#[derive(Clone, Copy)]
pub(in crate::bench) struct Rows {
    pub(in crate::bench) sqlite: &'static str,
    pub(in crate::bench) postgres: &'static str,
}

impl Rows {
    /// `$jobs` running jobs of `$tasks` free tasks each, all on the same captures.
    pub(in crate::bench) const RUNNING: Self = Self {
        sqlite: include_str!("rows/sqlite_running.sql"),
        postgres: include_str!("rows/postgres_running.sql"),
    };

    /// A running job of `$tasks` tasks, half of them done.
    pub(in crate::bench) const HALF: Self = Self {
        sqlite: include_str!("rows/sqlite_half.sql"),
        postgres: include_str!("rows/postgres_half.sql"),
    };

    /// A job of `$tasks` images that has landed, with three detections of each.
    pub(in crate::bench) const HELD: Self = Self {
        sqlite: include_str!("rows/sqlite_held.sql"),
        postgres: include_str!("rows/postgres_held.sql"),
    };
}
