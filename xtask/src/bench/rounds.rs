//! What several rounds say together, and the file in which it is kept.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// What one round measured, by name.
pub(super) type Figures = Vec<(&'static str, f64)>;

/// Figures in words.
pub(super) fn words(figures: &[(&str, f64)]) -> String {
    let one = |(name, figure): &(&str, f64)| match figure.abs() {
        0.0..1.0 => format!("{name} {figure:.4}"),
        1.0..100.0 => format!("{name} {figure:.2}"),
        _ => format!("{name} {figure:.0}"),
    };
    figures.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Measures so many rounds, and tells of each as it ends. `of` says what is measured.
#[allow(clippy::print_stdout, reason = "a benchmark prints")]
pub(super) async fn each_round(
    of: &str,
    rounds: usize,
    mut round: impl AsyncFnMut(usize) -> Result<Figures>,
) -> Result<Vec<Figures>> {
    let mut all = Vec::new();
    for turn in 1..=rounds {
        let figures = round(turn).await?;
        println!("{of}, round {turn}: {}", words(&figures));
        all.push(figures);
    }
    Ok(all)
}

/// The rounds of a benchmark as a row of `bench table`, with the floor of those of its figures that have one.
pub(super) fn row(
    what: &str,
    mode: &str,
    setting: Value,
    rounds: &[Figures],
    floor: &[(&str, f64)],
) -> Value {
    let named = |figures: &[(&str, f64)]| -> serde_json::Map<String, Value> {
        figures
            .iter()
            .map(|(name, f)| ((*name).to_owned(), json!(f)))
            .collect()
    };
    let mut medians = serde_json::Map::new();
    for (name, _) in rounds.first().into_iter().flatten() {
        let of = |round: &Figures| round.iter().find(|(other, _)| other == name).map(|(_, f)| *f);
        let all = || rounds.iter().filter_map(of);
        let (low, high) = spread(all());
        medians.insert(
            (*name).to_owned(),
            json!({ "median": median(all()), "low": low, "high": high }),
        );
    }
    json!({ "what": what, "mode": mode, "setting": setting, "figures": medians, "floor": named(floor) })
}

/// Milliseconds at a share of sorted times.
pub(super) fn at(sorted: &[Duration], share: f64) -> f64 {
    let index = (sorted.len().saturating_sub(1) as f64 * share) as usize;
    sorted.get(index).map_or(0.0, |took| 1_000.0 * took.as_secs_f64())
}

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
