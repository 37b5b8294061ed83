//! Signs of life: decides which leases of a worker its answers keep alive (docs/rules.md A3).
//!
//! A worker may be many processes behind one token and address, and each may take what it holds in another order. So
//! an answer keeps alive everything that was reserved no earlier than the oldest task that was answered lately, not
//! only what was reserved no earlier than its own task. A lease that no process gets to within two leases still ends.
//! Reservations within a twentieth of a lease have no order: which of several loaders was served first says nothing.

use std::time::Duration;

use super::{Gap, deadline};
use crate::Timestamp;

/// A lease is divided into so many slots; the answers within one slot are remembered as one.
const SLOTS: u32 = 4;
/// An answer also keeps alive what was reserved before its task, by up to this part of a lease. That is longer than the loaders
/// of a starting worker are apart, and shorter than a process takes to start again: what a dead one held is not to live on by
/// the answers of its successor.
const NEAR: u32 = 20;
/// The smallest difference between two times.
const INSTANT: Duration = Duration::from_micros(1);

/// The signs of life of a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignsOfLife {
    /// The oldest reservation among the tasks that were answered within the last lease. What was reserved since then
    /// lives until `extended_until`.
    pub extend_from: Timestamp,
    /// One lease after the last answer. Signs of life keep nothing alive beyond that.
    pub extended_until: Timestamp,
    /// The answers of the last two leases, without those that others make redundant. Both times grow from one to the
    /// next.
    pub answers: Vec<Answer>,
}

/// One answer, and what it keeps alive as long as others follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Shortly before its task was reserved, by a twentieth of a lease. What was reserved since then lives until `until`.
    pub reserved_at: Timestamp,
    /// At most two leases after the answer.
    pub until: Timestamp,
}

impl SignsOfLife {
    /// Returns until when they keep a lease alive that was reserved at that time; `None` if they don't.
    #[must_use]
    pub fn until(&self, reserved_at: Timestamp) -> Option<Timestamp> {
        if reserved_at >= self.extend_from {
            return Some(self.extended_until);
        }
        let older = self.answers.iter().rev().find(|a| a.reserved_at <= reserved_at);
        older.map(|a| a.until.min(self.extended_until))
    }
}

