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
}
