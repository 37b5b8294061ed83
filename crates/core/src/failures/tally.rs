//! How the groups of runs change. A store counts them with the tasks, in the same transaction, so that they are exact however many
//! images failed.

use std::collections::BTreeMap;

use super::{GroupId, Kind};
use crate::{CaptureId, FailReason, JobId};

/// How many groups of a run are told apart. What fails otherwise after that is in one group for each reason.
pub const GROUPS_MAX: usize = 100;

/// A run of a job.
pub type RunKey = (JobId, i64);

/// The change of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The group.
    pub kind: Kind,
    /// By how much its number changes.
    pub n: i64,
    /// One of the images that were added.
    pub sample: CaptureId,
}

/// How the groups of runs change.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<RunKey, BTreeMap<GroupId, Step>>);

impl Tally {
    /// Counts an image that failed.
    pub fn add(&mut self, run: RunKey, kind: Kind, capture: CaptureId) {
        let step = self.step(run, kind.id, kind.reason);
        step.n += 1;
        step.sample = capture;
        step.kind = kind;
    }

    /// Takes back an image that had failed: it is processed now, or failed for another reason.
    pub fn remove(&mut self, run: RunKey, group: GroupId, reason: FailReason) {
        self.step(run, group, reason).n -= 1;
    }

    fn step(&mut self, run: RunKey, id: GroupId, reason: FailReason) -> &mut Step {
        let steps = self.0.entry(run).or_default();
        steps.entry(id).or_insert(Step {
            // Only what is added needs a text.
            kind: Kind {
                id,
                reason,
                text: String::new(),
            },
            n: 0,
            sample: CaptureId(0),
        })
    }

    /// Images of a run that failed for the same reason.
    #[must_use]
    pub fn of(run: RunKey, kind: &Kind, captures: &[CaptureId]) -> Self {
        let mut tally = Self::default();
        for capture in captures {
            tally.add(run, kind.clone(), *capture);
        }
        tally
    }

    /// Whether no group changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The runs that change.
    pub fn runs(&self) -> impl Iterator<Item = RunKey> {
        self.0.keys().copied()
    }

