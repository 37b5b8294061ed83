//! Every result reaches the server, whatever happens on the way, and none is posted after its answer.

mod support;

use serde_json::json;
use support::running::Running;
use support::{Act, Door, Fault, Gate, Server, config, receipt, receipts};
use trapline_worker::WorkerConfig;

#[tokio::test]
async fn results_reach_the_server_and_carry_what_the_contract_says() {
    let server = Server::start().await;
    server.offer(7, 0, 3, 300.0);
    let gate = Gate::with(100, &[(1, Act::Fail)]);
    let worker = Running::start(config(&server.url), gate);
    server
        .until("three results", |script| script.saved.len() == 3)
        .await;
    let counts = worker.drained().await;
    assert_eq!(
        (counts.claimed, counts.processed, counts.failed, counts.delivered),
        (3, 2, 1, 3)
    );
    server.script(|script| {
        assert_eq!(script.saved_receipts(), receipts(0..3));
        assert!(script.posts.iter().all(|(job_id, _)| *job_id == 7));
        assert!(script.tokens.iter().all(|token| token == "Token secret-token"));
        let claim = &script.claims[0];
        assert_eq!(claim["pipelines"], json!(["test"]));
        assert_eq!(
            (&claim["batch_size"], &claim["wait_seconds"]),
            (&json!(8), &json!(20))
        );
        assert_eq!(claim["client_info"]["instance"], "i");
        script.saved.sort_by_key(|item| item["reply_subject"].to_string());
        assert_eq!(
            script.saved[0],
            json!({"reply_subject": receipt(0), "result": {
                "pipeline": "test", "algorithms": {}, "total_time": 0.5,
                "source_images": [{"id": "0", "url": "http://127.0.0.1:9/0.jpg"}], "detections": []}})
        );
        assert_eq!(
            script.saved[1]["result"],
            json!({"error": "failed to load image: HTTP 404", "image_id": "1"})
        );
    });
}

#[tokio::test]
async fn a_post_is_repeated_until_it_is_answered_and_never_after() {
    let server = Server::start().await;
    let busy = json!({"status": "error", "detail": "Task queue temporarily unavailable"});
    server.script(|script| {
        script.result_faults.extend([
            Fault::Answer(503, busy.clone()),
            Fault::SaveAndBreak,
            Fault::Page(200),
            Fault::Answer(429, busy.clone()),
            Fault::Answer(500, busy),
        ]);
    });
    server.offer(7, 0, 6, 300.0);
    let mut worker = Running::start(config(&server.url), Gate::open());
    worker.until("six answers", |counts| counts.delivered == 6).await;
    let counts = worker.drained().await;
    assert_eq!(
        (counts.delivered, counts.unsent, counts.rejected, counts.dropped),
        (6, 0, 0, 0)
    );
    server.script(|script| {
        assert_eq!(script.saved_receipts(), receipts(0..6));
        // Five faults; what the sixth post and its followers hold was answered, each result once.
        let answered: usize = script.posts[5..]
            .iter()
            .map(|(_, body)| body["results"].as_array().map_or(0, Vec::len))
            .sum();
        assert_eq!(answered, 6);
    });
}

#[tokio::test]
async fn results_wait_while_the_server_is_away_and_arrive_when_it_is_back() {
    let server = Server::start().await;
    let mut door = Door::open_to(&server.url).await;
    server.offer(7, 0, 8, 300.0);
    let gate = Gate::closed();
    let mut worker = Running::start(config(&door.url()), gate.clone());
    worker.until("images in work", |counts| counts.working == 4).await;
    door.shut().await;
    gate.permits.add_permits(8);
    worker
        .until("all computed, none sent", |counts| {
            counts.unsent == 8 && !counts.online
        })
        .await;
    assert_eq!(server.script(|script| script.saved.len()), 0);
    door.open().await;
    worker
        .until("all delivered", |counts| counts.delivered == 8)
        .await;
    assert_eq!(server.script(|script| script.saved_receipts()), receipts(0..8));
    worker.drained().await;
}

#[tokio::test]
async fn nothing_is_claimed_while_too_many_results_wait() {
    let server = Server::start().await;
    let faults = std::iter::repeat_n(Fault::Answer(503, json!({})), 10_000);
    server.script(|script| script.result_faults.extend(faults));
    (0..6).for_each(|batch| server.offer(7, batch * 2, 2, 300.0));
    let settings = WorkerConfig {
        batch_size: 2,
        unsent_max: 4,
        ..config(&server.url)
    };
    let mut worker = Running::start(settings, Gate::open());
    worker
        .until("enough waiting", |counts| {
            counts.unsent >= 4 && counts.working + counts.waiting == 0
        })
        .await;
    let posts = server.script(|script| script.posts.len());
    server
        .until("many more tries", |script| script.posts.len() > posts + 20)
        .await;
    // The bound, and what was claimed before it was reached: one batch on its way and one ahead.
    let claimed = worker.counts.borrow().claimed;
    assert!(claimed <= 8, "{claimed}");
    server.script(|script| script.result_faults.clear());
    worker.until("the rest", |counts| counts.delivered == 12).await;
    worker.drained().await;
}

