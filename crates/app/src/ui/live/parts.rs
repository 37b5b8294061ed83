//! Which parts of a job's pages are to be read again. The stream tells, and no page asks by itself.

use std::time::Duration;

use trapline_core::JobId;

use crate::http::{ApiError, Params};

/// A part by its word, how often it is read again at the most, and how often if no number of the job has changed.
const PARTS: [(&str, u64, Option<u64>); 7] = [
    ("failures", 5, None),
    ("groups", 5, None),
    // They take and give back images without a result.
    ("workers", 5, Some(10)),
    ("why", 10, Some(30)),
    ("chart", 15, None),
    ("facts", 15, None),
    // What is counted follows behind the numbers.
    ("counted", 10, Some(10)),
];

struct Part {
    word: &'static str,
    every: Duration,
    anyway: Option<Duration>,
    told: Duration,
    is_due: bool,
}

/// Refuses parts that there are not.
///
/// # Errors
/// 400, naming the first one.
pub(super) fn check(params: &Params) -> Result<(), ApiError> {
    let asked = params.list("parts");
    let unknown = asked
        .iter()
        .find(|word| !PARTS.iter().any(|(known, ..)| known == *word));
    unknown.map_or(Ok(()), |word| {
        Err(ApiError::invalid(format!("`{word}` is not a part")))
    })
}

/// The parts of one job that a page shows.
pub(super) struct Parts {
    pub(super) job: JobId,
    parts: Vec<Part>,
}

impl Parts {
    /// Those that a page has, of which it has just read all.
    pub(super) fn read(job: JobId, params: &Params, now: Duration) -> Self {
        Self::of(job, &params.list("parts"), now)
    }

    fn of(job: JobId, asked: &[&str], now: Duration) -> Self {
        let known = PARTS.iter().filter(|(word, ..)| asked.contains(word));
        let part = |(word, every, anyway): &(&'static str, u64, Option<u64>)| Part {
            word,
            every: Duration::from_secs(*every),
            anyway: anyway.map(Duration::from_secs),
            told: now,
            is_due: false,
        };
        Self {
            job,
            parts: known.map(part).collect(),
        }
    }

    /// Numbers of the job are others than before.
    pub(super) fn changed(&mut self) {
        for part in &mut self.parts {
            part.is_due = true;
        }
    }

    /// The words of those that are to be read again now.
    pub(super) fn due(&mut self, now: Duration) -> Vec<&'static str> {
        let mut due = Vec::new();
        for part in &mut self.parts {
            let since = now.saturating_sub(part.told);
            let is_over = part.anyway.is_some_and(|anyway| since >= anyway);
            if is_over || part.is_due && since >= part.every {
                (part.is_due, part.told) = (false, now);
                due.push(part.word);
            }
        }
        due
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<&'static str> {
        self.parts.iter().map(|part| part.word).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_due_when_its_job_has_changed_and_no_more_often_than_it_may() {
        let at = Duration::from_secs;
        let mut parts = Parts::of(JobId(1), &["chart", "why", "all"], at(0));
        assert_eq!(parts.all(), ["why", "chart"]);
        parts.changed();
        assert!(parts.due(at(9)).is_empty());
        assert_eq!(parts.due(at(10)), ["why"]);
        assert_eq!(parts.due(at(15)), ["chart"]);
        assert!(parts.due(at(39)).is_empty(), "nothing has changed");
        assert_eq!(parts.due(at(40)), ["why"], "others may have changed");
    }
}
