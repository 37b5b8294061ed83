//! How sure the detections are, and how many an image has.

use trapline_core::{
    summary::{BINS, Summary},
    words::{count, counted},
};

use super::{Asked, classes::share};

const HEIGHT: u64 = 100;

pub(super) struct Bin {
    pub(super) x: usize,
    pub(super) y: u64,
    pub(super) height: u64,
    pub(super) word: String,
    pub(super) n: String,
    /// To the images that have such a detection or a better one.
    pub(super) path: String,
}

pub(super) struct Scores {
    pub(super) bins: Vec<Bin>,
    pub(super) caption: String,
    /// Where a reader's least score is.
    pub(super) mark: Option<String>,
}

impl Scores {
    pub(super) fn new(asked: &Asked, made: &Summary) -> Self {
        let scored = &made.scores[..BINS];
        let (all, most) = (
            scored.iter().sum::<u64>(),
            scored.iter().max().copied().unwrap_or(0),
        );
        let bin = |(at, n): (usize, &u64)| {
            let low = BINS - 1 - at;
            let height = (n * HEIGHT).div_ceil(most.max(1));
            Bin {
                x: low * 10,
                y: HEIGHT - height,
                height,
                word: format!("{} to {}", score(low), score(low + 1)),
                n: count(*n),
                path: asked.grid(&[("min", score(low)), ("sort", "-score".to_owned())]),
            }
        };
        Self {
            caption: caption(scored, all, made.scores[BINS]),
            mark: asked.min.map(|min| format!("{:.1}", f64::from(min) * 200.0)),
            bins: match all {
                0 => Vec::new(),
                _ => scored.iter().enumerate().rev().map(bin).collect(),
            },
        }
    }
}

/// The beginning of a bin, counted from 0.
fn score(low: usize) -> String {
    format!("{}.{:02}", low * 5 / 100, low * 5 % 100)
}

fn caption(scored: &[u64], all: u64, unscored: u64) -> String {
    if all == 0 {
        return "No detection that is counted has a score.".to_owned();
    }
    let mut above = 0;
    let half = scored.iter().position(|n| {
        above += n;
        above * 2 >= all
    });
    let half = half.map_or_else(String::new, |at| score(BINS - 1 - at));
    let without = match unscored {
        0 => String::new(),
        n => format!(" {} without a score are not in it.", count(n)),
    };
    format!(
        "Half of {} have a score of {half} or above.{without}",
        counted(all, "detection")
    )
}

pub(super) struct Size {
    pub(super) word: String,
    pub(super) n: String,
    pub(super) width: String,
    pub(super) path: Option<String>,
}

pub(super) struct Sizes {
    pub(super) rows: Vec<Size>,
    pub(super) caption: String,
}

impl Sizes {
    pub(super) fn new(asked: &Asked, images: &[(u64, Option<u64>, Option<u64>)]) -> Self {
        let counts = || images.iter().filter_map(|(.., n)| *n);
        let (all, most) = (counts().sum::<u64>(), counts().max().unwrap_or(0));
        let row = |&(from, to, n): &(u64, Option<u64>, Option<u64>)| Size {
            word: match to {
                Some(to) if to == from => from.to_string(),
                Some(to) => format!("{from} to {to}"),
                None => format!("more than {}", from - 1),
            },
            n: n.map_or_else(|| "known when all is counted".to_owned(), count),
            width: share(n.unwrap_or(0), most),
            path: (from == 0).then(|| format!("/jobs/{}/results?n=0", asked.job)),
        };
        let none = images.iter().find(|(from, ..)| *from == 0).and_then(|(.., n)| *n);
        Self {
            rows: images.iter().map(row).collect(),
            caption: match none {
                None => "Of all classes. Images without a detection are counted last.".to_owned(),
                Some(_) if all == 0 => "No image is counted yet.".to_owned(),
                Some(none) => format!(
                    "Of all classes. In {}% of {} nothing was found.",
                    none * 100 / all,
                    counted(all, "image")
                ),
            },
        }
    }
}
