//! The cases of the store: death and suspects (docs/rules.md A6), and the error of a whole batch (B8).

use trapline_core::{
    FailReason, JobId, JobStatus, batch_error,
    job::JobMove,
    ports::{
        ImageQuery, ImageState, LeaseChange, Level, LogPage, LogQuery, Posted, Settled, Settlement, Want,
    },
};

use super::{Grant, World, cases, world::DEATH};

/// Every free task of a job: in the one batch, and one by one the suspects.
pub(super) async fn all_free(w: &World, job: JobId, worker: &str) -> (Vec<Grant>, Vec<Grant>) {
    let batch = w.grant_of(job, None, 1_000, worker).await;
    let mut suspects = Vec::new();
    loop {
        let alone = w.grant_suspect(job, worker).await;
        assert!(alone.len() <= 1, "a suspect is alone");
        if alone.is_empty() {
            return (batch, suspects);
        }
        suspects.extend(alone);
    }
}

/// Works off a job with a worker that dies whenever it gets to `killer`, restarted each time as `life` says.
async fn work_off(
    w: &World,
    job: JobId,
    killer: trapline_core::CaptureId,
    life: fn(usize) -> String,
) -> usize {
    for deaths in 0..20 {
        loop {
            let tasks = w.grant(job, 24, &life(deaths)).await;
            if tasks.iter().any(|t| t.0.capture == killer) {
                break;
            }
            if tasks.is_empty() {
                return deaths;
            }
            for task in tasks {
                assert_eq!(w.succeed(task, 0).await, Settled::Saved);
            }
        }
        w.outlive().await;
    }
    panic!("the job does not end");
}

/// The job's log at this level, oldest first.
pub(super) async fn log(w: &World, job: JobId, level: Level) -> Vec<String> {
    let query = LogQuery {
        job,
        level: Some(level),
        capture: None,
        page: LogPage::After(0),
        limit: 1_000,
    };
    let rows = w.store.logs(&query).await.unwrap();
    rows.into_iter()
        .filter(|r| r.level == level)
        .map(|r| r.message)
        .collect()
}

async fn failures(w: &World, job: JobId) -> Vec<FailReason> {
    let query = ImageQuery {
        job,
        state: Some(ImageState::Failed),
        reason: None,
        after: trapline_core::CaptureId(0),
        back: false,
        limit: 1_000,
    };
    w.store
        .images(&query)
        .await
        .unwrap()
        .into_iter()
        .filter_map(|r| r.reason)
        .collect()
}

/// Cancels a job and runs what it has not processed again.
pub(super) async fn new_run(w: &World, job: JobId) {
    for by in [JobMove::Cancel, JobMove::Revoke, JobMove::RetryFailed] {
        w.go(job, by).await;
    }
    w.collect().await;
}

fn batch_of(tasks: &[Grant], error: &str) -> Vec<Settlement> {
    let errors = vec![error; tasks.len()];
    batch_error::posted(&errors, 2)
        .into_iter()
        .zip(tasks)
        .map(|(posted, task)| Settlement {
            receipt: task.0,
            posted,
        })
        .collect()
}