    /// The changes of a run that has these groups. A group is never removed, so an image is taken back from where it was counted.
    #[must_use]
    pub fn steps(&self, run: RunKey, known: &[GroupId]) -> Vec<Step> {
        let mut placed: BTreeMap<GroupId, Step> = BTreeMap::new();
        let mut there = known.len();
        let changes = self.0.get(&run).into_iter().flat_map(BTreeMap::values);
        for step in changes.filter(|step| step.n != 0) {
            let is_known = known.contains(&step.kind.id);
            let is_new = !is_known && step.n > 0 && there < GROUPS_MAX;
            there += usize::from(is_new);
            let kind = match is_known || is_new {
                true => step.kind.clone(),
                false => Kind::rest(step.kind.reason),
            };
            // It failed before its run was counted: else its own group or, of a run that has the most groups, the rest is known.
            let is_rest = known.len() >= GROUPS_MAX && known.contains(&kind.id);
            if step.n < 0 && !is_known && !is_rest {
                continue;
            }
            let into = placed.entry(kind.id).or_insert(Step {
                kind,
                n: 0,
                sample: step.sample,
            });
            into.n += step.n;
        }
        placed.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: RunKey = (JobId(7), 1);

    fn kind(text: &str) -> Kind {
        Kind::of(FailReason::WorkerError, text)
    }

    #[test]
    fn what_fails_and_is_processed_at_once_changes_no_group() {
        let mut tally = Tally::default();
        tally.add(RUN, kind("too dark"), CaptureId(1));
        tally.remove(RUN, kind("too dark").id, FailReason::WorkerError);
        assert!(tally.steps(RUN, &[]).is_empty());
        tally.add(RUN, kind("too dark"), CaptureId(2));
        let steps = tally.steps(RUN, &[]);
        assert_eq!((steps.len(), steps[0].n, steps[0].sample), (1, 1, CaptureId(2)));
    }

    #[test]
    fn what_failed_before_its_run_was_counted_is_taken_from_no_group() {
        let mut tally = Tally::default();
        tally.remove(RUN, kind("too dark").id, FailReason::WorkerError);
        assert!(tally.steps(RUN, &[]).is_empty());
    }

    #[test]
    fn beyond_the_most_groups_a_failure_is_counted_in_the_rest_and_taken_back_from_there() {
        let texts: Vec<String> = (0..GROUPS_MAX + 2)
            .map(|n| format!("word{}", "x".repeat(n)))
            .collect();
        let mut tally = Tally::default();
        for text in &texts {
            tally.add(RUN, kind(text), CaptureId(1));
        }
        let steps = tally.steps(RUN, &[]);
        let rest = Kind::rest(FailReason::WorkerError).id;
        let known: Vec<GroupId> = steps.iter().map(|step| step.kind.id).collect();
        let n = |id: GroupId, steps: &[Step]| steps.iter().find(|s| s.kind.id == id).map(|s| s.n);
        assert_eq!((known.len(), n(rest, &steps)), (GROUPS_MAX + 1, Some(2)));

        let mut later = Tally::default();
        for text in &texts {
            later.remove(RUN, kind(text).id, FailReason::WorkerError);
        }
        let steps = later.steps(RUN, &known);
        assert_eq!((steps.len(), n(rest, &steps)), (GROUPS_MAX + 1, Some(-2)));
    }
    /// So many groups, with their names.
    fn groups(n: usize) -> Vec<Kind> {
        (0..n).map(|n| kind(&format!("word{}", "x".repeat(n)))).collect()
    }

    fn ids(kinds: &[Kind]) -> Vec<GroupId> {
        kinds.iter().map(|kind| kind.id).collect()
    }

    fn added(kinds: &[Kind]) -> Tally {
        let mut tally = Tally::default();
        for kind in kinds {
            tally.add(RUN, kind.clone(), CaptureId(1));
        }
        tally
    }

    #[test]
    fn groups_that_a_run_has_take_their_place_once_and_new_ones_what_is_left() {
        let kinds = groups(GROUPS_MAX + 1);
        let (all, known) = (added(&kinds), ids(&kinds));
        let names = |steps: Vec<Step>| steps.into_iter().map(|step| step.kind.id).collect::<Vec<_>>();
        let full = names(all.steps(RUN, &known[..GROUPS_MAX]));
        let rest = Kind::rest(FailReason::WorkerError).id;
        assert!(full.contains(&rest) && !full.contains(&known[GROUPS_MAX]));
        let room = names(added(&kinds[..GROUPS_MAX]).steps(RUN, &known[..1]));
        assert!(room.len() == GROUPS_MAX && !room.contains(&rest));
    }

    #[test]
    fn what_was_never_counted_takes_no_place_and_nothing_from_the_rest() {
        let kinds = groups(GROUPS_MAX + 40);
        let (new, uncounted) = kinds.split_at(GROUPS_MAX);
        let rest = Kind::rest(FailReason::WorkerError);
        let mut tally = added(new);
        for kind in uncounted {
            tally.remove(RUN, kind.id, FailReason::WorkerError);
        }
        let steps = tally.steps(RUN, &[]);
        assert!(steps.len() == GROUPS_MAX && steps.iter().all(|step| step.n == 1));
        let mut tally = added(std::slice::from_ref(&rest));
        tally.remove(RUN, uncounted[0].id, FailReason::WorkerError);
        let steps = tally.steps(RUN, &[rest.id]);
        assert_eq!(
            (steps.len(), steps[0].n),
            (1, 1),
            "a run of few groups has no rest"
        );
        let mut tally = added(&uncounted[..20]);
        for kind in &uncounted[20..] {
            tally.remove(RUN, kind.id, FailReason::WorkerError);
        }
        let steps = tally.steps(RUN, &ids(new));
        assert_eq!((steps.len(), steps[0].n), (1, 20), "no image is in the rest yet");
    }
    #[test]
    fn failures_without_a_detail_are_one_of_the_most_groups_and_what_is_not_told_apart_is_with_them() {
        let mut kinds = groups(GROUPS_MAX);
        let other = kinds.pop().unwrap();
        let rest = Kind::rest(FailReason::WorkerError);
        kinds.push(rest.clone());
        let steps = added(std::slice::from_ref(&other)).steps(RUN, &ids(&kinds));
        assert_eq!((steps.len(), steps[0].kind.id, steps[0].n), (1, rest.id, 1));
        let mut back = Tally::default();
        back.remove(RUN, other.id, FailReason::WorkerError);
        let steps = back.steps(RUN, &ids(&kinds));
        assert_eq!((steps.len(), steps[0].kind.id, steps[0].n), (1, rest.id, -1));
    }
}
