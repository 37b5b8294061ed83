//! Whether a neck lies between two insects, or between limbs of one.
//!
//! No one sign is enough. Two insects that touch are thicker than the neck between them, leave a notch on either side of it,
//! differ in colour, and are each symmetrical; a limb sticks out of what it belongs to. So the signs are weighed against each
//! other. The weights were fitted to moths cut out of photographs and put side by side, and to single ones.

use super::basins::Basins;
use super::contrast::Contrast;
use super::mask::{Part, hull_area};
use super::symmetry::{Mirror, Shape};

type Pixels = Vec<(i32, i32)>;

/// What is less thick, or has fewer pixels, is no body of its own, in working pixels.
const BODY_RADIUS_MIN: f32 = 6.5;
const BODY_PIXELS_MIN: usize = 140;
/// Insects have few necks. What has more is leaves or a patterned cloth, and each neck costs a look at all pixels.
const NECKS_MAX: usize = 32;
/// Limbs up to twice as wide don't count for the shape of a body, in working pixels.
const LIMB_RADIUS: f32 = 2.0;
/// No neck is taken for narrower, in working pixels: what is pale may be missing from it.
const NECK_RADIUS_MIN: f32 = 2.0;
/// An insect with spread wings is as symmetrical as this, and one that is cut only at a very narrow neck.
const SYMMETRICAL: f32 = 0.85;
const VERY_SYMMETRICAL: f32 = 0.93;
const TIMES_NARROW: f32 = 1.6;
/// Symmetry is measured as exactly as this.
const SYMMETRY_GRAIN: f32 = 0.02;
/// Axes that are less good by this are axes of the same shape.
const AXIS_GRAIN: f32 = 0.03;
/// A wing has its twin on the other side of a whole that is at least this symmetrical, to this share.
const TWINS_SYMMETRY_MIN: f32 = 0.8;
const TWIN_SHARE: f32 = 0.7;
/// The body between two wings has less than this share of their thickness.
const BODY_TO_WING: f32 = 0.87;
/// What has less than this share of a wing's pixels is no body, but what the twins differ in.
const BETWEEN_SHARE: f32 = 0.35;
/// If nothing is between them, twins are two insects if each fills this share of its convex hull.
const ROUND_MIN: f32 = 0.88;

/// A head, or what else lies on the axis of an insect, is at least this many times smaller than the rest.
const HEAD_TIMES: f32 = 6.0;
/// Between round bodies that touch the hull of both is larger than theirs by this share.
const NOTCH_MIN: f32 = 0.035;

/// What is seen at a neck.
struct Signs {
    /// How many times as thick as the neck the thinner side is.
    times: f32,
    /// By what share of its convex hull the whole is larger than the hulls of both sides.
    notch: f32,
    /// The same as a share of the smaller hull: how far that sticks out.
    jut: f32,
    /// The distance of the mean colours, in levels of 255.
    colour: f32,
    /// The share of both sides that has a mirror image on its own side.
    symmetry: f32,
}

impl Signs {
    /// How much speaks for two insects; 1 is enough.
    fn weight(&self) -> f32 {
        1.25 * self.times.min(3.0).ln()
            + 3.4 * self.notch.clamp(0.0, 0.25)
            + 1.1 * self.colour.min(60.0) / 100.0
            + 2.45 * (self.symmetry - 0.8)
            - 0.41 * self.jut.min(1.5)
    }
}

/// What lies on one side of a neck, without limbs.
struct Side {
    body: Pixels,
    /// How deep each of its pixels is, and the deepest.
    depths: Vec<f32>,
    peak: f32,
    hull_area: f32,
}

impl Side {
    fn of(part: &Part, basins: &Basins, is_own: impl Fn(usize) -> bool) -> Self {
        let (mut body, mut depths) = (Vec::new(), Vec::new());
        for (at, (pixel, depth)) in part.pixels.iter().zip(&basins.depths).enumerate() {
            if *depth > LIMB_RADIUS && is_own(at) {
                body.push(*pixel);
                depths.push(*depth);
            }
        }
        Self {
            peak: depths.iter().copied().fold(0.0, f32::max),
            hull_area: hull_area(&body),
            body,
            depths,
        }
    }

