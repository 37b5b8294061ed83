//! The bar of a job: its four numbers, side by side.

use trapline_core::{counts::Counts, words::count};

/// The bar is drawn in so many units.
const UNITS: u64 = 1_000;
/// A part that is not empty has at least so many, or one failed image of a million would not be seen.
const PART_MIN: u64 = 6;

/// A part of the bar.
pub(super) struct Part {
    /// Its class, which has its colour and pattern.
    pub(super) class: &'static str,
    /// What it counts.
    pub(super) word: &'static str,
    pub(super) n: String,
    /// From the left, in tenths of a per cent.
    from: u64,
    units: u64,
}

impl Part {
    pub(super) fn x(&self) -> String {
        per_cent(self.from)
    }

    pub(super) fn width(&self) -> String {
        per_cent(self.units)
    }
}

fn per_cent(units: u64) -> String {
    format!("{}.{}%", units / 10, units % 10)
}

/// The parts of a bar, from the left: processed, failed, in flight, waiting.
pub(super) struct Bar {
    pub(super) parts: [Part; 4],
    /// Settled images, in whole per cent; 100 only if all are.
    pub(super) percent: u64,
}

impl Bar {
    pub(super) fn new(c: &Counts) -> Self {
        let numbers = [c.processed, c.failed, c.in_flight, c.pending];
        let units = units(numbers);
        let part = |at: usize, class, word| Part {
            class,
            word,
            n: count(numbers[at]),
            from: units[..at].iter().sum(),
            units: units[at],
        };
        let settled = u128::from(c.processed + c.failed);
        let percent = settled * 100 / u128::from(c.total.max(1));
        Self {
            parts: [
                part(0, "processed", "processed"),
                part(1, "failed", "failed"),
                part(2, "in-flight", "in flight"),
                part(3, "waiting", "waiting"),
            ],
            percent: u64::try_from(percent).unwrap_or(100),
        }
    }
}

/// Shares of the units. What small parts have more than their share is taken from the largest.
fn units(numbers: [u64; 4]) -> [u64; 4] {
    let total: u128 = numbers.iter().map(|n| u128::from(*n)).sum();
    if total == 0 {
        return [0; 4];
    }
    let mut units = numbers.map(|n| {
        let share = u128::from(n) * u128::from(UNITS) / total;
        let share = u64::try_from(share).unwrap_or(UNITS);
        if n == 0 { 0 } else { share.max(PART_MIN) }
    });
    let sum: u64 = units.iter().sum();
    let largest = (0..4).max_by_key(|at| units[*at]).unwrap_or(0);
    units[largest] = (units[largest] + UNITS) - sum;
    units
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn three_of_a_million_are_seen_and_one_that_is_missing_too() {
        assert_eq!(units([999_997, 3, 0, 0]), [994, 6, 0, 0]);
        assert_eq!(units([999_999, 0, 1, 0]), [994, 0, 6, 0]);
        assert_eq!(units([0; 4]), [0; 4]);
        assert_eq!(units([37_996, 3, 384, 11_617]), [755, 6, 7, 232]);
    }

    proptest! {
        #[test]
        fn a_bar_is_full_and_each_part_that_is_not_empty_is_seen(numbers in proptest::array::uniform4(0..=u64::MAX / 4)) {
            let units = units(numbers);
            for (n, units) in numbers.iter().zip(units) {
                prop_assert_eq!(*n == 0, units == 0);
                prop_assert!(units == 0 || units >= PART_MIN);
            }
            let sum: u64 = units.iter().sum();
            prop_assert!(sum == UNITS || numbers == [0; 4]);
        }
    }
}
