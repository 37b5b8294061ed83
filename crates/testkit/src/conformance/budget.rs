//! The cases of a budget of hand-outs that is used up: what is lost, who says so, and what nobody is shown any more.

use trapline_core::{
    JobId, JobStatus,
    handout::last_try::SPARE,
    job::JobMove,
    ports::{GrantRequest, LeaseChange, LeasePolicy, LogPage, LogQuery, QueueCounters, QueueInfo, Want},
    receipt::Receipt,
};

use super::{Grant, World, cases, suspects::new_run};

fn counters(job: JobId, num_redelivered: u64) -> QueueCounters {
    let info = QueueInfo {
        job,
        num_pending: 1,
        num_ack_pending: 2,
        num_redelivered,
        created_at: None,
        in_nats: true,
    };
    [(job, info)].into()
}

/// Hands out tasks, each to a worker of its own that never answers, until their leases are over.
async fn unanswered(w: &World, job: JobId, tasks: usize) {
    for n in 0..tasks {
        w.grant(job, 1, &format!("silent {n}")).await;
    }
    w.live(65).await;
}

cases! { World;
    async fn a_smaller_budget_leaves_one_last_try_to_what_had_used_it_up_and_until_then_the_job_is_shown_to_nobody(w: World) {
        w.beat().await;
        let job = w.job_of(2).await;
        // The first death makes suspects, the second is a strike.
        for _ in 0..2 {
            unanswered(&w, job, 2).await;
            w.sweep().await;
        }
        let slugs = ["p".to_owned()];
        assert_eq!(w.store.waiting_jobs(&slugs, None, 2).await.unwrap().len(), 1);
        // A node with a smaller budget comes.
        let smaller = LeasePolicy { max_deliver: 1, ..w.policy() };
        assert!(w.store.waiting_jobs(&slugs, None, 1).await.unwrap().is_empty());
        let swept = w.store.sweep(&smaller, None, w.now()).await.unwrap();
        assert!(swept.losing.is_empty() && swept.touched.is_empty(), "nothing is lost that was not alone");
        assert_eq!(w.store.waiting_jobs(&slugs, None, 1).await.unwrap().len(), 1);
        let query = LogQuery { job, level: None, capture: None, page: LogPage::Newest, limit: 1 };
        let said = &w.store.logs(&query).await.unwrap()[0].message;
        assert_eq!(said, "2 image(s) had been handed out as often as max_deliver=1 now allows: they get one last try, alone");
        // One is processed in it, and one takes its worker with it.
        let mut tries = Vec::new();
        for worker in ["x", "y"] {
            let request = GrantRequest {
                ttr: smaller.ttr,
                exclusive_ttr: smaller.ttr,
                max_deliver: 1,
                ..w.request(job, Want::LastTry { only: true }, 9, w.worker(worker).await)
            };
            let granted = w.store.grant(&request).await.unwrap();
            assert_eq!(granted.tasks.len(), 1);
            let task = &granted.tasks[0];
            tries.push(Grant(Receipt {
                job,
                run: granted.run,
                capture: task.capture,
                delivery: task.delivery,
                worker: request.worker,
                granted_at: request.now,
            }));
        }
        w.succeed(tries[0], 0).await;
        w.live(65).await;
        let swept = w.store.sweep(&smaller, Some(&counters(job, 7)), w.now()).await.unwrap();
        assert!(swept.touched[0].landed);
        assert_eq!(w.counts(job).await, [2, 0, 0, 1, 1]);
        assert!(w.job(job).await.errors[0].contains("max_deliver=1"));
        w.check_counts(job).await;
    }

    async fn the_errors_of_a_job_get_one_line_for_all_that_the_sweep_lost_and_its_log_the_whole_list(w: World) {
        w.beat().await;
        let job = w.job_of(14).await;
        for _ in 0..2 {
            unanswered(&w, job, 14).await;
            w.sweep().await;
        }
        // Last tries, one after the other: each is settled in a sweep of its own.
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

    async fn what_happened_in_an_earlier_run_is_none_of_the_budget_of_this_one(w: World) {
        for before in ["hand-outs", "a strike"] {
            let job = w.job_of(1).await;
            match before {
                "a strike" => for life in ["1", "2"] {
                    assert_eq!(w.grant(job, 1, life).await.len(), 1);
                    w.outlive().await;
                },
                // Never read, so they are no strikes; but a task gets no more than so many in one run.
                _ => for _ in 0..w.policy().max_deliver + SPARE {
                    let held = [w.grant_of(job, None, 1, "w").await[0].0];
                    w.store.change_leases(LeaseChange::Undelivered, &held, &w.policy(), w.now()).await.unwrap();
                },
            }
            new_run(&w, job).await;
            let (all, worker) = (w.order(job).await, w.worker(before).await);
            assert_eq!(w.hand_out(job, Want::Alone, Some(all), 1, worker).await.0.len(), 1);
            w.outlive().await;
            assert_eq!(w.counts(job).await, [1, 1, 0, 0, 0], "the first strike of two, after {before}");
        }
    }

    async fn a_job_that_was_cancelled_loses_nothing_when_its_last_try_ends(w: World) {
        let job = w.job_of(1).await;
        for life in ["first", "second", "last"] {
            assert_eq!(w.grant(job, 1, life).await.len(), 1);
            if life == "last" {
                for by in [JobMove::Cancel, JobMove::Revoke] {
                    w.go(job, by).await;
                }
            }
            w.outlive().await;
        }
        assert_eq!(w.counts(job).await, [1, 1, 0, 0, 0]);
    }
}
