//! The cases of a budget of hand-outs that is used up: what is lost, who says so, and what nobody is shown any more.

use trapline_core::{
    CaptureId, JobId, JobStatus,
    ports::{ImageQuery, ImageState, LeasePolicy, LogPage, LogQuery, QueueCounters, QueueInfo},
};

use super::{World, cases};

fn counters(job: JobId, num_redelivered: u64) -> QueueCounters {
    let info = QueueInfo {
        job,
        num_pending: 1,
        num_ack_pending: 2,
        num_redelivered,
        created_at: None,
    };
    [(job, info)].into()
}

async fn details(w: &World, job: JobId) -> Vec<String> {
    let query = ImageQuery {
        job,
        state: Some(ImageState::Failed),
        reason: None,
        after: CaptureId(0),
        limit: 100,
    };
    let rows = w.store.images(&query).await.unwrap();
    rows.into_iter()
        .map(|row| row.detail.unwrap_or_default())
        .collect()
}

/// Hands out tasks, each to a worker of its own that never answers, until their leases are over.
async fn unanswered(w: &World, job: JobId, tasks: usize) {
    for n in 0..tasks {
        w.grant(job, 1, &format!("silent {n}")).await;
    }
    w.live(65).await;
}

cases! { World;
    async fn a_job_whose_tasks_are_handed_out_to_nobody_is_shown_to_nobody_and_is_landed_by_the_sweep(w: World) {
        w.beat().await;
        let job = w.job_of(3).await;
        unanswered(&w, job, 3).await;
        w.sweep().await;
        let slugs = ["p".to_owned()];
        assert_eq!(w.store.waiting_jobs(&slugs, None, 2).await.unwrap().len(), 1);
        // A node with a smaller budget comes.
        assert!(w.store.waiting_jobs(&slugs, None, 1).await.unwrap().is_empty());
        let smaller = LeasePolicy { max_deliver: 1, ..w.policy() };
        let asked = w.store.sweep(&smaller, None, w.now()).await.unwrap();
        assert_eq!(asked.losing, [job]);
        assert_eq!(w.counts(job).await, [3, 3, 0, 0, 0], "nothing is lost before the evidence is there");
        let swept = w.store.sweep(&smaller, Some(&counters(job, 7)), w.now()).await.unwrap();
        assert!(swept.touched[0].landed && swept.losing.is_empty());
        let done = w.job(job).await;
        assert_eq!((done.status, done.counts.failed), (JobStatus::Failure, 3));
        assert_eq!(done.errors.len(), 1);
        let begins = "sweep: marked 3 image(s) as failed (handed out as often as max_deliver=1 now allows; NATS consumer \
                      num_pending=1 num_ack_pending=2 num_redelivered=7). IDs: ['";
        assert!(done.errors[0].starts_with(begins), "{}", done.errors[0]);
        for detail in details(&w, job).await {
            assert!(detail.ends_with("; that is as often as max_deliver=1 now allows"), "{detail}");
        }
        w.check_counts(job).await;
    }

    async fn the_errors_of_a_job_get_one_line_for_all_that_the_sweep_lost_and_its_log_the_whole_list(w: World) {
        w.beat().await;
        let job = w.job_of(14).await;
        unanswered(&w, job, 14).await;
        w.sweep().await;
        // One after the other: each is settled in a sweep of its own.
        for turn in 1..=14 {
            unanswered(&w, job, 1).await;
            assert_eq!(w.store.sweep(&w.policy(), None, w.now()).await.unwrap().losing, [job]);
            let swept = w.store.sweep(&w.policy(), Some(&counters(job, turn)), w.now()).await.unwrap();
            assert_eq!(swept.touched[0].settled.len(), 1);
        }
        let done = w.job(job).await;
        assert_eq!((done.status, done.counts.failed, done.errors.len()), (JobStatus::Failure, 14, 1));
        let line = &done.errors[0];
        let begins = "sweep: marked 14 image(s) as failed (no answer before the last lease ended, max_deliver=2; NATS \
                      consumer num_pending=1 num_ack_pending=2 num_redelivered=14). IDs: ['";
        assert!(line.starts_with(begins) && line.ends_with("'] ... and 4 more"), "{line}");
        let query = LogQuery { job, level: None, capture: None, page: LogPage::Newest, limit: 1_000 };
        let log = w.store.logs(&query).await.unwrap();
        let listed: String = log.iter().filter(|l| l.message.contains("(full IDs:")).map(|l| l.message.as_str()).collect();
        for task in 1..=14 {
            assert!(listed.contains(&format!("marked {task} image(s)")), "{listed}");
        }
    }
}
