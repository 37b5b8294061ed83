//! When detections were made, by the half-hours of the night, beside how many photographs were taken: no bar is read without that.

use std::collections::BTreeMap;

use trapline_core::{
    Zone,
    summary::{READ_MAX, Summary, night},
    words::{count, counted},
};

use super::{
    super::when::{hour_text, hour_words, night_text, night_words},
    Asked,
};

const HEIGHT: u64 = 100;
/// Nights that are shown.
const NIGHTS_MAX: usize = 100;
/// So few half-hours would be drawn too broad.
const COLUMNS_MIN: i64 = 12;

/// Detections and photographs.
type Both = (u64, u64);

pub(super) struct Hour {
    pub(super) x: i64,
    pub(super) y: u64,
    pub(super) height: u64,
    /// How high the tick is; `None` without a photograph.
    pub(super) tick: Option<u64>,
    pub(super) word: String,
    pub(super) detections: String,
    pub(super) photographs: String,
    pub(super) each: String,
    pub(super) path: String,
}

/// A half-hour of a night.
pub(super) struct Cell {
    pub(super) x: i64,
    pub(super) opacity: String,
    pub(super) path: String,
    pub(super) title: String,
}

pub(super) struct Night {
    pub(super) word: String,
    pub(super) path: String,
    pub(super) cells: Vec<Cell>,
    pub(super) detections: String,
    pub(super) photographs: String,
}

pub(super) struct Activity {
    pub(super) width: i64,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) hours: Vec<Hour>,
    pub(super) caption: String,
    /// By whose clock the half-hours are.
    pub(super) clock: String,
    /// What is to be known of the clocks.
    pub(super) clocks: Option<&'static str>,
    /// Why there is no number per photograph yet.
    pub(super) not_each: Option<&'static str>,
    /// Empty if there is one night.
    pub(super) nights: Vec<Night>,
    /// What is not shown.
    pub(super) cut: Option<String>,
}

impl Activity {
    /// `None` if no time is known.
    pub(super) fn new(asked: &Asked, made: &Summary, zone: &Zone) -> Option<Self> {
        let mut by_night: BTreeMap<i64, BTreeMap<i64, Both>> = BTreeMap::new();
        let mut by_hour: BTreeMap<i64, Both> = BTreeMap::new();
        let counts = made.activity.iter().map(|(at, n)| (at, (*n, 0)));
        let photographs = made.photographs.iter().map(|(at, n)| (at, (0, *n)));
        for (at, n) in counts.chain(photographs) {
            let (of, hour) = night(*at);
            let in_night = by_night.entry(of).or_default().entry(hour).or_default();
            for sum in [in_night, by_hour.entry(hour).or_default()] {
                *sum = (sum.0 + n.0, sum.1 + n.1);
            }
        }
        let (first, last) = (*by_hour.keys().next()?, *by_hour.keys().next_back()?);
        let columns = (last - first + 1).max(COLUMNS_MIN);
        let most = |of: fn(&Both) -> u64| by_hour.values().map(of).max().unwrap_or(0).max(1);
        let (most_found, most_taken) = (most(|n| n.0), most(|n| n.1));
        let hour = |(&at, &(found, taken)): (&i64, &Both)| {
            let height = (found * HEIGHT).div_ceil(most_found);
            Hour {
                x: (at - first) * 10,
                y: HEIGHT - height,
                height,
                tick: (taken > 0).then(|| HEIGHT - (taken * HEIGHT).div_ceil(most_taken)),
                word: hour_words(at),
                detections: count(found),
                photographs: count(taken),
                each: match made.processed_only {
                    true => each((found, taken)),
                    false => "–".to_owned(),
                },
                path: asked.grid(&[("hour", hour_text(at))]),
            }
        };
        let nights = by_night.len();
        let is_long = made.activity.len().max(made.photographs.len()) as u64 == READ_MAX;
        Some(Self {
            width: columns * 10,
            from: hour_text(first),
            to: hour_text((first + columns) % trapline_core::summary::DAY),
            caption: caption(&by_hour, nights),
            clock: match zone.name() {
                Some(name) => format!("time in {name}"),
                None => "by the cameras’ clocks".to_owned(),
            },
            clocks: zone
                .name()
                .map(|_| "A time that says no offset is by its camera’s clock."),
            not_each: (!made.processed_only).then_some(
                "Photographs that wait or failed are counted too until the run has ended; then there is a number per photograph.",
            ),
            hours: by_hour.iter().map(hour).collect(),
            cut: (nights > NIGHTS_MAX || is_long).then(|| {
                let more = if is_long {
                    " The times go on beyond what is read here."
                } else {
                    ""
                };
                format!(
                    "The first {} nights of {} are shown.{more}",
                    nights.min(NIGHTS_MAX),
                    count(nights as u64)
                )
            }),
            nights: match nights {
                1 => Vec::new(),
                _ => rows(asked, &by_night, first),
            },
        })
    }
}

fn rows(asked: &Asked, by_night: &BTreeMap<i64, BTreeMap<i64, Both>>, first: i64) -> Vec<Night> {
    let shown = || by_night.iter().take(NIGHTS_MAX);
    let all = shown().flat_map(|(_, hours)| hours.values());
    let most = all.map(|n| n.0).max().unwrap_or(0).max(1);
    let row = |(&at, hours): (&i64, &BTreeMap<i64, Both>)| {
        let cell = |(&hour, &(found, taken)): (&i64, &Both)| Cell {
            x: (hour - first) * 10,
            opacity: opacity(found, most),
            path: asked.grid(&[("night", night_text(at)), ("hour", hour_text(hour))]),
            title: format!(
                "{}, {}: {} in {}",
                night_words(at),
                hour_words(hour),
                counted(found, "detection"),
                counted(taken, "photograph")
            ),
        };
        let sum = |of: fn(&Both) -> u64| count(hours.values().map(of).sum());
        Night {
            word: night_words(at),
            path: asked.grid(&[("night", night_text(at))]),
            cells: hours.iter().map(cell).collect(),
            detections: sum(|n| n.0),
            photographs: sum(|n| n.1),
        }
    };
    shown().map(row).collect()
}

/// From a fifth on, so that one detection is told from none.
fn opacity(n: u64, most: u64) -> String {
    match n {
        0 => "0".to_owned(),
        n => format!("0.{:02}", (20 + n * 79 / most).min(99)),
    }
}

fn each((found, taken): Both) -> String {
    match taken {
        0 => "–".to_owned(),
        taken => {
            let hundredths = found * 100 / taken;
            format!("{}.{:02}", hundredths / 100, hundredths % 100)
        }
    }
}

fn caption(by_hour: &BTreeMap<i64, Both>, nights: usize) -> String {
    let best = by_hour.iter().max_by_key(|(_, n)| n.0);
    let finding = match best {
        Some((&at, &(found, taken))) if found > 0 => format!(
            "Most were found from {}: {} in {}",
            hour_words(at),
            counted(found, "detection"),
            counted(taken, "photograph")
        ),
        _ => "Nothing was found in photographs whose time is known".to_owned(),
    };
    let of = match nights {
        1 => String::new(),
        n => format!(" of {} nights", count(n as u64)),
    };
    format!("{finding}{of}.")
}