cases! { World;
    async fn a_batch_with_one_killer_loses_only_the_killer(w: World) {
        for life in [|_: usize| "same address".to_owned(), |n: usize| format!("life {n}")] {
            let job = w.job_of(24).await;
            let killer = w.store.free_tasks(job, (i64::MIN, trapline_core::CaptureId(0)), 24).await.unwrap()[11].1.capture;
            let deaths = work_off(&w, job, killer, life).await;
            assert_eq!(deaths, 3, "the batch, the killer alone in its answer, and alone with its worker");
            assert_eq!(w.counts(job).await, [24, 0, 0, 23, 1]);
            assert_eq!(failures(&w, job).await, [FailReason::Lost]);
            assert_eq!(w.job(job).await.status, JobStatus::Success);
            w.check_counts(job).await;
        }
    }

    async fn a_late_answer_clears_the_siblings_of_a_grant_that_was_taken_for_dead(w: World) {
        let job = w.job_of(8).await;
        let tasks = w.grant(job, 4, "slow").await;
        let ahead = w.grant(job, 4, "dead").await;
        w.outlive().await;
        // Handed out alone again, and answered under that hand-out: the others stay suspect.
        let alone = w.grant_suspect(job, "x").await[0];
        w.succeed(alone, 0).await;
        let late = tasks.iter().chain(&ahead).find(|t| t.0.capture != alone.0.capture).copied().unwrap();
        assert_eq!(w.succeed(late, 0).await, Settled::Saved);
        let siblings = if tasks.iter().any(|t| t.0.capture == late.0.capture) { &tasks } else { &ahead };
        let (batch, suspects) = all_free(&w, job, "y").await;
        assert_eq!(batch.len() + suspects.len(), 6);
        assert!(batch.iter().all(|b| siblings.iter().any(|s| s.0.capture == b.0.capture)));
        assert!(suspects.iter().all(|b| !siblings.iter().any(|s| s.0.capture == b.0.capture)));
        assert!(log(&w, job, Level::Info).await.iter().any(|l| l.contains("was not dead")));
    }

    async fn a_late_answer_clears_no_suspect_of_another_job(w: World) {
        let (job, other) = (w.job_of(3).await, w.job_of(3).await);
        let tasks = w.grant(job, 3, "slow").await;
        w.grant(other, 3, "dead").await;
        w.outlive().await;
        assert_eq!(w.succeed(tasks[0], 0).await, Settled::Saved);
        let (batch, suspects) = all_free(&w, job, "x").await;
        assert_eq!((batch.len(), suspects.len()), (2, 0));
        let (batch, suspects) = all_free(&w, other, "y").await;
        assert_eq!((batch.len(), suspects.len()), (0, 3), "their worker has not answered");
    }

    async fn a_late_answer_from_the_first_death_clears_the_siblings_though_its_own_image_died_again(w: World) {
        let job = w.job_of(3).await;
        let tasks = w.grant(job, 3, "slow").await;
        w.outlive().await;
        let alone = w.grant_suspect(job, "x").await[0];
        w.outlive().await;
        let late = tasks.iter().find(|t| t.0.capture == alone.0.capture).copied().unwrap();
        assert_eq!(w.succeed(late, 0).await, Settled::Saved);
        let (batch, suspects) = all_free(&w, job, "y").await;
        assert_eq!((batch.len(), suspects.len()), (2, 0));
    }

    async fn outages_and_leases_given_back_are_no_death(w: World) {
        let job = w.job_of(4).await;
        w.beat().await;
        let tasks = w.grant(job, 4, "w").await;
        let (answers, _) = w.store.change_leases(LeaseChange::Release, &[tasks[0].0], &w.policy(), w.now()).await.unwrap();
        assert_eq!(answers, [Ok(())]);
        let (answers, _) = w.store.change_leases(LeaseChange::Undelivered, &[tasks[1].0], &w.policy(), w.now()).await.unwrap();
        assert_eq!(answers, [Ok(())]);
        w.pass(500);
        w.beat().await;
        w.live(DEATH).await;
        w.sweep().await;
        assert_eq!(w.grant_of(job, None, 9, "x").await.len(), 4, "none is suspect");
        // Named in an extension, one lease lives on: its worker is alive and let the others end.
        let tasks = w.grant(w.job_of(3).await, 3, "alive").await;
        w.live(30).await;
        w.store.change_leases(LeaseChange::Extend, &[tasks[0].0], &w.policy(), w.now()).await.unwrap();
        w.live(35).await;
        w.sweep().await;
        assert_eq!(w.grant_of(tasks[0].0.job, None, 9, "x").await.len(), 2, "struck, not suspect");
    }

    async fn a_suspect_is_alone_and_one_process_that_holds_it_gets_nothing_else(w: World) {
        let job = w.job_of(10).await;
        let dead = w.grant(job, 3, "dead").await;
        w.outlive().await;
        let proposed = || Some(dead.iter().map(|g| g.0.capture).collect::<Vec<_>>());
        assert!(w.grant_of(job, proposed(), 9, "x").await.is_empty(), "a suspect is in no batch");
        let process = w.process("p").await;
        let (alone, seen) = w.hand_out(job, Want::Suspect, None, 9, process).await;
        assert!(alone.len() == 1 && seen.suspects && !seen.held_back);
        assert!(w.standing(process).await.held_back);
        for want in [Want::Batch, Want::Suspect] {
            let (none, seen) = w.hand_out(job, want, None, 9, process).await;
            assert!(none.is_empty() && seen.held_back);
        }
        w.succeed(alone[0], 0).await;
        assert!(!w.standing(process).await.held_back);
        assert_eq!(w.hand_out(job, Want::Batch, None, 3, process).await.0.len(), 3);
        // Others may be behind the same address.
        let address = w.worker("10.0.0.1").await;
        assert_eq!(w.hand_out(job, Want::Suspect, None, 9, address).await.0.len(), 1);
        assert!(!w.standing(address).await.held_back);
        let (more, seen) = w.hand_out(job, Want::Batch, None, 9, address).await;
        assert!(more.len() == 4 && seen.suspects);
        assert_eq!(w.store.waiting_jobs(&["p".into()], None, 2).await.unwrap().len(), 1, "a job of suspects waits too");
        let (last, seen) = w.hand_out(job, Want::Suspect, None, 9, address).await;
        assert!(last.len() == 1 && !seen.suspects);
        assert!(w.store.waiting_jobs(&["p".into()], None, 2).await.unwrap().is_empty());
    }

    async fn a_new_run_begins_without_suspicion(w: World) {
        let job = w.job_of(5).await;
        w.grant(job, 5, "w").await;
        w.outlive().await;
        new_run(&w, job).await;
        assert_eq!(w.grant_of(job, None, 9, "x").await.len(), 5);
    }

    async fn the_same_batch_error_on_every_image_fails_only_the_one_that_has_it_alone(w: World) {
        let job = w.job_of(24).await;
        let tasks = w.grant(job, 24, "adc").await;
        let items = batch_of(&tasks, "Batch processing error: CUDA out of memory");
        let report = w.settle(&items).await;
        assert!(report.items.iter().all(|i| *i == Settled::Saved));
        assert_eq!(report.freed.len(), 24);
        assert!(report.touched.len() == 1 && report.touched[0].settled.is_empty() && !report.touched[0].landed);
        assert_eq!(w.counts(job).await, [24, 24, 0, 0, 0]);
        assert_eq!(w.job(job).await.last_result_at, Some(w.now()));
        let warned = log(&w, job, Level::Warning).await;
        assert!(warned.len() == 1 && warned[0].contains("Worker adc") && warned[0].contains("24 image(s)") && warned[0].contains("CUDA"), "{warned:?}");
        // The same post again, and again after they were handed out anew.
        let again = w.settle(&items).await;
        assert!(again.items.iter().all(|i| matches!(i, Settled::Ignored(_))) && again.freed.is_empty());
        let (batch, suspects) = all_free(&w, job, "adc").await;
        assert_eq!((batch.len(), suspects.len()), (0, 24));
        assert!(w.settle(&items).await.items.iter().all(|i| matches!(i, Settled::Ignored(_))));
        w.fail(suspects[5]).await;
        for (at, task) in suspects.iter().enumerate() {
            if at != 5 {
                w.succeed(*task, 0).await;
            }
        }
        assert_eq!(w.counts(job).await, [24, 0, 0, 23, 1]);
        assert_eq!(failures(&w, job).await, [FailReason::WorkerError]);
        assert_eq!(w.job(job).await.status, JobStatus::Success);
        w.check_counts(job).await;
    }

    async fn a_batch_error_is_never_the_last_strike_of_an_image_that_had_it_with_others(w: World) {
        let job = w.job_of(3).await;
        let tasks = w.grant(job, 3, "w").await;
        let detail = "Batch processing error".to_owned();
        let items: Vec<Settlement> = tasks.iter().map(|t| {
            Settlement { receipt: t.0, posted: Posted::BatchError { detail: detail.clone(), max_deliver: 1 } }
        }).collect();
        let report = w.settle(&items).await;
        assert_eq!(report.freed.len(), 3);
        assert_eq!(failures(&w, job).await, []);
        let alone = w.grant(job, 1, "w").await;
        w.fail(alone[0]).await;
        assert_eq!(failures(&w, job).await, [FailReason::WorkerError]);
        w.check_counts(job).await;
    }

    async fn a_success_beside_a_batch_error_counts_and_its_grant_is_answered(w: World) {
        let job = w.job_of(6).await;
        let tasks = w.grant(job, 6, "w").await;
        let mut items = batch_of(&tasks[..2], "Batch processing error: x");
        items.push(Settlement { receipt: tasks[2].0, posted: Posted::Success(vec![]) });
        // A success for one of them in the same group is the last word.
        items.push(Settlement { receipt: tasks[1].0, posted: Posted::Success(vec![]) });
        let report = w.settle(&items).await;
        assert_eq!(report.freed.len(), 1);
        assert_eq!(w.counts(job).await, [6, 1, 3, 2, 0]);
        w.check_counts(job).await;
        w.outlive().await;
        let (batch, suspects) = all_free(&w, job, "x").await;
        assert_eq!((batch.len(), suspects.len()), (3, 1), "the rest has plain strikes");
    }
}