    /// The share of its convex hull that it fills.
    fn roundness(&self) -> f32 {
        self.body.len() as f32 / self.hull_area.max(1.0)
    }
}

/// The pixels of two insects that touch, or of two groups of them; nothing for a single insect.
pub(super) fn two_insects(part: &Part, contrast: &Contrast, contrast_min: f32) -> Option<[Pixels; 2]> {
    let basins = Basins::of(part, contrast);
    if basins.necks.is_empty() || basins.necks.len() > NECKS_MAX {
        return None;
    }
    let whole = Side::of(part, &basins, |_| true);
    let basin = |label: usize| Side::of(part, &basins, |at| basins.basins[at] == label);
    // Where every basin is round each may be an insect; else only some of them together may be one.
    let is_heap = basins
        .labels()
        .into_iter()
        .all(|label| basin(label).roundness() >= ROUND_MIN);
    // What the edge cuts off has no twin, so that a body with one wing looks like two insects.
    let is_at_edge = is_at_edge(part, contrast);
    let mut mirrors = None;
    let mut best: Option<(f32, Vec<bool>)> = None;
    for (at, neck) in basins.necks.iter().enumerate() {
        let beyond = basins.beyond(at);
        let sides = [false, true].map(|side| Side::of(part, &basins, |at| beyond[at] == side));
        let met = is_heap.then(|| [basin(neck.sides.0), basin(neck.sides.1)]);
        let judged = met.as_ref().unwrap_or(&sides);
        let is_body = |side: &Side| side.peak >= BODY_RADIUS_MIN && side.body.len() >= BODY_PIXELS_MIN;
        // A side that is too pale for an insect would be lost.
        let is_seen = |side: &Side| contrast.mean(&side.body) >= contrast_min;
        let is_cut_off = is_at_edge && thinner(judged) < BODY_TO_WING;
        if is_cut_off || !judged.iter().all(|side| is_body(side) && is_seen(side)) {
            continue;
        }
        let signs = signs(judged, neck.radius, contrast);
        let weight = if is_heap && signs.notch >= NOTCH_MIN {
            1.0 + signs.notch
        } else {
            signs.weight()
        };
        if weight < 1.0 || best.as_ref().is_some_and(|(most, _)| *most >= weight) {
            continue;
        }
        let mirrors = mirrors.get_or_insert_with(|| Mirror::all(&whole.body));
        let own = mirrors.iter().map(|mirror| mirror.share).fold(0.0, f32::max);
        if is_one_insect(own, &signs)
            || mirrors
                .iter()
                .filter(|mirror| mirror.share >= own - AXIS_GRAIN)
                .any(|mirror| is_wing(&sides, mirror) || is_head(&sides, mirror))
        {
            continue;
        }
        best = Some((weight, beyond));
    }
    let (_, beyond) = best?;
    Some([false, true].map(|side| {
        let pixels = part.pixels.iter().zip(&beyond);
        let pixels = pixels.filter(|(_, is_beyond)| **is_beyond == side);
        pixels.map(|(pixel, _)| *pixel).collect()
    }))
}

/// The thickness of the thinner side as a share of the other's.
fn thinner([one, other]: &[Side; 2]) -> f32 {
    one.peak.min(other.peak) / one.peak.max(other.peak)
}

/// Whether the picture's edge cuts the part off.
fn is_at_edge(part: &Part, contrast: &Contrast) -> bool {
    let (bounds, picture) = (part.bounds(), &contrast.difference);
    bounds.is_at_side(picture.width as i32) || bounds.is_at_end(picture.height as i32)
}

fn small_and_large([one, other]: &[Side; 2]) -> (&Side, &Side) {
    if one.body.len() < other.body.len() {
        (one, other)
    } else {
        (other, one)
    }
}

