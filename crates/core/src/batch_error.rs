//! The crash of a whole batch, which ADC reports as the same error on each of its images (docs/rules.md B8). It says that
//! one of them is bad, not which one; so their tasks become suspects, handed out one at a time, instead of failing.

use std::collections::HashMap;

use crate::{
    ports::Posted,
    task::{DETAIL_MAX_CHARS, cut},
};

/// The beginning of such an error.
pub const PREFIX: &str = "Batch processing error";

/// Whether an error may be one of a whole batch: whoever reads a post holds it until its end, when it is known
/// whether the same one came again.
#[must_use]
pub fn may_be(error: &str) -> bool {
    error.starts_with(PREFIX)
}

/// Of the errors of one post, those that are the crash of a whole batch: two or more with the same text that begins
/// with [`PREFIX`]. In the order of the errors.
#[must_use]
pub fn repeated(errors: &[&str]) -> Vec<bool> {
    let mut times: HashMap<&str, usize> = HashMap::new();
    for error in errors.iter().filter(|e| may_be(e)) {
        *times.entry(error).or_default() += 1;
    }
    errors
        .iter()
        .map(|e| times.get(e).is_some_and(|n| *n > 1))
        .collect()
}

/// What the errors of one post are to be settled as, in their order. `max_deliver` is the budget of strikes.
#[must_use]
pub fn posted(errors: &[&str], max_deliver: i64) -> Vec<Posted> {
    let of_batch = repeated(errors);
    errors
        .iter()
        .zip(of_batch)
        .map(|(error, of_batch)| {
            let detail = cut(error, DETAIL_MAX_CHARS);
            if of_batch {
                Posted::BatchError { detail, max_deliver }
            } else {
                Posted::Fail {
                    reason: crate::FailReason::WorkerError,
                    detail,
                }
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_batch_error_twice_is_the_crash_of_a_batch() {
        let (oom, other) = (
            "Batch processing error: CUDA out of memory",
            "cannot identify image file",
        );
        assert_eq!(
            repeated(&[oom, other, oom, "Batch processing error: else", other]),
            [true, false, true, false, false]
        );
        assert_eq!(repeated(&[oom]), [false], "alone, it names its image");
        assert_eq!(repeated(&[]), [false; 0]);
    }

    #[test]
    fn what_is_not_repeated_fails_its_task() {
        let posted = posted(&["Batch processing error", "x", "Batch processing error"], 2);
        assert!(matches!(posted[0], Posted::BatchError { max_deliver: 2, .. }));
        assert!(matches!(posted[1], Posted::Fail { .. }));
        assert!(matches!(posted[2], Posted::BatchError { .. }));
    }
}
