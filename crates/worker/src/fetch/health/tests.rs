use super::*;
use crate::time;

const SECOND: Duration = Duration::from_secs(1);

fn throttled(seconds: u64) -> Failure {
    Failure::Throttled(Some(Duration::from_secs(seconds)))
}

fn tries(count: u32, first_failed_at: Instant) -> Tries {
    Tries {
        count,
        first_failed_at: Some(first_failed_at),
    }
}

#[test]
fn a_wait_that_is_asked_for_is_every_images_wait_and_has_a_bound() {
    let (limits, now) = (FetchLimits::default(), time::now());
    for (asked, obeyed) in [(7, 7), (86_400, 60)] {
        let mut host = Health::new();
        assert_eq!(host.turn(now, now, &limits), Turn::Now);
        host.failed(throttled(asked), now, now, &limits);
        assert_eq!(host.turn(now, now, &limits), Turn::At(now + SECOND * obeyed));
        assert_eq!(host.turn(now, now + SECOND * obeyed, &limits), Turn::Now);
    }
}

#[test]
fn requests_at_once_are_halved_when_the_host_slows_down_and_grow_again() {
    let (limits, now) = (FetchLimits::default(), time::now());
    let mut host = Health::new();
    // Those that ran together are slowed down together; that counts once.
    for _ in 0..5 {
        host.failed(Failure::Silent, now, now + SECOND, &limits);
    }
    assert_eq!(host.at_once, AT_ONCE_FIRST / 2);
    for n in 2..10 {
        host.failed(Failure::Silent, now + SECOND * n, now + SECOND * n, &limits);
    }
    assert_eq!(host.at_once, 1);
    for _ in 0..3 {
        host.answered(now);
    }
    assert_eq!(host.at_once, 3);
    for _ in 0..100_000 {
        host.answered(now);
    }
    assert_eq!(host.at_once, AT_ONCE_MAX);
}

#[test]
fn no_more_run_at_once_than_may() {
    let (limits, now) = (FetchLimits::default(), time::now());
    let mut host = Health::new();
    for _ in 0..AT_ONCE_FIRST {
        assert_eq!(host.turn(now, now, &limits), Turn::Now);
        host.start();
    }
    assert_eq!(host.turn(now, now, &limits), Turn::Later);
    host.end();
    assert_eq!(host.turn(now, now, &limits), Turn::Now);
}

#[test]
fn one_reset_holds_up_nobody_else_and_three_in_a_row_do() {
    let (limits, now) = (FetchLimits::default(), time::now());
    let mut host = Health::new();
    host.failed(Failure::Trouble, now, now, &limits);
    host.failed(Failure::Trouble, now, now, &limits);
    assert_eq!(host.turn(now, now, &limits), Turn::Now);
    host.failed(Failure::Trouble, now, now, &limits);
    assert!(matches!(host.turn(now, now, &limits), Turn::At(_)));
}

#[test]
fn a_host_that_never_answered_is_given_up_soon_and_one_that_did_is_awaited() {
    let (limits, now) = (FetchLimits::default(), time::now());
    for (answered_before, patience) in [(false, limits.patience_unknown), (true, limits.patience)] {
        let mut host = Health::new();
        if answered_before {
            host.answered(now);
        }
        host.failed(Failure::Trouble, now, now, &limits);
        let (before, after) = (now + patience - SECOND, now + patience);
        let first = tries(100, now + SECOND);
        assert!(!host.is_enough(first, Failure::Trouble, before, &limits));
        assert!(host.is_enough(first, Failure::Trouble, after, &limits));
        // Once it is given up, those that wait end with the try of one, but none with a try from before it came.
        host.failed(Failure::Trouble, after, after, &limits);
        assert_eq!(host.turn(now, after, &limits), Turn::GivenUp);
        let later = after + SECOND;
        assert_eq!(host.turn(later, later, &limits), Turn::At(after + WAIT_GIVEN_UP));
        assert_eq!(host.turn(now, after + WAIT_LONGEST * 2, &limits), Turn::Now);
        host.answered(after + WAIT_LONGEST * 2);
        assert_eq!(host.turn(now, after + WAIT_LONGEST * 3, &limits), Turn::Now);
    }
}

#[test]
fn a_host_that_asks_to_wait_is_awaited_though_it_never_answered() {
    let (limits, now) = (FetchLimits::default(), time::now());
    let mut host = Health::new();
    host.failed(throttled(30), now, now, &limits);
    let image = tries(100, now);
    let end = now + limits.patience_asked;
    assert!(!host.is_enough(image, throttled(30), end - SECOND, &limits));
    assert!(host.is_enough(image, throttled(30), end, &limits));
}

#[test]
fn a_file_that_alone_fails_is_asked_for_a_few_times() {
    let (limits, now) = (FetchLimits::default(), time::now());
    for failure in [Failure::OfFile, Failure::Trouble, Failure::Silent] {
        let mut host = Health::new();
        host.failed(failure, now, now, &limits);
        host.answered(now);
        if failure != Failure::OfFile {
            let had_begun = "what was asked for before it failed says nothing";
            assert!(
                !host.is_enough(tries(limits.tries, now), failure, now + SECOND, &limits),
                "{had_begun}"
            );
        }
        host.answered(now + SECOND);
        assert!(!host.is_enough(tries(limits.tries - 1, now), failure, now + SECOND, &limits));
        assert!(host.is_enough(tries(limits.tries, now), failure, now + SECOND, &limits));
    }
}

#[test]
fn people_hear_of_a_long_wait_once_and_of_its_end() {
    let (limits, now) = (FetchLimits::default(), time::now());
    let mut host = Health::new();
    assert_eq!(host.failed(throttled(1), now, now, &limits), None);
    assert_eq!(host.failed(throttled(30), now, now, &limits), Some(News::Waiting));
    assert_eq!(host.failed(throttled(30), now, now, &limits), None);
    assert_eq!(host.answered(now), Some(News::Back));
    assert_eq!(host.answered(now), None);
}
