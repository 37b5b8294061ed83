//! The classes of what was found, the most frequent first.

use trapline_core::{
    summary::{READ_MAX, Summary},
    words::count,
};

use super::{
    super::{page::with_query, words::visible},
    Asked,
};

/// Classes that have a bar.
const BARS: usize = 25;
/// Classes that are listed at all.
const LISTED_MAX: usize = 1_000;

pub(super) struct Class {
    pub(super) word: String,
    /// To its images, the best first.
    pub(super) images: String,
    /// To the charts of it alone.
    pub(super) charts: String,
    pub(super) n: String,
    /// The length of its bar.
    pub(super) width: String,
}

pub(super) struct Classes {
    pub(super) bars: Vec<Class>,
    pub(super) caption: String,
    /// Those that were seen once, unless they are looked for.
    pub(super) once: Vec<Class>,
    pub(super) once_word: String,
    /// To all of them.
    pub(super) all: Option<(String, String)>,
}

impl Classes {
    pub(super) fn new(asked: &Asked, made: &Summary) -> Self {
        let wanted = asked.search.to_lowercase();
        let is_wanted = |label: &str| wanted.is_empty() || label.to_lowercase().contains(&wanted);
        let found: Vec<_> = made.labels.iter().filter(|(label, _)| is_wanted(label)).collect();
        let (once, often): (Vec<_>, Vec<_>) = found.iter().copied().partition(|(_, n)| *n == 1);
        let most = made.labels.first().map_or(1, |(_, n)| (*n).max(1));
        let class = |(label, n): &(String, u64)| Class {
            word: name(label),
            images: with_query(
                &format!("/jobs/{}/results", asked.job),
                [("label", label.clone()), ("sort", "-score".to_owned())]
                    .into_iter()
                    .chain(asked.least()),
            ),
            charts: asked.of(label),
            n: count(*n),
            width: share(*n, most),
        };
        // Few of them need no fold.
        let (folded, shown) = match wanted.is_empty() && !asked.all && found.len() > BARS {
            true => (once, often),
            false => (Vec::new(), found),
        };
        let limit = if asked.all { LISTED_MAX } else { BARS };
        let left = shown.len().saturating_sub(limit);
        Self {
            caption: caption(&wanted, shown.len().min(limit), folded.len() + shown.len(), made),
            bars: shown.iter().take(limit).map(|of| class(of)).collect(),
            once_word: format!("Seen once: {}", many(folded.len() as u64)),
            once: folded.iter().take(LISTED_MAX).map(|of| class(of)).collect(),
            all: (left > 0 && !asked.all).then(|| {
                let query = [("all", "1".to_owned()), ("q", asked.search.clone())];
                let query = query.into_iter().filter(|(_, value)| !value.is_empty());
                (
                    asked.among(query) + "#classes",
                    format!("{} more", count(left as u64)),
                )
            }),
        }
    }
}

fn caption(wanted: &str, shown: usize, found: usize, made: &Summary) -> String {
    let n = made.labels.len() as u64;
    let all = match n == READ_MAX {
        true => format!("the {} most frequent classes", count(n)),
        false => many(n),
    };
    match (wanted.is_empty(), made.labels.first()) {
        (_, None) if made.complete => "No detection was made.".to_owned(),
        (_, None) => "No detection is counted yet.".to_owned(),
        (false, _) => format!("{} of {all} match.", count(found as u64)),
        (true, Some((label, best))) => {
            let percent = best * 100 / made.seen.max(1);
            let cut_off = match shown as u64 {
                shown if shown == n && n < READ_MAX => String::new(),
                shown => format!(" The first {} of {all} are shown.", count(shown)),
            };
            format!("{} is {percent}% of what was found.{cut_off}", cut(&name(label)))
        }
    }
}

fn many(n: u64) -> String {
    match n {
        1 => "1 class".to_owned(),
        n => format!("{} classes", count(n)),
    }
}

/// A label in a sentence.
fn cut(label: &str) -> String {
    match label.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &label[..end]),
        None => label.to_owned(),
    }
}

pub(super) fn name(label: &str) -> String {
    match label {
        "" => "no label".to_owned(),
        label => visible(label),
    }
}

/// A part of the most as the width of a bar.
pub(super) fn share(n: u64, most: u64) -> String {
    match n {
        0 => "0".to_owned(),
        n => format!("{}%", (n * 100).div_ceil(most.max(1)).min(100)),
    }
}
