//! A plane of numbers with the size of an image, and the few local averages the detector needs.
//!
//! Invariant: `values.len() == width * height`, row by row.

/// A rectangular grid of `f32`.
#[derive(Clone)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f32>,
}

impl Plane {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            values: vec![0.0; width * height],
        }
    }

    /// Shrinks to about `longer_side` pixels by averaging the pixels of every cell.
    ///
    /// A plane that is already as small is returned as it is.
    pub(super) fn shrink(&self, longer_side: usize) -> Self {
        let factor = self.width.max(self.height).div_ceil(longer_side.max(1)).max(1);
        let mut small = Self::new(self.width.div_ceil(factor), self.height.div_ceil(factor));
        for y in 0..small.height {
            let rows = y * factor..((y + 1) * factor).min(self.height);
            for x in 0..small.width {
                let columns = x * factor..((x + 1) * factor).min(self.width);
                let mut sum = 0.0;
                for row in rows.clone() {
                    let start = row * self.width;
                    sum += self.values[start + columns.start..start + columns.end]
                        .iter()
                        .sum::<f32>();
                }
                small.values[y * small.width + x] = sum / (rows.len() * columns.len()) as f32;
            }
        }
        small
    }

    /// Stretches to the given size, with straight lines between the centres of the cells.
    pub(super) fn stretch(&self, width: usize, height: usize) -> Self {
        let mut large = Self::new(width, height);
        let across: Vec<_> = (0..width).map(|x| between(x, width, self.width)).collect();
        for y in 0..height {
            let (top, bottom, down) = between(y, height, self.height);
            let upper = &self.values[top * self.width..][..self.width];
            let lower = &self.values[bottom * self.width..][..self.width];
            for (value, &(left, right, along)) in large.values[y * width..][..width].iter_mut().zip(&across) {
                let above = upper[left] + (upper[right] - upper[left]) * along;
                let below = lower[left] + (lower[right] - lower[left]) * along;
                *value = above + (below - above) * down;
            }
        }
        large
    }

    /// Averages over a square of `2 * radius + 1` pixels, cut off at the edges of the plane.
    pub(super) fn box_blur(&self, radius: usize) -> Self {
        let mut rows = self.clone();
        for y in 0..self.height {
            let line = y * self.width..(y + 1) * self.width;
            running_mean(&self.values[line.clone()], &mut rows.values[line], radius);
        }
        let mut blurred = rows.clone();
        let mut column = vec![0.0; self.height];
        let mut mean = vec![0.0; self.height];
        for x in 0..self.width {
            for (y, value) in column.iter_mut().enumerate() {
                *value = rows.values[y * self.width + x];
            }
            running_mean(&column, &mut mean, radius);
            for (y, value) in mean.iter().enumerate() {
                blurred.values[y * self.width + x] = *value;
            }
        }
        blurred
    }
}

/// The two cells between whose centres position `at` of a line of `size` falls, and how far along.
fn between(at: usize, size: usize, cells: usize) -> (usize, usize, f32) {
    let position = (at as f32 + 0.5) * cells as f32 / size as f32 - 0.5;
    let position = position.clamp(0.0, (cells - 1) as f32);
    let low = position as usize;
    (low, (low + 1).min(cells - 1), position - low as f32)
}

fn running_mean(line: &[f32], mean: &mut [f32], radius: usize) {
    let mut sum: f64 = line.iter().take(radius).map(|value| f64::from(*value)).sum();
    let mut count = radius.min(line.len());
    for at in 0..line.len() {
        if let Some(entering) = line.get(at + radius) {
            sum += f64::from(*entering);
            count += 1;
        }
        if at > radius {
            sum -= f64::from(line[at - radius - 1]);
            count -= 1;
        }
        mean[at] = (sum / count as f64) as f32;
    }
}

/// The value with `share` of the others below it; reorders the list; 0 for an empty one.
pub(super) fn quantile(values: &mut [f32], share: f32) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let rank = ((values.len() - 1) as f32 * share) as usize;
    *values.select_nth_unstable_by(rank, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_plane_stays_flat_when_shrunk_blurred_and_stretched() {
        let flat = Plane {
            width: 13,
            height: 7,
            values: vec![4.0; 91],
        };
        let result = flat.shrink(5).box_blur(2).stretch(13, 7);
        assert!(result.values.iter().all(|value| (value - 4.0).abs() < 1e-5));
    }

    #[test]
    fn a_blur_averages_only_what_lies_within_the_plane() {
        let plane = Plane {
            width: 3,
            height: 1,
            values: vec![0.0, 3.0, 6.0],
        };
        assert_eq!(plane.box_blur(1).values, [1.5, 3.0, 4.5]);
        assert_eq!(plane.box_blur(9).values, [3.0, 3.0, 3.0]);
    }
}
