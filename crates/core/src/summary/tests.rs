use super::*;
use crate::JobStatus;

fn of(status: JobStatus, run: i64, detections: u64) -> Of {
    Of {
        run,
        status,
        collected: true,
        detections,
        processed: 3,
        zone: 0,
    }
}

fn state(run: i64, phase: Phase, seen: u64, against: Option<u64>) -> State {
    State {
        run,
        version: 1,
        phase,
        at: START,
        seen,
        against,
        processed: against.map(|_| 3),
        zone: 0,
        images: [0; 4],
        as_of: Timestamp(0),
    }
}

fn begin(detections: u64) -> Step {
    Step::Begin(Some(Ended {
        detections,
        processed: 3,
    }))
}

#[test]
fn a_summary_follows_the_first_run_and_begins_at_the_landing_of_a_later_one() {
    let running = of(JobStatus::Started, 1, 5);
    assert_eq!(step(&running, None), Step::Begin(None));
    let counting = state(1, Phase::Detections, 5, None);
    assert_eq!(step(&running, Some(&counting)), Step::Slice(Phase::Detections));
    let again = of(JobStatus::Started, 2, 5);
    assert_eq!(
        (step(&again, None), step(&again, Some(&counting))),
        (Step::Nothing, Step::Nothing)
    );
    let landed = of(JobStatus::Success, 2, 5);
    assert_eq!(step(&landed, Some(&counting)), begin(5));
    let created = Of {
        collected: false,
        ..of(JobStatus::Created, 1, 0)
    };
    assert_eq!(step(&created, None), Step::Nothing);
}

#[test]
fn what_came_behind_the_watermark_is_counted_by_beginning_anew_once() {
    let landed = of(JobStatus::Success, 1, 5);
    let short = state(1, Phase::Detections, 4, None);
    assert_eq!(at_the_end(&landed, &short), begin(5));
    assert_eq!(at_the_end(&of(JobStatus::Started, 1, 5), &short), Step::Nothing);
    // Rows that are not there are not found by looking again.
    let again = state(1, Phase::Detections, 4, Some(5));
    assert_eq!(at_the_end(&landed, &again), Step::Turn(Phase::Done));
    assert_eq!(
        step(&landed, Some(&state(1, Phase::Done, 4, Some(5)))),
        Step::Nothing
    );
    let late = of(JobStatus::Success, 1, 6);
    assert_eq!(step(&late, Some(&state(1, Phase::Done, 5, Some(5)))), begin(6));
}

#[test]
fn a_score_has_its_bin_and_a_time_its_night() {
    let bins = [Some(1.0), Some(0.96), Some(0.95), Some(0.0), None].map(bin);
    assert_eq!(bins, [0, 0, 1, 19, 20]);
    let at = |text: &str| Zone::default().half_hour(TakenAt::parse(text).unwrap());
    let evening = at("2022-06-23T22:10:00");
    assert_eq!(at("2022-06-23T22:10:00+05:00"), evening);
    assert_eq!(starts(evening), "2022-06-23T22:00");
    assert_eq!(night(evening).1, 20);
    assert_eq!(night(at("2022-06-24T11:59:59")), (night(evening).0, 47));
    assert_eq!(night(at("2022-06-24T12:00:00")), (night(evening).0 + 1, 0));
    assert_eq!(noon(night(evening).0), at("2022-06-23T12:00:00"));
}

#[test]
fn photographs_are_counted_again_at_the_end_of_a_run_and_all_is_when_the_zone_changes() {
    let landed = of(JobStatus::Success, 1, 5);
    let followed = state(1, Phase::Detections, 5, None);
    assert_eq!(at_the_end(&landed, &followed), Step::Turn(Phase::Photographs));
    let again = followed.turned(Phase::Photographs, &landed);
    assert_eq!(
        (again.photographs(), again.shown_photographs()),
        (PROCESSED, PHOTOGRAPHS)
    );
    let counted = again.with_photographs();
    assert_eq!(at_the_end(&landed, &counted), Step::Turn(Phase::Done));
    let done = counted.turned(Phase::Done, &landed);
    assert_eq!(
        (step(&landed, Some(&done)), done.shown_photographs()),
        (Step::Nothing, PROCESSED)
    );
    // A result after the landing.
    let corrected = Of {
        processed: 4,
        ..landed
    };
    let anew = Step::Begin(Some(Ended {
        detections: 5,
        processed: 4,
    }));
    assert_eq!(step(&corrected, Some(&done)), anew);
    let moved = Of { zone: 7, ..landed };
    assert_eq!(step(&moved, Some(&done)), begin(5));
    let running = Of {
        zone: 7,
        ..of(JobStatus::Started, 1, 5)
    };
    assert_eq!(step(&running, Some(&followed)), Step::Begin(None));
    // Of a later run the summary of the one before stays as it is until that has ended.
    let later = Of { run: 2, ..running };
    assert_eq!(step(&later, Some(&done)), Step::Nothing);
}
