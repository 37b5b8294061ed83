//! What a group of results writes, each case in a few lines (docs/rules.md A8, A9, B8).

use super::*;
use crate::{
    AlgorithmId, GrantId, Timestamp, WorkerId, ports::GrantKey, receipt::Receipt, result::Classification,
};

fn receipt(capture: i64) -> Receipt {
    Receipt {
        job: JobId(1),
        run: 3,
        capture: CaptureId(capture),
        delivery: 2,
        worker: WorkerId(8),
        granted_at: Timestamp(50),
    }
}

/// The task of that receipt, under the lease of grant 7. It had a hand-out in the run before.
fn held() -> TaskView {
    TaskView {
        delivery: 2,
        attempts: 1,
        grant: Some(GrantId(7)),
        ..TaskView::new(3)
    }
}

fn detection(algorithm: i64, classifications: &[i64]) -> Detection {
    let classification = |by: &i64| Classification {
        algorithm: AlgorithmId(*by),
        label: "moth".into(),
        terminal: true,
        score: None,
        labels: None,
        scores: Vec::new(),
        logits: Vec::new(),
        at: Timestamp(0),
        inference_seconds: None,
    };
    Detection {
        algorithm: AlgorithmId(algorithm),
        bbox: None,
        at: Timestamp(0),
        score: None,
        inference_seconds: None,
        crop_image_url: None,
        classifications: classifications.iter().map(classification).collect(),
    }
}

fn result(capture: i64, detections: Vec<Detection>) -> Settlement {
    Settlement {
        receipt: receipt(capture),
        posted: Posted::Success(detections),
    }
}

fn rows(list: &[(i64, TaskView)]) -> HashMap<TaskKey, TaskView> {
    list.iter()
        .map(|(capture, row)| (receipt(*capture).task(), *row))
        .collect()
}

#[test]
fn a_result_is_counted_by_its_detections_and_their_classifications() {
    let items = [result(1, vec![detection(1, &[2, 3, 4]), detection(5, &[])])];
    let planned = plan(&items, rows(&[(1, held())]));
    let counted = Deltas {
        processed: 1,
        failed: 0,
        detections: 2,
        classifications: 3,
    };
    assert_eq!(planned.deltas, [(JobId(1), counted)].into());
    let outcome = &planned.rows[&receipt(1).task()];
    assert_eq!((outcome.row.n_detections, outcome.row.n_classifications), (2, 3));
    assert_eq!((outcome.row.grant, outcome.spec_run), (None, Some(3)));
}

#[test]
fn a_result_with_a_detection_or_a_classification_twice_is_refused_and_no_other() {
    let items = [
        result(1, vec![detection(1, &[]), detection(1, &[])]),
        result(2, vec![detection(1, &[2, 2])]),
        result(3, vec![detection(1, &[2]), detection(2, &[2])]),
    ];
    let planned = plan(&items, rows(&[(1, held()), (2, held()), (3, held())]));
    let refused = |at: usize| matches!(planned.items[at], Settled::Refused(_));
    assert!(refused(0) && refused(1) && matches!(planned.items[2], Settled::Saved));
    assert_eq!(planned.rows.keys().map(|key| key.1.0).collect::<Vec<_>>(), [3]);
}

fn error(capture: i64, detail: &str) -> Settlement {
    Settlement {
        receipt: receipt(capture),
        posted: Posted::Fail {
            reason: FailReason::WorkerError,
            detail: detail.into(),
        },
    }
}

#[test]
fn a_success_in_place_of_a_failure_replaces_what_was_stored_and_counts_the_difference() {
    let before = TaskView {
        state: TaskState::Failed,
        reason: Some(FailReason::WorkerError),
        n_detections: 1,
        n_classifications: 4,
        ..held()
    };
    let items = [result(1, vec![detection(1, &[2]), detection(2, &[])])];
    let planned = plan(&items, rows(&[(1, before)]));
    let key = receipt(1).task();
    assert_eq!(planned.replaced, [key]);
    assert_eq!(
        (planned.rows[&key].row.reason, planned.rows[&key].row.failed_as),
        (None, None)
    );
    let d = planned.deltas[&JobId(1)];
    assert_eq!(
        (d.processed, d.failed, d.detections, d.classifications),
        (1, -1, 1, -3)
    );
}

