//! Sorts insects into length classes: what can be said about an insect without knowing it.

use super::Insect;

/// The classes from short to long.
pub const BODY_LENGTH_CLASSES: [&str; 5] = ["tiny", "small", "medium", "large", "very_large"];

/// Where the next class begins: the longest side of the box as a share of the picture's longer side.
const CLASS_STARTS: [f64; 4] = [0.01, 0.025, 0.05, 0.1];

/// The least score of the class that holds. Above one half, so that no other can reach it, not even where
/// two classes meet.
const SCORE_MIN: f32 = 0.52;

/// How often a length doubles until a class border no longer matters.
const BORDER_REACH: f32 = 0.5;

/// The length class of an insect, and how near it is to the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BodyLength {
    /// Index into [`BODY_LENGTH_CLASSES`].
    pub label: usize,
    /// One score for each class. They sum to 1, and that of `label` is always the largest.
    pub scores: [f32; 5],
}

/// Classes an insect by the longest side of its box, as a share of the picture's longer side:
/// tiny < 1%, small < 2.5%, medium < 5%, large < 10%, else very large.
pub fn body_length(insect: &Insect, width: u32, height: u32) -> BodyLength {
    let longest = f64::from((insect.x2 - insect.x1).max(insect.y2 - insect.y1)).max(0.0);
    let share = longest / f64::from(width.max(height).max(1));
    let label = CLASS_STARTS.iter().filter(|start| share >= **start).count();
    let below = label
        .checked_sub(1)
        .map_or(0.0, |border| nearness(share, CLASS_STARTS[border]));
    let above = CLASS_STARTS
        .get(label)
        .map_or(0.0, |border| nearness(share, *border));

    let mut scores = [0.0; 5];
    let spare = (1.0 - SCORE_MIN) / (below + above).max(1.0);
    if label > 0 {
        scores[label - 1] = spare * below;
    }
    if label < CLASS_STARTS.len() {
        scores[label + 1] = spare * above;
    }
    scores[label] = 1.0 - scores.iter().sum::<f32>();
    BodyLength { label, scores }
}

/// One at a border, falling towards zero away from it, alike for halves and doubles.
fn nearness(share: f64, border: f64) -> f32 {
    let doublings = (share.max(1e-9) / border).log2() as f32;
    (-(doublings / BORDER_REACH).powi(2)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insect(width: f32, height: f32) -> Insect {
        Insect {
            x1: 0.0,
            y1: 0.0,
            x2: width,
            y2: height,
            score: 0.5,
        }
    }

    #[test]
    fn the_largest_score_is_that_of_the_class_by_the_rule_for_every_length() {
        for side in [1_u32, 100, 999, 1000, 4096] {
            for tenth in 0..=side * 10 {
                let length = tenth as f32 / 10.0;
                let share = f64::from(length) / f64::from(side);
                let expected = match share {
                    _ if share < 0.01 => 0,
                    _ if share < 0.025 => 1,
                    _ if share < 0.05 => 2,
                    _ if share < 0.1 => 3,
                    _ => 4,
                };
                let result = body_length(&insect(length, length / 2.0), side, side / 2);
                let others = (0..5).filter(|class| *class != result.label);
                assert_eq!(result.label, expected, "{length} of {side}");
                assert!(
                    others
                        .into_iter()
                        .all(|class| result.scores[class] < result.scores[result.label])
                );
                assert!((result.scores.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                assert!(result.scores.iter().all(|score| (0.0..=1.0).contains(score)));
            }
        }
    }

    #[test]
    fn a_length_on_a_border_belongs_to_the_longer_class_and_nearly_to_the_shorter() {
        let result = body_length(&insect(10.0, 25.0), 1000, 800);
        assert_eq!(BODY_LENGTH_CLASSES[result.label], "medium");
        assert!(result.scores[1] > 0.3);
    }

    #[test]
    fn a_picture_without_pixels_still_gets_a_class() {
        assert_eq!(body_length(&insect(0.0, 0.0), 0, 0).label, 0);
    }
}
