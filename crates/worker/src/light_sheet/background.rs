//! What the bare sheet would look like: the light without the insects.
//!
//! A lamp lights the sheet unevenly, often with a burnt-out middle and dark corners, and one large moth
//! can cover a tenth of it. So a smooth surface is fitted to the whole sheet, from which insects are left
//! out as outliers; what the surface gets wrong is then corrected from the bare sheet nearby. The surface
//! bridges what is covered, the correction follows what is not.

use super::plane::{Plane, quantile};

/// The longer side on which the sheet is modelled, in cells. Light changes slowly; more cells cost time.
const CELLS: usize = 160;
/// Terms of the surface: all products of powers of x and y up to the fourth degree together.
const TERMS: usize = 15;
/// Columns of the equations: the terms, and one right side for each channel.
const COLUMNS: usize = TERMS + 3;
/// The terms in use, fit by fit, each without the outliers of the fit before. It begins stiff, with a flat
/// sheet, and bends only once large insects are known for outliers; else it would bend to them.
const FREE_TERMS: [usize; 12] = [1, 1, 3, 3, 6, 6, 6, 10, 10, TERMS, TERMS, TERMS];
/// The least spread that is believed, in levels of 255: below it, quantised values have none at all.
const SPREAD_MIN: f32 = 1.5;
/// Cells further from the surface than this many spreads have no say in the fit.
const OUTLIER_SPREADS: f32 = 4.5;
/// Reach of the local correction in cells, for each of its three passes.
const REACH: usize = 5;
/// The say of the surface against that of the bare sheet nearby, as a share of the reach that is bare.
const SURFACE_WEIGHT: f32 = 0.06;

/// Estimates the bare sheet, channel by channel, with the size of the channels given.
///
/// The channels share one judgement of what is bare, so that a green moth, which is as bright as the
/// sheet, does not colour it.
pub(super) fn bare_sheet(channels: &[Plane; 3]) -> [Plane; 3] {
    let small = channels.each_ref().map(|channel| channel.shrink(CELLS));
    let terms = surface_terms(small[0].width, small[0].height);
    let mut weights = vec![1.0_f32; small[0].values.len()];
    let mut surfaces = small.clone();
    for free in FREE_TERMS {
        surfaces = fit_surfaces(&small, &terms, &weights, free);
        weights = inlier_weights(&small, &surfaces);
    }
    let mut sheets = surfaces.clone();
    for _ in 0..3 {
        for channel in 0..3 {
            sheets[channel] = correct_locally(&small[channel], &surfaces[channel], &weights);
        }
        weights = inlier_weights(&small, &sheets);
    }
    sheets
        .each_ref()
        .map(|sheet| sheet.stretch(channels[0].width, channels[0].height))
}

fn surface_terms(width: usize, height: usize) -> Vec<[f32; TERMS]> {
    let scale = 2.0 / width.max(height) as f32;
    let mut terms = Vec::with_capacity(width * height);
    for row in 0..height {
        let y = (row as f32 + 0.5 - height as f32 / 2.0) * scale;
        for column in 0..width {
            let x = (column as f32 + 0.5 - width as f32 / 2.0) * scale;
            let mut cell = [0.0; TERMS];
            let mut at = 0;
            for degree in 0..=4 {
                for power in 0..=degree {
                    cell[at] = x.powi(degree - power) * y.powi(power);
                    at += 1;
                }
            }
            terms.push(cell);
        }
    }
    terms
}

/// Fits one surface to each channel, with the first `free` terms.
///
/// Least squares by the normal equations, in `f64` since their numbers span many magnitudes. The channels
/// share one matrix, and so most of the work.
fn fit_surfaces(channels: &[Plane; 3], terms: &[[f32; TERMS]], weights: &[f32], free: usize) -> [Plane; 3] {
    let mut matrix = [[0.0_f64; COLUMNS]; TERMS];
    for (at, (cell, weight)) in terms.iter().zip(weights).enumerate() {
        if *weight <= 0.0 {
            continue;
        }
        for row in 0..free {
            let factor = f64::from(cell[row] * weight);
            for column in row..free {
                matrix[row][column] += factor * f64::from(cell[column]);
            }
            for (channel, sum) in channels.iter().zip(&mut matrix[row][TERMS..]) {
                *sum += factor * f64::from(channel.values[at]);
            }
        }
    }
    // A little pull of every term but the constant towards zero keeps the surface from soaring where an
    // insect covers a whole corner and nothing else holds it.
    let pull = 1e-4 * terms.len() as f64;
    for (at, row) in matrix.iter_mut().enumerate() {
        row[at] += if at == 0 { 1e-9 } else { pull };
    }
    let solution = solve(matrix);
    [0, 1, 2].map(|channel| {
        let height = |cell: &[f32; TERMS]| {
            (0..free)
                .map(|row| f64::from(cell[row]) * solution[row][channel])
                .sum::<f64>() as f32
        };
        Plane {
            values: terms.iter().map(height).collect(),
            ..channels[channel]
        }
    })
}

/// Gauss elimination of a symmetric matrix, of which only the upper half is read.
///
/// It is positive definite by the pull above, so no pivot is sought.
fn solve(mut matrix: [[f64; COLUMNS]; TERMS]) -> [[f64; 3]; TERMS] {
    for pivot in 0..TERMS {
        let head = matrix[pivot];
        for (at, row) in matrix.iter_mut().enumerate().skip(pivot + 1) {
            let factor = head[at] / head[pivot];
            for (value, above) in row.iter_mut().zip(&head).skip(at) {
                *value -= factor * above;
            }
        }
    }
    let mut solution = [[0.0; 3]; TERMS];
    for row in (0..TERMS).rev() {
        for channel in 0..3 {
            let known: f64 = (row + 1..TERMS)
                .map(|column| matrix[row][column] * solution[column][channel])
                .sum();
            solution[row][channel] = (matrix[row][TERMS + channel] - known) / matrix[row][row];
        }
    }
    solution
}

/// One for a cell that looks like bare sheet, falling to zero for one that does not.
fn inlier_weights(channels: &[Plane; 3], sheets: &[Plane; 3]) -> Vec<f32> {
    let mut worst = vec![0.0_f32; channels[0].values.len()];
    for (channel, sheet) in channels.iter().zip(sheets) {
        let off: Vec<f32> = channel
            .values
            .iter()
            .zip(&sheet.values)
            .map(|(value, bare)| (value - bare).abs())
            .collect();
        // The median of absolute differences is 0.67 standard deviations of normal noise.
        let spread = (quantile(&mut off.clone(), 0.5) * 1.48).max(SPREAD_MIN);
        for (worst, off) in worst.iter_mut().zip(off) {
            *worst = worst.max(off / (spread * OUTLIER_SPREADS));
        }
    }
    worst
        .into_iter()
        .map(|share| {
            if share < 1.0 {
                (1.0 - share * share).powi(2)
            } else {
                0.0
            }
        })
        .collect()
}

fn correct_locally(channel: &Plane, surface: &Plane, weights: &[f32]) -> Plane {
    let mut off = channel.clone();
    let mut bare = channel.clone();
    for (at, weight) in weights.iter().enumerate() {
        off.values[at] = (channel.values[at] - surface.values[at]) * weight;
        bare.values[at] = *weight;
    }
    for _ in 0..3 {
        off = off.box_blur(REACH);
        bare = bare.box_blur(REACH);
    }
    let mut sheet = surface.clone();
    for (at, value) in sheet.values.iter_mut().enumerate() {
        *value += off.values[at] / (bare.values[at] + SURFACE_WEIGHT);
    }
    sheet
}