#[test]
fn only_a_success_replaces_detections_and_only_where_there_are_some() {
    let stored = TaskView {
        n_detections: 1,
        ..held()
    };
    let failed = [error(1, "too dark")];
    let planned = plan(&failed, rows(&[(1, stored)]));
    assert!(planned.replaced.is_empty() && planned.detections().is_empty());
    assert_eq!(
        planned.rows[&receipt(1).task()].spec_run,
        None,
        "nothing was judged"
    );
    assert_eq!(planned.rows[&receipt(1).task()].row.grant, None);
    let first = [result(1, Vec::new())];
    assert!(plan(&first, rows(&[(1, held())])).replaced.is_empty());
}

#[test]
fn a_late_success_is_judged_by_the_run_of_its_receipt() {
    let newer = TaskView { run: 4, ..held() };
    let items = [result(1, Vec::new())];
    let planned = plan(&items, rows(&[(1, newer)]));
    assert_eq!(planned.rows[&receipt(1).task()].spec_run, Some(3));
}

/// The changes of the groups of the run of these receipts, which has none yet or these.
fn steps(plan: &SettlePlan<'_>, known: &[GroupId]) -> Vec<(GroupId, i64)> {
    let steps = plan.tally.steps((JobId(1), 3), known);
    steps.iter().map(|step| (step.kind.id, step.n)).collect()
}

#[test]
fn a_failure_is_counted_in_its_run_and_a_later_success_takes_it_back_from_its_group() {
    let items = [error(1, "too dark")];
    let planned = plan(&items, rows(&[(1, held())]));
    let kind = Kind::of(FailReason::WorkerError, "too dark");
    assert_eq!(steps(&planned, &[]), [(kind.id, 1)]);
    let failed = planned.rows[&receipt(1).task()].row;
    assert_eq!(failed.failed_as, Some(kind.id));
    let after = [result(1, Vec::new())];
    let planned = plan(&after, rows(&[(1, failed)]));
    assert_eq!(steps(&planned, &[kind.id]), [(kind.id, -1)]);
}

#[test]
fn detections_are_numbered_from_one_and_stored_in_the_order_of_dispatch() {
    let at = |ord| TaskView { ord, ..held() };
    let items = [
        result(1, vec![detection(1, &[]), detection(2, &[])]),
        result(2, vec![detection(3, &[])]),
    ];
    let planned = plan(&items, rows(&[(1, at(20)), (2, at(10))]));
    let placed = planned.detections();
    let places: Vec<_> = placed
        .iter()
        .map(|d| (d.task.1.0, d.ord, d.n, d.detection.algorithm.0))
        .collect();
    assert_eq!(places, [(2, 10, 1, 3), (1, 20, 1, 1), (1, 20, 2, 2)]);
}

#[test]
fn a_job_is_told_which_of_its_tasks_were_settled_and_which_of_them_failed() {
    let other = Settlement {
        receipt: Receipt {
            job: JobId(2),
            ..receipt(3)
        },
        posted: Posted::Success(Vec::new()),
    };
    let items = [error(1, "too dark"), result(2, Vec::new()), other];
    let mut all = rows(&[(1, held()), (2, held())]);
    all.insert((JobId(2), CaptureId(3)), held());
    let planned = plan(&items, all);
    let mut touched = Touched {
        job: JobId(1),
        status: crate::JobStatus::Started,
        landed: false,
        settled: Vec::new(),
    };
    planned.tell(&mut touched);
    assert_eq!(touched.settled, [(CaptureId(1), true), (CaptureId(2), false)]);
    assert_eq!(planned.failures().len(), 1);
}

fn processed(detections: i64) -> TaskView {
    TaskView {
        state: TaskState::Processed,
        n_detections: detections,
        n_classifications: detections,
        ..held()
    }
}

