//! What a job settled over time: bars that the server draws, with a caption that says what is seen, and a table.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use trapline_core::{
    JobId, Timestamp,
    pace::{Chart as Bars, Window},
    ports::Job,
    words::{count, counted},
};

use super::{look, page::render, words::Time};
use crate::http::{ApiError, AppState, Params};

/// The height of the drawing, in its own units; a bar is 10 wide.
const HEIGHT: u64 = 100;
/// So many bars have room: one alone would fill the page.
const BARS_MIN: usize = 40;

pub(super) struct Bar {
    pub(super) x: usize,
    /// From the top: of the processed part, then of the failed part above it.
    pub(super) processed: (u64, u64),
    pub(super) failed: (u64, u64),
    pub(super) at: String,
    pub(super) numbers: (String, String),
    pub(super) is_empty: bool,
}

pub(super) struct Chart {
    pub(super) job: JobId,
    pub(super) bars: Vec<Bar>,
    pub(super) width: usize,
    pub(super) caption: String,
    /// What remains, as the points of a line; empty if that is nothing.
    pub(super) remaining: String,
    /// The zone of its times.
    pub(super) zone: String,
    pub(super) from: String,
    pub(super) to: String,
    /// Links to other lengths of time, and whether each is shown.
    pub(super) windows: Vec<(&'static str, bool)>,
}

/// The part of a job's page that is read again while it is open.
#[derive(Template)]
#[template(path = "parts/chart.html")]
struct ChartPart {
    chart: Option<Chart>,
}

/// The part as an answer; it is empty while there is nothing to draw.
pub(super) fn part(chart: Option<Chart>) -> Response {
    render(StatusCode::OK, &ChartPart { chart })
}

/// The length of time that an address asks for.
///
/// # Errors
/// 400 if it is none.
pub(super) fn window(params: &Params) -> Result<Window, ApiError> {
    match params.text("window").unwrap_or_default() {
        "" => Ok(Window::All),
        text => {
            Window::parse(text).ok_or_else(|| ApiError::invalid(format!("`{text}` is not a length of time")))
        }
    }
}

impl Chart {
    /// `None` if there is nothing to draw. A length of time in which nothing was settled is drawn, since it leads to the others.
    pub(super) async fn read(app: &AppState, job: &Job, window: Window) -> Result<Option<Self>, ApiError> {
        if job.started_at.is_none() {
            return Ok(None);
        }
        let (bars, from) = app.engine.chart(job, window).await?;
        let is_empty = bars.bars.iter().all(|bar| *bar == (0, 0));
        Ok((!is_empty || window != Window::All).then(|| Self::new(job, &bars, from, window)))
    }

    fn new(job: &Job, of: &Bars, from: Timestamp, window: Window) -> Self {
        let left = job.counts.pending + job.counts.in_flight;
        let (remaining, line) = remaining(of, left, job.status.is_running());
        let most = of.bars.iter().map(|(p, f)| p + f).max().unwrap_or(0);
        let high = |n: u64| (n * HEIGHT).div_ceil(most.max(1));
        let starts = |at: usize| {
            let minutes = i64::try_from(at).unwrap_or(0) * of.step;
            let time = Time::new(Timestamp(from.0 + minutes * 60_000_000), from);
            time.full.get(..16).unwrap_or_default().to_owned()
        };
        let bars = of.bars.iter().enumerate().map(|(at, &(processed, failed))| {
            let (p, f) = (
                high(processed),
                high(failed).min(HEIGHT - high(processed).min(HEIGHT)),
            );
            Bar {
                x: at * 10,
                processed: (HEIGHT - p, p),
                failed: (HEIGHT - p - f, f),
                at: starts(at),
                numbers: (count(processed), count(failed)),
                is_empty: (processed, failed) == (0, 0),
            }
        });
        let length = match of.step {
            1 => "minute".to_owned(),
            60 => "hour".to_owned(),
            step if step % 1_440 == 0 => counted(u64::try_from(step / 1_440).unwrap_or(0), "day"),
            step if step % 60 == 0 => counted(u64::try_from(step / 60).unwrap_or(0), "hour"),
            step => counted(u64::try_from(step).unwrap_or(0), "minute"),
        };
        let length = match length.as_str() {
            "minute" | "hour" => format!("one {length}"),
            _ => length,
        };
        let failed = if of.bars.iter().any(|bar| bar.1 > 0) {
            "; failed images are on top, in red"
        } else {
            ""
        };
        let caption = format!("At most {} in {length}{failed}{line}", counted(most, "image"));
        Self {
            job: job.id,
            remaining,
            width: of.bars.len().max(BARS_MIN) * 10,
            caption,
            zone: look::now().zone_name().to_owned(),
            from: starts(0),
            to: starts(of.bars.len()),
            bars: bars.collect(),
            windows: Window::ALL.map(|w| (w.as_str(), w == window)).to_vec(),
        }
    }
}

/// What remained at the end of each bar, drawn back from what remains now, and what the caption says of it. A new run begins with
/// more, which is no settlement: so the line is of a job that runs.
fn remaining(of: &Bars, left: u64, is_running: bool) -> (String, String) {
    let settled: u64 = of.bars.iter().map(|(p, f)| p + f).sum();
    let first = left + settled;
    if !is_running || first == 0 {
        return (String::new(), String::new());
    }
    let mut now = first;
    let mut points = vec!["0,0".to_owned()];
    for (at, (processed, failed)) in of.bars.iter().enumerate() {
        now -= processed + failed;
        let y = HEIGHT - now * HEIGHT / first;
        points.push(format!("{},{y}", (at + 1) * 10));
    }
    let line = format!(
        "; the line is what remains, from {} to {}",
        count(first),
        count(left)
    );
    (points.join(" "), line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_is_drawn_back_from_what_remains_now() {
        let of = Bars {
            step: 1,
            from: 0,
            bars: vec![(40, 10), (0, 0), (25, 0)],
        };
        let (points, line) = remaining(&of, 25, true);
        assert_eq!(points, "0,0 10,50 20,50 30,75");
        assert_eq!(line, "; the line is what remains, from 100 to 25");
        assert_eq!(remaining(&of, 0, false).0, "", "it has ended");
        let empty = Bars {
            bars: Vec::new(),
            ..of
        };
        assert_eq!(remaining(&empty, 0, true).0, "");
    }
}
