//! The ledger alone: what is held, what is due, what goes together.

use serde_json::json;
use serde_json::value::to_raw_value;

use super::*;
use crate::time;

fn task(n: u32, lease_seconds: f64) -> Task {
    let fields = json!({"image_id": n, "reply_subject": n.to_string(), "lease_seconds": lease_seconds});
    serde_json::from_value(fields).unwrap()
}

fn result(job_id: i64, n: u32, bytes: usize) -> Unsent {
    let item = to_raw_value(&"x".repeat(bytes - 2)).unwrap();
    Unsent {
        job_id,
        receipt: n.to_string(),
        image_id: n.to_string(),
        item,
    }
}

/// A ledger with results of jobs waiting, in this order.
fn with_results(results: Vec<Unsent>) -> Ledger {
    let ledger = Ledger::new();
    for result in results {
        let n = result.receipt.parse().unwrap();
        ledger.take_in(result.job_id, "slug", vec![task(n, 60.0)], 1, time::now());
        ledger.start_next().unwrap();
        ledger.finish(result, Some(2));
    }
    ledger
}

fn receipts(results: &[Unsent]) -> Vec<&str> {
    results.iter().map(|result| result.receipt.as_str()).collect()
}

#[test]
fn a_claim_is_cut_into_calls_and_started_in_order() {
    let ledger = Ledger::new();
    ledger.take_in(1, "slug", (0..5).map(|n| task(n, 60.0)).collect(), 2, time::now());
    let sizes: Vec<usize> = std::iter::from_fn(|| ledger.start_next())
        .map(|work| work.tasks.len())
        .collect();
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(
        (
            ledger.counts().claimed,
            ledger.counts().waiting,
            ledger.counts().working
        ),
        (5, 0, 5)
    );
}

#[test]
fn a_post_holds_one_jobs_results_and_the_others_keep_their_turn() {
    let ledger = with_results(vec![
        result(1, 0, 10),
        result(2, 1, 10),
        result(1, 2, 10),
        result(2, 3, 10),
    ]);
    assert_eq!(receipts(&ledger.take_queued(10, 1000)), ["0", "2"]);
    assert_eq!(receipts(&ledger.take_queued(10, 1000)), ["1", "3"]);
    assert!(ledger.take_queued(10, 1000).is_empty());
}

#[test]
fn a_post_is_bounded_in_items_and_bytes_but_takes_one_result_whatever_its_size() {
    let ledger = with_results(
        (0..6)
            .map(|n| result(1, n, if n == 3 { 500 } else { 10 }))
            .collect(),
    );
    assert_eq!(receipts(&ledger.take_queued(2, 1000)), ["0", "1"]);
    assert_eq!(receipts(&ledger.take_queued(9, 100)), ["2"]);
    assert_eq!(receipts(&ledger.take_queued(9, 100)), ["3"]);
    assert_eq!(receipts(&ledger.take_queued(9, 100)), ["4", "5"]);
}

#[test]
fn results_under_way_count_as_unsent_until_they_are_answered() {
    let ledger = with_results(vec![result(1, 0, 10), result(1, 1, 10)]);
    let taken = ledger.take_queued(9, 100);
    assert_eq!(
        (
            ledger.counts().queued,
            ledger.counts().unsent,
            ledger.counts().unsent_bytes
        ),
        (0, 2, 20)
    );
    ledger.answered(&taken[0], Delivery::Saved);
    ledger.answered(&taken[1], Delivery::Rejected);
    let counts = ledger.counts();
    assert_eq!(
        (
            counts.unsent,
            counts.unsent_bytes,
            counts.delivered,
            counts.rejected
        ),
        (0, 0, 1, 1)
    );
    assert!(counts.is_idle());
    assert_eq!(ledger.next_due(), None);
}

#[test]
fn a_lease_is_due_after_its_third_and_again_a_third_after_it_was_renewed() {
    let ledger = Ledger::new();
    let start = time::now();
    ledger.take_in(1, "slug", vec![task(0, 30.0), task(1, 300.0)], 1, start);
    assert_eq!(ledger.next_due(), Some(start + Duration::from_secs(10)));
    assert!(ledger.due(start + Duration::from_secs(9)).is_empty());
    assert_eq!(
        ledger.due(start + Duration::from_secs(10)),
        ByJob::from([(1, vec!["0".to_owned()])])
    );
    ledger.renewed("0", start + Duration::from_secs(10));
    assert_eq!(ledger.next_due(), Some(start + Duration::from_secs(20)));
}

#[test]
fn a_lost_lease_is_never_due_again_and_its_task_is_skipped_unless_it_is_in_work() {
    let ledger = Ledger::new();
    let start = time::now();
    ledger.take_in(1, "slug", (0..3).map(|n| task(n, 30.0)).collect(), 1, start);
    ledger.start_next().unwrap();
    for receipt in ["0", "1", "1", "unknown"] {
        ledger.lost(receipt);
    }
    let counts = ledger.counts();
    assert_eq!((counts.lost, counts.working, counts.waiting), (2, 1, 1));
    assert_eq!(ledger.start_next().unwrap().tasks[0].receipt, "2");
    assert_eq!(
        ledger.due(start + Duration::from_secs(60)),
        ByJob::from([(1, vec!["2".to_owned()])])
    );
}

#[test]
fn a_lease_of_no_length_is_not_extended_in_a_tight_loop() {
    let ledger = Ledger::new();
    let start = time::now();
    for (n, lease_seconds) in [(0, 0.0), (1, -5.0), (2, 1e300)] {
        ledger.take_in(1, "slug", vec![task(n, lease_seconds)], 1, start);
    }
    assert!(ledger.next_due().unwrap() > start);
}