#[test]
fn an_answer_is_of_the_grant_that_holds_its_task_or_a_late_one_to_an_older_hand_out_or_run() {
    let key = GrantKey {
        job: JobId(1),
        worker: WorkerId(8),
        granted_at: Timestamp(50),
    };
    let items = [result(1, Vec::new())];
    let noted = |row: TaskView| {
        let planned = plan(&items, rows(&[(1, row)]));
        (
            planned.side_effects.answered_grants(),
            planned.side_effects.late_grants(),
        )
    };
    assert_eq!(noted(held()), (vec![GrantId(7)], vec![]));
    let late = (vec![], vec![key]);
    assert_eq!(
        noted(TaskView {
            delivery: 3,
            ..held()
        }),
        late,
        "handed out again"
    );
    assert_eq!(noted(TaskView { run: 4, ..held() }), late, "a new run");
    assert_eq!(
        noted(TaskView {
            grant: None,
            ..held()
        }),
        late,
        "its lease was over"
    );
}

#[test]
fn nothing_is_written_for_a_replay_unless_it_answers_a_grant_that_holds_its_task_no_more() {
    let replay = [result(1, Vec::new())];
    assert!(
        plan(&replay, rows(&[(1, processed(0))])).is_empty(),
        "its grant holds it"
    );
    let late = TaskView {
        grant: None,
        ..processed(0)
    };
    assert!(
        !plan(&replay, rows(&[(1, late)])).is_empty(),
        "its grant is answered"
    );
    assert!(!plan(&replay, rows(&[(1, held())])).is_empty(), "it is saved");
    let gone = plan(&replay, rows(&[]));
    assert!(matches!(gone.items[..], [Settled::Gone]));
}

fn batch_error(capture: i64) -> Settlement {
    Settlement {
        receipt: receipt(capture),
        posted: Posted::BatchError {
            detail: "Batch processing error: no memory".into(),
            max_deliver: 3,
        },
    }
}

#[test]
fn a_batch_error_frees_its_tasks_under_their_run_and_newest_hand_out_in_one_line() {
    let items = [batch_error(1), batch_error(2)];
    let planned = plan(&items, rows(&[(1, held()), (2, held())]));
    let effects = &planned.side_effects;
    let candidate = |capture| crate::ports::Candidate {
        capture: CaptureId(capture),
        run: 3,
        delivery: 2,
    };
    assert_eq!(
        effects.freed(),
        [(JobId(1), candidate(1)), (JobId(1), candidate(2))]
    );
    assert_eq!(effects.workers(), [WorkerId(8)]);
    let names = [(WorkerId(8), "gpu-8".to_owned())].into();
    let lines = effects.freed_lines(&names);
    let told = freed_line("gpu-8", true, 2, "Batch processing error: no memory");
    assert_eq!(
        lines.iter().map(|l| l.message.as_str()).collect::<Vec<_>>(),
        [told]
    );
    assert_eq!(
        planned.deltas,
        [(JobId(1), Deltas::default())].into(),
        "a worker posted"
    );
}

#[test]
fn the_names_of_all_workers_that_freed_tasks_are_asked_for() {
    let of = |capture, worker| Settlement {
        receipt: Receipt {
            worker: WorkerId(worker),
            ..receipt(capture)
        },
        ..batch_error(capture)
    };
    let items = [of(1, 8), of(2, 9)];
    let planned = plan(&items, rows(&[(1, held()), (2, held())]));
    assert_eq!(planned.side_effects.workers(), [WorkerId(8), WorkerId(9)]);
}

#[test]
fn a_success_after_a_batch_error_of_the_same_group_leaves_nothing_free() {
    let items = [batch_error(1), result(1, Vec::new())];
    let planned = plan(&items, rows(&[(1, held())]));
    assert!(planned.side_effects.freed().is_empty());
    assert_eq!(planned.rows[&receipt(1).task()].row.state, TaskState::Processed);
}
