//! The hand-outs of an image in a run, as far as they are known: the newest one, and those that are noted to have ended without a result.

use crate::{
    FailReason, TaskState, Timestamp,
    health::STRICT_DETAIL,
    ports::{HandOuts, ImageRow},
};

/// How a hand-out ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has not: the worker holds the image.
    Held,
    /// By a result or an error, of this hand-out or late of one before it.
    Answered,
    /// Without a result: its lease was over, or an answer left the image to be tried again.
    WithoutResult,
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
            Self::WithoutResult => "without_result",
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

/// Returns what is noted of a hand-out that ended without a result, behind what was noted before.
#[must_use]
pub fn noted(history: &str, worker: &str, at: Timestamp) -> String {
    let separator = if history.is_empty() { "" } else { ", " };
    format!("{history}{separator}{worker} at {at}")
}

/// Reads what was noted. A name may have all that stands between two of them, so each ends at its time; what was cut off is none.
fn read(history: &str) -> Vec<HandOut> {
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
            end: End::WithoutResult,
        });
        let behind = &rest[text.len()..];
        from = history.len() - behind.strip_prefix(", ").unwrap_or(behind).len();
        searched = from;
    }
    found
}

/// How the newest hand-out ended that isn't noted. An outage and the first crash of a batch leave no trace: of an image that once went
/// back, such a hand-out is told as given back too.
fn end(image: &ImageRow, of: &HandOuts) -> End {
    let is_lost = image.reason == Some(FailReason::Lost);
    // The strict policy settles what nobody holds, however its last hand-out ended.
    let is_idle = is_lost && image.detail.as_deref() == Some(STRICT_DETAIL);
    let was_free = is_idle || image.state == TaskState::Pending;
    if image.in_flight {
        End::Held
    } else if was_free && of.given_back + of.returned > 0 {
        End::GivenBack
    } else if was_free || is_lost {
        End::WithoutResult
    } else {
        End::Answered
    }
}

/// Returns the hand-outs of an image in its run, the oldest first. Of those that were given back only the newest is known.
#[must_use]
pub fn known(image: &ImageRow, of: &HandOuts) -> Vec<HandOut> {
    let mut all = read(&of.history);
    let Some((worker, at)) = image
        .worker
        .clone()
        .zip(image.granted_at)
        .filter(|_| image.attempts > 0)
    else {
        return all;
    };
    let end = end(image, of);
    // By its time alone: the worker may have been called otherwise when it was noted. It may have answered after that.
    if let Some(noted) = all.iter_mut().find(|noted| noted.at == at) {
        if end == End::Answered {
            noted.end = end;
        }
        return all;
    }
    all.push(HandOut { worker, at, end });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CaptureId;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000)
    }

    fn image(state: TaskState, in_flight: bool, reason: Option<FailReason>) -> ImageRow {
        ImageRow {
            capture: CaptureId(1),
            url: String::new(),
            state,
            in_flight,
            reason,
            detail: None,
            attempts: 3,
            worker: Some("w".to_owned()),
            holder: None,
            granted_at: Some(at(9)),
            settled_at: None,
            detections: 0,
        }
    }

    #[test]
    fn what_is_noted_is_read_again_whatever_a_worker_is_called() {
        let names = ["gpu-3", "a, b at noon", "at 2026-06-01 at ", ""];
        let mut history = String::new();
        for (n, name) in (1..).zip(names) {
            history = noted(&history, name, at(n));
        }
        let all = read(&history);
        let told: Vec<_> = all.iter().map(|h| (h.worker.as_str(), h.at)).collect();
        let given: Vec<_> = (1..).zip(names).map(|(n, name)| (name, at(n))).collect();
        assert_eq!(told, given);
        let cut = &history[..history.len() - 3];
        assert_eq!(
            read(cut).len(),
            names.len() - 1,
            "a time that was cut off is none"
        );
    }

    #[test]
    fn the_newest_hand_out_ended_as_its_image_says() {
        let of = |history: &str| HandOuts {
            given_back: 0,
            returned: 0,
            history: history.to_owned(),
            lease_until: None,
        };
        for (image, end) in [
            (image(TaskState::Pending, true, None), End::Held),
            (image(TaskState::Pending, false, None), End::WithoutResult),
            (image(TaskState::Processed, false, None), End::Answered),
            (
                image(TaskState::Failed, false, Some(FailReason::WorkerError)),
                End::Answered,
            ),
            (
                image(TaskState::Failed, false, Some(FailReason::Lost)),
                End::WithoutResult,
            ),
        ] {
            let all = known(&image, &of(&noted("", "x", at(1))));
            let ends: Vec<_> = all.iter().map(|h| (h.worker.as_str(), h.end)).collect();
            assert_eq!(ends, [("x", End::WithoutResult), ("w", end)]);
        }
        let pending = image(TaskState::Pending, false, None);
        let lost = image(TaskState::Failed, false, Some(FailReason::Lost));
        let idle = ImageRow {
            detail: Some(STRICT_DETAIL.to_owned()),
            ..lost.clone()
        };
        for (given_back, returned) in [(1, 0), (0, 1)] {
            let of = HandOuts {
                given_back,
                returned,
                ..of("")
            };
            let end = |image| known(image, &of)[0].end;
            assert_eq!(end(&pending), End::GivenBack);
            assert_eq!(end(&idle), End::GivenBack, "nobody was asked for it again");
            assert_eq!(end(&lost), End::WithoutResult);
        }
        assert_eq!(known(&idle, &of(""))[0].end, End::WithoutResult);
        assert_eq!(
            known(&lost, &of(&noted("", "w", at(9)))).len(),
            1,
            "it is told once"
        );
        let renamed = noted(&noted("", "before", at(9)), "x", at(11));
        assert_eq!(
            known(&lost, &of(&renamed)).len(),
            2,
            "nor again under another name, or behind one that was noted since"
        );
        let late = known(&image(TaskState::Processed, false, None), &of(&renamed));
        assert_eq!(late[0].end, End::Answered, "a result came after all");
        let never = ImageRow { attempts: 0, ..lost };
        assert!(known(&never, &of("")).is_empty());
    }
}
