//! The goals, a row for each figure that has one: what was measured beside what it should be, its floor and the ratio.

use serde_json::Value;

use super::MODES;

/// Which way is better.
#[derive(Clone, Copy)]
enum Better {
    Low,
    High,
}

struct Goal {
    what: &'static str,
    /// The benchmark, and the figure of it.
    of: (&'static str, &'static str),
    /// Whether a measurement with this setting is meant.
    fits: fn(&Value) -> bool,
    decimals: usize,
    better: Better,
    /// Embedded, and in a cluster.
    goals: [&'static str; 2],
}

const fn goal(
    what: &'static str,
    of: (&'static str, &'static str),
    decimals: usize,
    better: Better,
    goals: [&'static str; 2],
) -> Goal {
    Goal {
        what,
        of,
        fits: |_| true,
        decimals,
        better,
        goals,
    }
}

impl Goal {
    const fn with(mut self, fits: fn(&Value) -> bool) -> Self {
        self.fits = fits;
        self
    }
}

use Better::{High, Low};

#[rustfmt::skip]
const GOALS: [Goal; 28] = [
    goal("CPU of an image, end to end, 3 detections, ms", ("results", "cpu_ms"), 3, Low, ["≤ 0.08, ratio ≥ 0.5", "≤ 0.20, ratio ≥ 0.5"])
        .with(|s| s["detections"] == 3),
    goal("the same, images/s", ("results", "images_per_second"), 0, High, ["15,000", "6,000"]).with(|s| s["detections"] == 3),
    goal("images/s with no detections", ("results", "images_per_second"), 0, High, ["25,000", "10,000"]).with(|s| s["detections"] == 0),
    goal("dispatch of 1,000,000, s", ("dispatch", "seconds"), 1, Low, ["10", "45, ratio ≥ 0.7"]),
    goal("reserve 64, p50, ms", ("reserve", "reserve_p50_ms"), 1, Low, ["2", "5"]),
    goal("reserve 64, p99, ms", ("reserve", "reserve_p99_ms"), 1, Low, ["10", "25"]),
    goal("reserve 64, tasks/s", ("reserve", "tasks_per_second"), 0, High, ["60,000", "20,000"]),
    goal("hand-outs by fill, 100,000 leased, times an empty table", ("fill", "times_an_empty_table"), 2, Low, ["≤ 2", "≤ 2"]),
    goal("poll, 10,000 running jobs, p99, ms", ("polls", "poll_p99_ms"), 1, Low, ["5", "10"]),
    goal("claim, the same, p99, ms", ("polls", "claim_p99_ms"), 1, Low, ["10", "20"]),
    goal("list of 20, the same, p99, ms", ("polls", "list_p99_ms"), 1, Low, ["15", "25"]),
    goal("small jobs a second", ("small", "jobs_per_second"), 0, High, ["1,000", "300"]),
    goal("a body of 300 MB, MB/s", ("body", "megabytes_per_second"), 0, High, ["150", "100"]),
    goal("the same, memory above idle, MiB", ("body", "memory_above_idle_mib"), 0, Low, ["128", "128"]),
    goal("memory idle, MiB", ("memory", "idle_mib"), 0, Low, ["25", "40"]),
    goal("memory, 1,000,000 tasks half done, at most, MiB", ("memory", "worked_peak_mib"), 0, Low, ["150", "200"]),
    goal("a tick over 10,000 running jobs, s", ("tick", "seconds"), 2, Low, ["1", "2"]),
    goal("the first tick, s", ("tick", "first_seconds"), 2, Low, ["1", "2"]),
    goal("CPU of an image, jobs of 10,000, times that of 1,000", ("growth", "cpu_times_the_first"), 2, Low, ["≤ 1.2", "≤ 1.2"])
        .with(|s| s["size"] == 10_000 && s["held"] == 0),
    goal("the same, jobs of 100,000", ("growth", "cpu_times_the_first"), 2, Low, ["≤ 1.2", "≤ 1.2"])
        .with(|s| s["size"] == 100_000 && s["held"] == 0),
    goal("the same, jobs of 1,000,000", ("growth", "cpu_times_the_first"), 2, Low, ["≤ 1.2", "≤ 1.2"])
        .with(|s| s["size"] == 1_000_000 && s["held"] == 0),
    goal("the same, 10 million detections in the store", ("growth", "cpu_times_the_first"), 2, Low, ["≤ 1.2", "≤ 1.2"])
        .with(|s| s["held"] != 0),
    goal("`trapline run`, photographs of 12 MP, images/s", ("folder", "images_per_second"), 1, High, ["ratio ≥ 0.8", ""]),
    goal("overload: longest post, ms", ("overload", "post_longest_ms"), 0, Low, ["bounded", "bounded"]),
    goal("overload: memory above before, MiB", ("overload", "memory_growth_mib"), 0, Low, ["flat", "flat"]),
    goal("overload: images/s, offered twice what saturates", ("overload", "images_per_second"), 0, High, ["", ""]),
    goal("two nodes, images/s, times one", ("nodes", "rate_times_one_node"), 2, High, ["", "stated"]).with(|s| s["nodes"] == 2),
    goal("two nodes, CPU of an image, times one", ("nodes", "cpu_times_one_node"), 2, Low, ["", "stated"]).with(|s| s["nodes"] == 2),
];

/// The table; a later measurement stands for an earlier one.
pub(super) fn section(rows: &[Value]) -> String {
    let mut text = "\n## The goals\n\n| what | embedded: goal | measured | floor | ratio | cluster: goal | measured | floor | ratio | \
                    measured with |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for goal in &GOALS {
        let found = MODES.map(|mode| rows.iter().rev().find(|row| goal.is_of(row, mode)));
        let [embedded, cluster] = [0, 1].map(|at| format!("{} | {}", goal.goals[at], goal.cells(found[at])));
        let setting = found
            .iter()
            .flatten()
            .next()
            .map_or_else(String::new, |row| setting(row));
        text += &format!("| {} | {embedded} | {cluster} | {setting} |\n", goal.what);
    }
    text
}

impl Goal {
    fn is_of(&self, row: &Value, mode: &str) -> bool {
        let (bench, figure) = self.of;
        row["what"] == bench
            && row["mode"] == mode
            && !row["figures"][figure].is_null()
            && (self.fits)(&row["setting"])
    }