/// Returns the signs of life after a result for a task reserved at `reserved_at`, at `now`. They revive no lease
/// whose deadline had passed before.
#[must_use]
pub fn extend(
    before: Option<&SignsOfLife>,
    gap: Option<Gap>,
    reserved_at: Timestamp,
    ttr: Duration,
    margin: Duration,
    now: Timestamp,
) -> SignsOfLife {
    let until = now.plus(2 * ttr);
    let lives = |at: &Timestamp| {
        let (deadline, _) = deadline(*at, Timestamp(i64::MIN), before, gap);
        now < deadline.plus(margin)
    };
    let mut answers: Vec<Answer> = before.map_or_else(Vec::new, |l| l.answers.clone());
    answers.retain(|a| lives(&a.reserved_at));
    // Reserved at `oldest` or later: alive by its own deadline, if it had the usual one. At that very moment it is over.
    let mut oldest = now.minus(ttr).minus(margin).plus(INSTANT);
    if let Some(gap) = gap.filter(|g| now < g.grace_until) {
        oldest = oldest.min(gap.from.minus(ttr).minus(margin).plus(INSTANT));
    }
    let kept = before.map(|l| l.extend_from).filter(lives);
    let known = answers.first().map(|a| a.reserved_at);
    let oldest = [kept, known].into_iter().flatten().fold(oldest, Timestamp::min);
    let mut newest = Answer {
        reserved_at: reserved_at.minus(ttr / NEAR).max(oldest),
        until,
    };
    for answer in &mut answers {
        // The store's clock was set back.
        answer.until = answer.until.min(until.plus(ttr / SLOTS));
    }
    let slot = |a: &Answer| a.until.0.div_euclid((ttr / SLOTS).as_micros().max(1) as i64);
    while let Some(last) = answers.last().copied() {
        let newer = last.reserved_at >= newest.reserved_at;
        if !newer && slot(&last) < slot(&newest) {
            break;
        }
        newest.reserved_at = newest.reserved_at.min(last.reserved_at);
        newest.until = newest.until.max(last.until);
        answers.pop();
    }
    answers.push(newest);
    let extended_until = now.plus(ttr);
    let within = answers.iter().find(|a| a.until >= extended_until);
    SignsOfLife {
        extend_from: within.map_or(newest.reserved_at, |a| a.reserved_at),
        extended_until,
        answers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handout::lease::{LeaseEnd, lease_end};
    use proptest::prelude::*;

    const S: i64 = 1_000_000;
    const TTR: Duration = Duration::from_secs(10);
    const MARGIN: Duration = Duration::from_secs(1);
    const NEAR_MICROS: i64 = 10 * S / NEAR as i64;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * S)
    }

    fn after(before: Option<&SignsOfLife>, reserved: i64, now: i64) -> SignsOfLife {
        extend(before, None, at(reserved), TTR, MARGIN, at(now))
    }

    /// The end of a lease of 10 s.
    fn end(granted: i64, life: &SignsOfLife, now: i64) -> LeaseEnd {
        lease_end(at(granted), at(granted + 10), Some(life), None, MARGIN, at(now))
    }

    #[test]
    fn a_result_keeps_what_was_reserved_later_alive_but_not_what_was_skipped() {
        let life = after(None, 5, 9);
        assert_eq!(end(6, &life, 17), LeaseEnd::Alive(at(20)));
        assert_eq!(end(4, &life, 17), LeaseEnd::Over { strike: true });
    }

    #[test]
    fn a_sign_of_life_after_the_deadline_revives_nothing() {
        // Reserved at 0, deadline 10; the worker answers it at 30, when it has long been over.
        assert_eq!(end(0, &after(None, 0, 30), 31), LeaseEnd::Over { strike: true });
    }

    #[test]
    fn unbroken_signs_of_life_keep_a_long_queue_of_leases_alive_in_few_words() {
        let mut life = None;
        for now in 1..100 {
            life = Some(after(life.as_ref(), now / 10, now));
        }
        let life = life.unwrap();
        assert!(matches!(end(9, &life, 100), LeaseEnd::Alive(_)));
        assert!(life.answers.len() <= 11, "{life:?}");
    }

    #[test]
    fn an_answer_does_not_end_what_an_earlier_one_keeps_alive() {
        // Another process behind the same address answers what it reserved later.
        let mut life = after(None, 0, 9);
        for now in 10..29 {
            life = after(Some(&life), 8, now);
            assert!(
                matches!(end(1, &life, now), LeaseEnd::Alive(_)),
                "at {now}: {life:?}"
            );
        }
        // Two leases after the answer, and what a slot may add to that.
        life = after(Some(&life), 8, 33);
        assert_eq!(end(1, &life, 33), LeaseEnd::Over { strike: true });
        assert!(matches!(end(8, &life, 33), LeaseEnd::Alive(_)));
    }

    #[test]
    fn four_loaders_in_turn_lose_nothing_while_a_round_takes_less_than_two_leases() {
        // Each reserved four batches in a row; a batch takes 4.9 s.
        let batches = (0..4).flat_map(|nth| (0..4).map(move |loader| 4 * loader + nth));
        let mut life: Option<SignsOfLife> = None;
        for (done, batch) in batches.enumerate() {
            let (granted, now) = (
                Timestamp(batch * 30_000),
                Timestamp((done as i64 + 1) * 4_900_000),
            );
            let own = granted.plus(TTR);
            let end = lease_end(granted, own, life.as_ref(), None, MARGIN, now);
            assert!(
                matches!(end, LeaseEnd::Alive(_)),
                "batch {batch} at {now}: {life:?}"
            );
            life = Some(extend(life.as_ref(), None, granted, TTR, MARGIN, now));
        }
    }

    #[test]
    fn loaders_that_start_together_are_answered_in_any_order() {
        // Four loaders reserve within 90 ms; the process takes what the last one reserved first, and 4.9 s for each.
        let mut life: Option<SignsOfLife> = None;
        for (done, loader) in (0..4).rev().enumerate() {
            let (granted, now) = (
                Timestamp(loader * 30_000),
                Timestamp((done as i64 + 1) * 4_900_000),
            );
            let end = lease_end(granted, granted.plus(TTR), life.as_ref(), None, MARGIN, now);
            assert!(
                matches!(end, LeaseEnd::Alive(_)),
                "loader {loader} at {now}: {life:?}"
            );
            life = Some(extend(life.as_ref(), None, granted, TTR, MARGIN, now));
        }
    }

    #[test]
    fn what_a_dead_process_held_does_not_live_by_the_answers_of_its_successor() {
        // It died with what it had reserved at 0; the next one reserves a second later, and works.
        let mut life = None;
        for now in 2..11 {
            life = Some(after(life.as_ref(), 1, now));
        }
        assert_eq!(end(0, &life.unwrap(), 11), LeaseEnd::Over { strike: true });
    }

    #[test]
    fn what_lived_through_a_gap_is_extended_by_a_late_answer_within_the_grace() {
        let gap = Some(Gap {
            from: at(25),
            to: at(60),
            grace_until: at(70),
        });
        // Held since 0, and kept alive until the gap began.
        let mut life = after(None, 0, 9);
        life = after(Some(&life), 0, 18);
        life = extend(Some(&life), gap, at(0), TTR, MARGIN, at(65));
        let end = |now| lease_end(at(0), at(10), Some(&life), gap, MARGIN, at(now));
        assert_eq!(end(73), LeaseEnd::Alive(at(76)));
        assert_eq!(end(76), LeaseEnd::Over { strike: false });
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nothing_alive_for_the_length_of_the_step() {
        let ahead = after(None, 3_600, 3_601);
        let mut life = after(Some(&ahead), 0, 1);
        for now in 2..40 {
            life = after(Some(&life), now, now);
        }
        assert_eq!(end(1, &life, 39), LeaseEnd::Over { strike: true });
    }

    /// One answer: its time, and when its task was reserved.
    type Heard = (i64, i64);

    /// Until when a lease reserved at `granted` lives, told from all answers: by its own deadline, and after each answer to
    /// something reserved no later, or hardly later, for one lease, or until one lease after the last answer of the lease that follows. An
    /// answer to what was over keeps alive only what was not.
    fn naive(granted: i64, answers: &[Heard]) -> i64 {
        let (ttr, margin) = (10 * S, S);
        let mut until = granted + ttr;
        for (at, answer) in answers.iter().enumerate() {
            let (now, reserved) = *answer;
            if reserved > granted + NEAR_MICROS || now >= until + margin {
                continue;
            }
            let following = answers[at..].iter().filter(|(t, _)| *t <= now + ttr);
            until = until.max(following.map(|(t, _)| t + ttr).max().unwrap());
        }
        until
    }

    proptest! {
        /// Whatever is answered in whatever order: nothing ends before it does in the naive model, nor later than a slot
        /// after two leases; and what was over stays over.
        #[test]
        fn leases_live_as_in_the_naive_model(
            steps in proptest::collection::vec((0i64..40, 0i64..300), 1..60),
            granted in 0i64..100,
        ) {
            let granted = granted * S / 4;
            let (mut now, mut heard, mut life) = (0, Vec::new(), None::<SignsOfLife>);
            let mut over = false;
            for (passed, back) in steps {
                now += passed * S / 4;
                let reserved = now - back * S / 4;
                if now < granted {
                    continue;
                }
                let deadline = |life: Option<&SignsOfLife>| {
                    super::deadline(Timestamp(granted), Timestamp(granted + 10 * S), life, None).0.0
                };
                over |= now >= deadline(life.as_ref()) + S;
                heard.push((now, reserved));
                life = Some(extend(life.as_ref(), None, Timestamp(reserved), TTR, MARGIN, Timestamp(now)));
                let lives = deadline(life.as_ref());
                prop_assert!(!over || now >= lives + S, "revived at {now}: {life:?}");
                let last = heard.iter().rev().find(|(_, reserved)| *reserved <= granted + NEAR_MICROS);
                let most = last.map_or(granted + 10 * S, |(t, _)| (t + 20 * S).max(granted + 10 * S)) + 10 * S / 4;
                prop_assert!(lives <= most, "{lives} is later than {most}: {life:?}");
                if !over {
                    let least = naive(granted, &heard);
                    prop_assert!(lives >= least.min(now + 10 * S), "{lives} is before {least}: {life:?}");
                }
            }
            prop_assert!(life.is_none_or(|l| l.answers.len() <= 11));
        }
    }
}
