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
