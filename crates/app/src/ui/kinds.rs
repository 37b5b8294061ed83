//! Failed images by why they failed: how many, whose and when, and what somebody can do.

use trapline_core::{
    FailReason, Timestamp,
    failures::Group,
    ports::Job,
    words::{count, counted},
};
use trapline_engine::Failures;

use super::{
    images::Filter,
    words::{Time, visible},
};

/// Failed images that failed for the same reason.
pub(super) struct Kind {
    pub(super) count: String,
    pub(super) text: String,
    pub(super) reason: &'static str,
    pub(super) workers: String,
    pub(super) first: Option<Time>,
    pub(super) last: Option<Time>,
    pub(super) help: &'static str,
    pub(super) path: String,
    /// The page of one of its images.
    pub(super) sample: String,
    pub(super) is_on: bool,
}

impl Kind {
    /// `looked_at` are the images whose workers are known, if those are not all.
    pub(super) fn new(filter: &Filter, group: Group, looked_at: Option<u64>, now: Timestamp) -> Self {
        let name = group.id.to_string();
        let of = Filter {
            group: Some(name.clone()),
            ..filter.whole()
        };
        let time = |at: Option<Timestamp>| at.map(|at| Time::new(at, now));
        Self {
            count: count(group.count),
            reason: reason_word(group.reason),
            workers: workers(&group, looked_at),
            first: time(group.first_at),
            last: time(group.last_at),
            help: help(group.reason),
            path: of.path("", None),
            sample: format!("/jobs/{}/results/{}", filter.job, group.sample),
            is_on: filter.group.as_ref() == Some(&name),
            text: match group.text.as_str() {
                _ if group.is_rest => "other details".to_owned(),
                "" => "no detail".to_owned(),
                text => visible(text),
            },
        }
    }
}

/// Whose images they were: three workers at the most.
fn workers(group: &Group, looked_at: Option<u64>) -> String {
    let known: u64 = group.workers.iter().map(|(_, n)| n).sum();
    match group.workers.as_slice() {
        [] => String::new(),
        [(name, n)] if *n == group.count => format!("all by {}", visible(name)),
        all => {
            let named = all.iter().take(3);
            let named: Vec<String> = named
                .map(|(name, n)| format!("{} {}", visible(name), count(*n)))
                .collect();
            let others = known - all.iter().take(3).map(|(_, n)| n).sum::<u64>();
            let others = if others > 0 {
                format!(", others {}", count(others))
            } else {
                String::new()
            };
            let of = looked_at.map_or_else(String::new, |n| format!("of the first {}, ", count(n)));
            format!("{of}by {}{others}", named.join(", "))
        }
    }
}

pub(super) fn reason_word(reason: FailReason) -> &'static str {
    match reason {
        FailReason::WorkerError => "error of the worker",
        FailReason::Lost => "lost",
        FailReason::InvalidResult => "result can't be saved",
        FailReason::NoUrl => "no address",
    }
}

/// What somebody can do.
fn help(reason: FailReason) -> &'static str {
    match reason {
        FailReason::WorkerError => {
            "The worker reported this. Open one of the images: if it does not load, the photographs have moved, or need a network \
             that you or the worker is not in. If all are by one worker, look at that machine. Then retry."
        }
        FailReason::Lost => {
            "These were handed out, and no answer came each time. Either the image makes its worker fail (it is broken, or too \
             large), or the machine went away: see whose they were, then retry."
        }
        FailReason::InvalidResult => {
            "The worker answered, and its result could not be saved: the detail says why. A retry helps when the worker is mended."
        }
        FailReason::NoUrl => {
            "These images have no address from which a worker could load them. A retry does not help."
        }
    }
}

/// How many images were looked at, if those are not all that failed.
pub(super) fn looked_at(failures: &Failures) -> Option<u64> {
    Some(failures.examined).filter(|_| failures.more)
}

/// What groups are made from, if that is not all.
pub(super) fn partly(failures: &Failures, job: &Job) -> Option<String> {
    let (some, all) = (
        count(failures.examined),
        counted(job.counts.failed, "failed image"),
    );
    (!failures.is_whole).then(|| format!("of the first {some} of {all}"))
}
