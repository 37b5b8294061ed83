use super::*;

const S: i64 = 1_000_000;
const HOUR: i64 = 3_600;
const STEPS: [i64; 6] = [
    HOUR,
    -HOUR,
    48 * HOUR,
    -48 * HOUR,
    365 * 24 * HOUR,
    -365 * 24 * HOUR,
];

fn up(seconds: u64, boot: Option<u128>) -> Uptime {
    Uptime {
        boot,
        at: Duration::from_secs(seconds),
    }
}

/// The store's clock shows `wall`, at an uptime.
fn reading(wall: i64, uptime: u64) -> Reading {
    Reading {
        wall: Timestamp(wall * S),
        before: up(uptime, Some(1)),
        after: up(uptime, Some(1)),
    }
}

/// The timeline after a first heartbeat at 1,000,000 s, uptime 100 s.
fn began() -> Timeline {
    Timeline::default().advance(None, &reading(1_000_000, 100))
}

fn seconds(timeline: &Timeline) -> i64 {
    timeline.alive_at.unwrap().0 / S
}

#[test]
fn while_the_clocks_agree_the_timeline_is_the_stores_clock() {
    let first = began();
    let own = first.anchor.unwrap();
    let next = first.advance(Some(&own), &reading(1_000_001, 101));
    assert_eq!((seconds(&next), next.offset, next.step), (1_000_001, 0, None));
    // A second or two of correction is no step; back, time waits.
    let late = next.advance(next.anchor.as_ref(), &reading(1_000_003, 102));
    assert_eq!((seconds(&late), late.step), (1_000_003, None));
    let back = late.advance(late.anchor.as_ref(), &reading(1_000_002, 103));
    assert_eq!((seconds(&back), back.offset, back.step), (1_000_003, 0, None));
}

#[test]
fn a_step_of_any_length_is_absorbed_while_a_node_runs_and_when_one_starts_on_the_same_machine() {
    for by in STEPS {
        let first = began();
        for own in [first.anchor.as_ref(), None] {
            let next = first.advance(own, &reading(1_000_010 + by, 110));
            assert_eq!((seconds(&next), next.offset), (1_000_010, -by * S), "by {by}");
            assert_eq!(next.step.unwrap().by, by * S);
            // It is set right again.
            let again = next.advance(next.anchor.as_ref(), &reading(1_000_020, 120));
            assert_eq!((seconds(&again), again.offset), (1_000_020, 0), "by {by}");
        }
    }
}

#[test]
fn a_node_that_finds_a_step_absorbed_does_not_absorb_it_again() {
    for by in STEPS {
        let first = began();
        let (a, b) = (first.anchor.unwrap(), first.anchor.unwrap());
        let noticed = first.advance(Some(&a), &reading(1_000_001 + by, 101));
        let other = noticed.advance(Some(&b), &reading(1_000_002 + by, 102));
        assert_eq!((seconds(&other), other.offset), (1_000_002, noticed.offset));
        assert_eq!(other.step, noticed.step);
    }
}

#[test]
fn a_slow_answer_and_a_long_pause_are_no_steps() {
    let first = began();
    // The node was stopped for a minute, and the store took ten more to answer.
    let slow = Reading {
        wall: Timestamp(1_000_063 * S),
        before: up(160, Some(1)),
        after: up(170, Some(1)),
    };
    let next = first.advance(first.anchor.as_ref(), &slow);
    assert_eq!((seconds(&next), next.step), (1_000_063, None));
    // Its machine was stopped, uptime and all, while another node was here each second.
    let other = Timeline {
        alive_at: Some(Timestamp(1_000_600 * S)),
        ..first
    };
    let next = other.advance(first.anchor.as_ref(), &reading(1_000_601, 101));
    assert_eq!((seconds(&next), next.step), (1_000_601, None));
}

#[test]
fn after_a_start_of_the_machine_a_clock_that_is_behind_was_set_back_and_one_that_is_ahead_is_believed() {
    let first = began();
    let anew = |wall| Reading {
        wall: Timestamp(wall * S),
        before: up(5, Some(2)),
        after: up(5, Some(2)),
    };
    for by in STEPS {
        let next = first.advance(None, &anew(1_000_000 + by));
        if by < 0 {
            assert_eq!((seconds(&next), next.step.unwrap().by), (1_000_000, by * S));
        } else {
            assert_eq!((seconds(&next), next.step), (1_000_000 + by, None));
        }
    }
    // Uptimes that can't be compared are as another machine's.
    let unknown = Reading {
        before: up(200, None),
        after: up(200, None),
        ..anew(2_000_000)
    };
    assert_eq!(seconds(&first.advance(None, &unknown)), 2_000_000);
}

#[test]
fn people_are_shown_the_stores_clock_and_told_of_the_step_in_words() {
    let back = began().advance(None, &reading(1_000_010 - 48 * HOUR, 110));
    let at = shown(back.alive_at.unwrap(), back.offset);
    assert_eq!(at.0 / S, 1_000_010 - 48 * HOUR);
    assert_eq!(
        back.step.unwrap().words(),
        "the store's clock was set back by 2 d; leases, delays and ages go on as if it had not been"
    );
    let step = Step {
        at,
        by: (HOUR + 61) * S,
    };
    assert!(step.words().contains("set forward by 1 h 1 min;"));
}