    /// What was measured, its floor and the ratio: 1 is as good as the floor, and less is worse.
    fn cells(&self, row: Option<&Value>) -> String {
        let Some(row) = row else { return " | | ".into() };
        let (figure, decimals) = (self.of.1, self.decimals);
        let of = |key: &str| row["figures"][figure][key].as_f64().unwrap_or_default();
        let (median, low, high) = (of("median"), of("low"), of("high"));
        let measured = match low < high {
            true => format!("{median:.decimals$} ({low:.decimals$} to {high:.decimals$})"),
            false => format!("{median:.decimals$}"),
        };
        let Some(floor) = row["floor"][figure].as_f64() else {
            return format!("{measured} | | ");
        };
        let ratio = match self.better {
            Low => floor / median,
            High => median / floor,
        };
        format!("{measured} | {floor:.decimals$} | {ratio:.2}")
    }
}

/// What a measurement was made with.
fn setting(row: &Value) -> String {
    let all = row["setting"].as_object().into_iter().flatten();
    all.map(|(key, value)| format!("{key} {value}"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_goal_has_both_modes_and_a_ratio_that_is_one_at_the_floor() {
        let row = |mode: &str, rate: f64, images: u64| {
            json!({
                "what": "dispatch", "mode": mode, "setting": { "images": images },
                "figures": { "seconds": { "median": rate, "low": rate, "high": rate } }, "floor": { "seconds": 5.0 },
            })
        };
        let text = section(&[
            row("embedded", 9.0, 7),
            row("embedded", 10.0, 8),
            row("cluster", 20.0, 8),
        ]);
        let expected = "| 10 | 10.0 | 5.0 | 0.50 | 45, ratio ≥ 0.7 | 20.0 | 5.0 | 0.25 | images 8 |";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn a_rate_above_its_floor_is_above_one() {
        let row = json!({
            "what": "folder", "mode": "embedded", "setting": {},
            "figures": { "images_per_second": { "median": 8.0, "low": 7.0, "high": 9.0 } }, "floor": { "images_per_second": 10.0 },
        });
        assert!(section(&[row]).contains("| 8.0 (7.0 to 9.0) | 10.0 | 0.80 |"));
    }
}
