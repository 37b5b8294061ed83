//! What a group of results writes, each case in a few lines (docs/rules.md A8, A9, B8).

use super::*;
use crate::{AlgorithmId, GrantId, Timestamp, WorkerId, receipt::Receipt, result::Classification};

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
