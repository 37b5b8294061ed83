//! What several rounds say together, and the file in which it is kept.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// The middle of some figures; of an even number of them the lower one of the two.
pub(super) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len().saturating_sub(1) / 2;
    sorted.get(middle).copied().unwrap_or_default()
}

/// The lowest and the highest.
pub(super) fn spread(figures: impl Iterator<Item = f64>) -> (f64, f64) {
    figures.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), figure| {
        (low.min(figure), high.max(figure))
    })
}

/// What a command has measured.
pub(super) struct Report(Vec<Value>);

impl Report {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a row as `bench table` reads it.
    pub(super) fn add(&mut self, row: Value) {
        self.0.push(row);
    }

    /// Writes the file, if one is wanted.
    pub(super) fn save(self, file: Option<&Path>) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        let text = serde_json::to_string_pretty(&json!({ "rows": self.0 }))?;
        std::fs::write(file, text + "\n").with_context(|| file.display().to_string())
    }
}