fn signs(sides: &[Side; 2], neck_radius: f32, contrast: &Contrast) -> Signs {
    let [one, other] = sides.each_ref().map(|side| side.body.len() as f32);
    let both: Pixels = sides.iter().flat_map(|side| side.body.iter().copied()).collect();
    let hull = hull_area(&both);
    let hulls = sides[0].hull_area + sides[1].hull_area;
    Signs {
        times: sides[0].peak.min(sides[1].peak) / neck_radius.max(NECK_RADIUS_MIN),
        notch: 1.0 - hulls / hull,
        jut: (hull - hulls) / sides[0].hull_area.min(sides[1].hull_area),
        colour: contrast.colours_apart(&sides[0].body, &sides[1].body),
        symmetry: (Mirror::of(&sides[0].body).share * one + Mirror::of(&sides[1].body).share * other)
            / (one + other),
    }
}

/// Whether the whole is so symmetrical, and the sides are so much less so, that it is an insect with spread wings.
fn is_one_insect(own_symmetry: f32, signs: &Signs) -> bool {
    let is_symmetrical =
        own_symmetry >= VERY_SYMMETRICAL || (own_symmetry >= SYMMETRICAL && signs.times < TIMES_NARROW);
    is_symmetrical && signs.symmetry < own_symmetry - SYMMETRY_GRAIN
}

/// Whether the smaller side is a head, or what else an insect has on its axis.
fn is_head(sides: &[Side; 2], mirror: &Mirror) -> bool {
    let (head, rest) = small_and_large(sides);
    mirror.share >= TWINS_SYMMETRY_MIN
        && head.body.len() as f32 * HEAD_TIMES <= rest.body.len() as f32
        && mirror.share_onto(&head.body, &Shape::of(&head.body)) >= TWIN_SHARE
}

/// Whether one side is a wing: the whole is symmetrical, the wing has a twin on the other side, and what is left between them
/// is a thinner body, or there is nothing between them and they are not round.
fn is_wing(sides: &[Side; 2], mirror: &Mirror) -> bool {
    if mirror.share < TWINS_SYMMETRY_MIN {
        return false;
    }
    let (wing, rest) = small_and_large(sides);
    let own = Shape::of(&wing.body);
    if mirror.share_onto(&wing.body, &Shape::of(&rest.body)) < TWIN_SHARE {
        return false;
    }
    let between = rest
        .body
        .iter()
        .zip(&rest.depths)
        .filter(|(pixel, _)| !own.holds(mirror.image(**pixel)));
    let (mut pixels, mut thickness) = (0_u32, 0.0_f32);
    for (_, depth) in between {
        pixels += 1;
        thickness = thickness.max(*depth);
    }
    if (pixels as f32) < BETWEEN_SHARE * wing.body.len() as f32 {
        return !sides.iter().all(|side| side.roundness() >= ROUND_MIN);
    }
    thickness < BODY_TO_WING * wing.peak
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOUCHING: Signs = Signs {
        times: 1.6,
        notch: 0.12,
        jut: 0.4,
        colour: 20.0,
        symmetry: 0.9,
    };

    #[test]
    fn a_narrow_neck_with_a_notch_between_symmetrical_bodies_parts_two_insects() {
        assert!(TOUCHING.weight() > 1.0);
    }

    #[test]
    fn no_single_sign_is_missing_without_another_in_its_place() {
        let broad = Signs {
            times: 1.1,
            ..TOUCHING
        };
        assert!(broad.weight() < 1.0);
        assert!(
            Signs {
                notch: 0.2,
                colour: 60.0,
                ..broad
            }
            .weight()
                > 1.0
        );
        let lopsided = Signs {
            symmetry: 0.65,
            ..TOUCHING
        };
        assert!(lopsided.weight() < 1.0);
        assert!(
            Signs {
                times: 2.6,
                ..lopsided
            }
            .weight()
                > 1.0
        );
    }

    #[test]
    fn what_sticks_out_far_is_a_limb() {
        assert!(Signs { jut: 1.5, ..TOUCHING }.weight() < 1.0);
    }
}