#[tokio::test]
async fn a_rejected_result_is_not_posted_again() {
    let server = Server::start().await;
    server.script(|script| script.reject_receipts.insert(receipt(1), "x2 < x1".to_owned()));
    server.offer(7, 0, 3, 300.0);
    let mut worker = Running::start(config(&server.url), Gate::open());
    worker
        .until("all answered", |counts| counts.delivered + counts.rejected == 3)
        .await;
    // A post whose only item is rejected is a 400 with the usual body.
    server.script(|script| script.reject_receipts.insert(receipt(3), "no".to_owned()));
    server.offer(7, 3, 1, 300.0);
    worker
        .until("the lone one answered", |counts| counts.rejected == 2)
        .await;
    let counts = worker.drained().await;
    assert_eq!((counts.delivered, counts.rejected, counts.dropped), (2, 2, 0));
    server.script(|script| {
        for n in [1, 3] {
            let posted = script
                .posts
                .iter()
                .filter(|(_, body)| body.to_string().contains(&receipt(n)))
                .count();
            assert_eq!(posted, 1, "task {n}");
        }
    });
}

#[tokio::test]
async fn a_post_that_is_refused_whole_is_tried_by_halves_and_only_the_offender_is_dropped() {
    let server = Server::start().await;
    let refused = || Fault::Answer(400, json!({"results": [{"loc": ["x"], "msg": "field required"}]}));
    // Of four: the whole, the first half, its first item. The rest is saved.
    server.script(|script| script.result_faults.extend([refused(), refused(), refused()]));
    server.offer(7, 0, 4, 300.0);
    let gate = Gate::closed();
    let settings = WorkerConfig {
        gather: std::time::Duration::from_secs(20),
        ..config(&server.url)
    };
    let mut worker = Running::start(settings, gate.clone());
    worker.until("all in work", |counts| counts.working == 4).await;
    gate.permits.add_permits(4);
    worker
        .until("all answered", |counts| counts.delivered + counts.dropped == 4)
        .await;
    let counts = worker.drained().await;
    assert_eq!((counts.delivered, counts.dropped), (3, 1));
}

#[tokio::test]
async fn results_of_a_job_that_is_gone_are_dropped_and_the_worker_goes_on() {
    let server = Server::start().await;
    let gone = Fault::Answer(404, json!({"detail": "Not found."}));
    server.script(|script| script.result_faults.push_back(gone));
    server.offer(7, 0, 1, 300.0);
    server.offer(8, 1, 1, 300.0);
    let settings = WorkerConfig {
        concurrency: 1,
        ..config(&server.url)
    };
    let mut worker = Running::start(settings, Gate::open());
    worker
        .until("both answered", |counts| counts.delivered + counts.dropped == 2)
        .await;
    let counts = worker.drained().await;
    assert_eq!((counts.delivered, counts.dropped), (1, 1));
    assert_eq!(server.script(|script| script.saved_receipts()), receipts(1..2));
}

#[tokio::test]
async fn a_proxys_page_for_a_server_that_is_away_loses_no_result_and_ends_no_worker() {
    for status in [401, 403, 404, 405, 410] {
        let server = Server::start().await;
        server.script(|script| script.result_faults.extend(vec![Fault::Page(status); 1_000]));
        server.offer(7, 0, 1, 0.3);
        let worker = Running::start(config(&server.url), Gate::open());
        server
            .until("results are refused", |script| script.posts.len() > 2)
            .await;
        let claims = server.script(|script| {
            script.page = Some(status);
            script.claims.len()
        });
        server
            .until("claims are refused", |script| script.claims.len() > claims + 2)
            .await;
        server.script(|script| {
            script.page = None;
            script.result_faults.clear();
        });
        server
            .until("it is saved", |script| script.saved.len() == 1)
            .await;
        let counts = worker.drained().await;
        assert_eq!((counts.delivered, counts.dropped), (1, 0), "{status}");
    }
}

#[tokio::test]
async fn a_result_that_alone_is_answered_with_a_page_keeps_no_other() {
    let server = Server::start().await;
    let pages = vec![Fault::Page(403); 10_000];
    server.script(|script| script.result_faults.extend(pages));
    // Claims and extended leases are answered all the while.
    server.offer(7, 0, 1, 0.3);
    server.offer(8, 1, 1, 300.0);
    let settings = WorkerConfig {
        concurrency: 1,
        ..config(&server.url)
    };
    let mut worker = Running::start(settings, Gate::open());
    worker.until("it is given up", |counts| counts.dropped == 1).await;
    server.script(|script| script.result_faults.clear());
    server
        .until("the other is saved", |script| {
            script.saved_receipts() == receipts(1..2)
        })
        .await;
    let counts = worker.drained().await;
    assert_eq!((counts.delivered, counts.dropped), (1, 1));
}

#[tokio::test]
async fn a_token_refused_in_the_middle_ends_the_worker() {
    let server = Server::start().await;
    let refused = Fault::Answer(401, json!({"detail": "Invalid token."}));
    server.script(|script| script.result_faults.push_back(refused));
    server.offer(7, 0, 1, 300.0);
    let error = Running::start(config(&server.url), Gate::open())
        .ended()
        .await
        .expect_err("refused");
    assert_eq!(error.to_string(), "the server refuses the token: Invalid token.");
}

#[tokio::test]
async fn a_panic_in_a_pipeline_is_that_images_error_and_the_worker_goes_on() {
    let server = Server::start().await;
    server.offer(7, 0, 3, 300.0);
    let worker = Running::start(config(&server.url), Gate::with(100, &[(1, Act::Panic)]));
    server
        .until("three results", |script| script.saved.len() == 3)
        .await;
    let counts = worker.drained().await;
    assert_eq!((counts.processed, counts.failed), (2, 1));
}
