//! The hand-outs of an image in a run, as far as they are known: the newest one, and those that nobody answered.

use crate::{
    FailReason, TaskState, Timestamp,
    ports::{HandOuts, ImageRow},
};

/// How a hand-out ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has not: the worker holds the image.
    Held,
    /// By a result or an error, of this hand-out or late of one before it.
    Answered,
    /// Its lease was over without an answer.
    Unanswered,
    /// The image went back untried.
    GivenBack,
}

impl End {
    /// The wire value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Answered => "answered",
            Self::Unanswered => "unanswered",
            Self::GivenBack => "given_back",
        }
    }
}

/// A hand-out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOut {
    /// To whom.
    pub worker: String,
    /// When.
    pub at: Timestamp,
    /// How it ended.
    pub end: End,
}

/// Returns what is noted of a hand-out that ended without an answer, behind what was noted before.
#[must_use]
pub fn noted(history: &str, worker: &str, at: Timestamp) -> String {
    let separator = if history.is_empty() { "" } else { ", " };
    format!("{history}{separator}{worker} at {at}")
}

/// Reads what was noted. A name may have all that stands between two of them, so each ends at its time; what was cut off is none.
fn unanswered(history: &str) -> Vec<HandOut> {
    let mut found = Vec::new();
    let (mut from, mut searched) = (0, 0);
    while let Some(at) = history[searched..].find(" at ").map(|at| searched + at) {
        searched = at + 1;
        let rest = &history[at + " at ".len()..];
        let text = rest.split(',').next().unwrap_or_default();
        let time = Timestamp::parse(text)
            .ok()
            .filter(|time| time.to_string() == text);
        let Some(time) = time else { continue };
        found.push(HandOut {
            worker: history[from..at].to_owned(),
            at: time,
            end: End::Unanswered,
        });
        let behind = &rest[text.len()..];
        from = history.len() - behind.strip_prefix(", ").unwrap_or(behind).len();
        searched = from;
    }
    found
}

/// Returns the hand-outs of an image in its run, the oldest first. Of those that were given back only the newest is known.
#[must_use]
pub fn known(image: &ImageRow, of: &HandOuts) -> Vec<HandOut> {
    let mut all = unanswered(&of.history);
    let Some((worker, at)) = image
        .worker
        .clone()
        .zip(of.granted_at)
        .filter(|_| image.attempts > 0)
    else {
        return all;
    };
    if all
        .last()
        .is_some_and(|last| last.worker == worker && last.at == at)
    {
        return all;
    }
    let end = match (image.in_flight, image.state, image.reason) {
        (true, ..) => End::Held,
        (_, TaskState::Pending, _) => End::GivenBack,
        (_, _, Some(FailReason::Lost)) => End::Unanswered,
        _ => End::Answered,
    };
    all.push(HandOut { worker, at, end });
    all
}
