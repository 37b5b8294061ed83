//! The page of benchmarks, from the files of what was measured.

mod goals;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

const PAGE: &str = "docs/benchmarks.md";
const HEAD: &str = include_str!("table.md");
/// Above this share of the machine, others disturb.
const QUIET: f64 = 0.05;
const MODES: [&str; 2] = ["embedded", "cluster"];

/// A figure that has a row.
struct Figure {
    key: &'static str,
    what: &'static str,
    decimals: usize,
    /// Goals by the number of detections.
    goals: &'static [(u64, &'static str)],
}

const FIGURES: [Figure; 5] = [
    Figure {
        key: "cpu_ms",
        what: "CPU of an image, ms, ours and the database's",
        decimals: 3,
        goals: &[(3, "embedded ≤ 0.08, ratio ≥ 0.5; cluster ≤ 0.20, ratio ≥ 0.5")],
    },
    Figure {
        key: "images_per_second",
        what: "images/s, the generator on the same cores",
        decimals: 0,
        goals: &[
            (3, "embedded 15,000; cluster 6,000"),
            (0, "embedded 25,000; cluster 10,000"),
        ],
    },
    Figure {
        key: "reserve_p99_ms",
        what: "reserve, p99, ms",
        decimals: 1,
        goals: &[],
    },
    Figure {
        key: "post_p99_ms",
        what: "post, p99, ms",
        decimals: 1,
        goals: &[],
    },
    Figure {
        key: "memory_peak_mib",
        what: "the server's memory, at most, MiB",
        decimals: 0,
        goals: &[],
    },
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What `--json` of the benchmarks has written.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Writes the page.
pub(super) fn write(args: &Args) -> Result<()> {
    let mut rows = Vec::new();
    for file in &args.files {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let report: Value = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        rows.extend(report["rows"].as_array().cloned().unwrap_or_default());
    }
    std::fs::write(PAGE, page(&rows)).context(PAGE)
}

fn page(rows: &[Value]) -> String {
    // By detections and size of the job, one of each mode; a later file stands for an earlier one.
    let mut settings: BTreeMap<(u64, u64), [Option<&Value>; 2]> = BTreeMap::new();
    for row in rows.iter().filter(|row| row["what"] == "results") {
        let of = |key: &str| row["setting"][key].as_u64().unwrap_or_default();
        let mode = MODES.iter().position(|mode| row["mode"] == *mode);
        if let Some(mode) = mode {
            settings.entry((of("detections"), of("images"))).or_default()[mode] = Some(row);
        }
    }
    let others = rows
        .iter()
        .filter_map(|row| row["figures"]["others_share"]["high"].as_f64())
        .fold(0.0, f64::max);
    let mut page = HEAD.to_owned();
    page += &match others > QUIET {
        true => format!(
            "\n**Others used up to {:.0}% of the machine meanwhile: rates and times are lower than on a quiet one, CPU is higher.**\n",
            100.0 * others
        ),
        false => "\nNothing else ran on the machine.\n".to_owned(),
    };
    page += &goals::section(rows);
    for ((detections, images), modes) in settings.iter().rev() {
        page += &section(*detections, *images, *modes);
    }
    page
}

fn section(detections: u64, images: u64, modes: [Option<&Value>; 2]) -> String {
    let setting = modes.iter().flatten().next().map(|row| &row["setting"]);
    let of = |key: &str| setting.and_then(|s| s[key].as_u64()).unwrap_or_default();
    let mut text = format!(
        "\n## Results: {images} images, {detections} detections each\n\n{} workers, batches of {}, {} rounds.\n\n",
        of("clients"),
        of("batch"),
        of("rounds")
    );
    text += "| what | embedded | floor | ratio | cluster | floor | ratio | goal |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n";
    for figure in &FIGURES {
        let cells: Vec<String> = modes.iter().map(|row| cells(figure, *row)).collect();
        let goal = figure.goals.iter().find(|(n, _)| *n == detections);
        let goal = goal.map_or("", |(_, goal)| *goal);
        text += &format!("| {} | {} | {goal} |\n", figure.what, cells.join(" | "));
    }
    text
}

/// A figure, its floor and its ratio.
fn cells(figure: &Figure, row: Option<&Value>) -> String {
    let Some(row) = row else { return " | | ".into() };
    let decimals = figure.decimals;
    let of = |key: &str| row["figures"][figure.key][key].as_f64().unwrap_or_default();
    let (median, low, high) = (of("median"), of("low"), of("high"));
    let measured = format!("{median:.decimals$} ({low:.decimals$} to {high:.decimals$})");
    match row["floor"][figure.key].as_f64() {
        Some(floor) => format!("{measured} | {floor:.decimals$} | {:.2}", floor / median),
        None => format!("{measured} | | "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(mode: &str, cpu: f64, others: f64) -> Value {
        let figure = |median: f64| json!({ "median": median, "low": median, "high": median });
        json!({
            "what": "results", "mode": mode,
            "setting": { "images": 20_000, "clients": 8, "batch": 16, "detections": 3, "rounds": 3 },
            "figures": { "cpu_ms": figure(cpu), "others_share": figure(others) },
            "floor": { "cpu_ms": 0.03 },
        })
    }

    #[test]
    fn a_row_has_both_modes_with_their_floors_ratios_and_goals() {
        let page = page(&[row("embedded", 0.12, 0.01), row("cluster", 0.3, 0.02)]);
        let expected = "| 0.120 (0.120 to 0.120) | 0.030 | 0.25 | 0.300 (0.300 to 0.300) | 0.030 | 0.10 | embedded ≤ 0.08";
        assert!(page.contains(expected), "{page}");
        assert!(page.contains("Nothing else ran"), "{page}");
    }

    #[test]
    fn a_machine_that_others_used_is_named_as_such() {
        let page = page(&[row("embedded", 0.12, 0.4)]);
        assert!(page.contains("Others used up to 40% of the machine"), "{page}");
    }
}
