//! A detection in the list of an image.

use trapline_core::ports::{ClassificationRow, DetectionRow};

use super::{
    super::{page::PageResult, words::visible},
    asked::Asked,
    labels::Colours,
    picture::{Picture, letter},
};
use crate::http::AppState;

/// Classes that are named for a detection and a classifier.
const TOP: usize = 5;

pub(super) struct Class {
    pub(super) algorithm: String,
    pub(super) label: String,
    pub(super) score: String,
    /// The labels with the highest scores, if they were asked for.
    pub(super) top: Vec<(String, String)>,
    /// The logits of those labels, if it has any.
    pub(super) logits: Vec<(String, String)>,
}

pub(super) struct Entry {
    pub(super) n: i64,
    pub(super) letter: String,
    pub(super) colour: u32,
    pub(super) label: String,
    pub(super) detector: String,
    /// For the slider; empty if it has none.
    pub(super) exact: String,
    pub(super) score: String,
    pub(super) size: String,
    pub(super) is_below: bool,
    /// Whether it has the label that is asked for, whatever its score.
    pub(super) is_labelled: bool,
    /// The part of the photograph, as `x y width height`.
    pub(super) crop: Option<String>,
    pub(super) classes: Vec<Class>,
    /// The page that names more classes.
    pub(super) more: Option<String>,
}

fn score_text(score: Option<f32>) -> String {
    score.map_or_else(|| "–".to_owned(), |score| format!("{score:.2}"))
}

pub(super) async fn entry(
    app: &AppState,
    asked: &Asked,
    (picture, colours): (&Picture, &Colours),
    at: usize,
    d: &DetectionRow,
) -> PageResult<Entry> {
    let (label, score) = (d.label().unwrap_or_default(), d.best_score());
    let mut classes = Vec::new();
    let mut is_scored = false;
    for class in &d.classifications {
        is_scored |= !class.scores.is_empty();
        let (top, logits) = top(app, class).await?;
        classes.push(Class {
            algorithm: visible(&class.algorithm),
            label: visible(&class.label),
            score: score_text(class.score),
            top,
            logits,
        });
    }
    let shape = picture.shapes.iter().find(|shape| shape.n == d.id.n);
    let is_shown = picture.is_sized && picture.src.is_some();
    Ok(Entry {
        n: d.id.n,
        letter: letter(at),
        colour: colours.colour(label),
        label: match label {
            "" => "no label".to_owned(),
            label => visible(label),
        },
        detector: visible(&d.detector),
        exact: score.map_or_else(String::new, |score| score.to_string()),
        score: score_text(score),
        size: match (shape, d.bbox) {
            (Some(shape), Some(_)) => shape.pixels(),
            _ => "whole image".to_owned(),
        },
        is_below: !asked.place.filter.takes(d),
        is_labelled: asked.place.filter.label.as_deref() == Some(label),
        crop: shape.filter(|_| is_shown).map(|shape| picture.crop(shape)),
        more: (!classes.is_empty() && !is_scored).then(|| {
            format!(
                "{}#d{}",
                asked.path(asked.image, "", &[("top", d.id.n.to_string())]),
                d.id.n
            )
        }),
        classes,
    })
}

/// Labels, each with a number in words.
type Numbered = Vec<(String, String)>;

/// The labels of a classification with the highest scores, and their logits.
async fn top(app: &AppState, class: &ClassificationRow) -> PageResult<(Numbered, Numbered)> {
    if class.scores.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let labels = match &class.labels {
        Some(labels) => labels.clone(),
        None => {
            let found = app.catalog.algorithms(None, &[class.algorithm_id]).await?;
            let map = found
                .into_iter()
                .find_map(|algorithm| algorithm.spec.category_map);
            map.map(|map| map.labels).unwrap_or_default()
        }
    };
    let mut scored: Vec<_> = class.scores.iter().copied().enumerate().collect();
    scored.truncate(labels.len());
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    scored.truncate(TOP);
    let named = |at: usize, number: String| (visible(&labels[at]), number);
    let logits = scored.iter().filter_map(|(at, _)| {
        let logit = class.logits.get(*at)?;
        Some(named(*at, format!("{logit:.3}")))
    });
    let logits = logits.collect();
    let top = scored
        .iter()
        .map(|(at, score)| named(*at, score_text(Some(*score))));
    Ok((top.collect(), logits))
}
