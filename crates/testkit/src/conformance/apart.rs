//! The cases of the store: what is done to one job, hand-out or lease changes no other.

use std::time::Duration;

use trapline_core::{
    CaptureId, FailReason, JobId,
    job::JobMove,
    ports::{ImageQuery, LeaseChange, LeasePolicy, Level, NewJob, Posted, Settled, Settlement, Want},
};

use super::{
    Grant, World, cases,
    grants::grant_within,
    suspects::{all_free, log, new_run},
};

/// All that is shown of a job and its tasks.
async fn picture(w: &World, job: JobId) -> String {
    let query = ImageQuery {
        job,
        state: None,
        reason: None,
        after: CaptureId(0),
        back: false,
        limit: 1_000,
    };
    let images = w.store.images(&query).await.unwrap();
    format!("{:?} {images:?}", w.job(job).await.counts)
}

fn mismatch(grant: Grant, max_deliver: i64) -> Settlement {
    let posted = Posted::Mismatch {
        detail: "an unknown label".into(),
        max_deliver,
    };
    Settlement {
        receipt: grant.0,
        posted,
    }
}

fn batch_error(grant: Grant) -> Settlement {
    let posted = Posted::BatchError {
        detail: "Batch processing error".into(),
        max_deliver: 2,
    };
    Settlement {
        receipt: grant.0,
        posted,
    }
}

/// Why the only image of a job was lost.
async fn lost_detail(w: &World, job: JobId) -> String {
    let query = ImageQuery {
        job,
        state: None,
        reason: Some(FailReason::Lost),
        after: CaptureId(0),
        back: false,
        limit: 9,
    };
    let rows = w.store.images(&query).await.unwrap();
    rows[0].detail.clone().unwrap()
}

/// A job of one image that has used up the budget by two strikes.
async fn spent_job(w: &World) -> JobId {
    let job = w.job_of(1).await;
    for _ in 0..2 {
        let task = w.grant(job, 1, "mixed").await[0];
        w.settle(&[mismatch(task, 9)]).await;
    }
    job
}

async fn last_try_lines(w: &World, job: JobId) -> Vec<String> {
    let mut lines = log(w, job, Level::Warning).await;
    lines.retain(|line| line.contains("one last try"));
    lines
}

cases! { World;
    async fn only_what_is_free_in_a_running_job_and_has_used_up_its_budget_gets_a_last_try_of_the_sweep(w: World) {
        let job = w.job_of(3).await;
        for of in [3, 2] {
            let items: Vec<_> = w.grant(job, of, "mixed").await.into_iter().map(|g| mismatch(g, 9)).collect();
            w.settle(&items).await;
        }
        let [held, stale, canceled, deleted] =
            [spent_job(&w).await, spent_job(&w).await, spent_job(&w).await, spent_job(&w).await];
        assert_eq!(grant_within(&w, held, Want::Batch, 9, "another budget").await.tasks.len(), 1);
        for by in [JobMove::Cancel, JobMove::Revoke, JobMove::RetryFailed] {
            w.go(stale, by).await;
        }
        w.go(canceled, JobMove::Cancel).await;
        w.store.delete_job(deleted, w.now()).await.unwrap();
        w.sweep().await;
        for other in [held, stale, canceled, deleted] {
            assert_eq!(last_try_lines(&w, other).await.len(), 0, "job {other}");
        }
        let said = last_try_lines(&w, job).await;
        assert!(said.len() == 1 && said[0].starts_with("2 image(s)"), "{said:?}");
        assert_eq!(w.grant_of(job, None, 9, "x").await.len(), 1, "it has one strike");
        for n in 0..2 {
            assert_eq!(w.grant_last_try(job, &format!("alone {n}")).await.len(), 1);
        }
        w.sweep().await;
        assert_eq!(last_try_lines(&w, job).await.len(), 1, "once");
    }

    async fn what_is_done_to_a_job_changes_no_other_on_the_same_captures(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&[true; 6]).await);
        let new = NewJob { reprocess: true, shuffle: false, ..w.new_job(pipeline, set) };
        let (job, other) = (w.create(&new).await, w.create(&new).await);
        assert!(w.job(job).await.reprocess);
        w.collect().await;
        let page = w.store.free_tasks(job, (i64::MIN, CaptureId(0)), 9).await.unwrap();
        let all: Vec<CaptureId> = page.into_iter().map(|(_, c)| c.capture).collect();
        let held = w.grant_of(job, Some(all[..4].to_vec()), 9, "a").await;
        assert!(w.grant_of(job, Some(all[..4].to_vec()), 9, "a").await.is_empty(), "the other job's are free");
        w.pass(30);
        let others = w.grant_of(other, Some(all[..5].to_vec()), 9, "b").await;
        w.succeed(others[4], 1).await;
        let before = picture(&w, other).await;
        w.store.change_leases(LeaseChange::Release, &[held[0].0], &w.policy(), w.now()).await.unwrap();
        let items = [batch_error(held[1]), mismatch(held[2], 9)];
        assert_eq!(w.settle(&items).await.freed.len(), 2);
        w.succeed(held[3], 2).await;
        assert_eq!(picture(&w, other).await, before, "after answers");
        let more = w.grant_of(job, None, 9, "c").await;
        assert_eq!(more.len(), 4, "what was given back, what had a strike, and the rest");
        w.store.change_leases(LeaseChange::Extend, &[more[0].0], &w.policy(), w.now()).await.unwrap();
        w.pass(45);
        // The other job's leases would be over had they not been extended here, and the first job's are not touched.
        let receipts: Vec<_> = others[..2].iter().map(|g| g.0).collect();
        let (answers, _) = w.store.change_leases(LeaseChange::Extend, &receipts, &w.policy(), w.now()).await.unwrap();
        assert_eq!(answers, [Ok(()), Ok(())]);
        w.pass(25);
        let freed = w.sweep().await.freed;
        let of = |job: JobId| freed.iter().filter(|(of, _)| *of == job).count();
        assert_eq!((of(job), of(other)), (4, 2));
        let before = picture(&w, other).await;
        new_run(&w, job).await;
        assert_eq!(picture(&w, other).await, before, "after a new run");
        for grant in &others[..4] {
            assert_eq!(w.succeed(*grant, 0).await, Settled::Saved);
        }
        w.check_counts(job).await;
        w.check_counts(other).await;
    }

    async fn a_late_answer_is_one_to_its_own_hand_out_and_no_other_of_its_worker(w: World) {
        let job = w.job_of(4).await;
        let (first, second) = (w.grant(job, 2, "w").await, w.grant(job, 2, "w").await);
        w.store.change_leases(LeaseChange::Undelivered, &[first[0].0], &w.policy(), w.now()).await.unwrap();
        assert_eq!(w.succeed(first[0], 0).await, Settled::Saved);
        w.outlive().await;
        let (batch, suspects) = all_free(&w, job, "x").await;
        let captures = |grants: &[Grant]| grants.iter().map(|g| g.0.capture).collect::<Vec<_>>();
        assert_eq!(captures(&batch), captures(&first[1..]), "answered in part");
        assert_eq!(captures(&suspects), captures(&second), "answered not at all");
    }

    async fn a_suspect_that_was_given_back_or_lost_by_its_process_holds_it_back_no_more(w: World) {
        let job = w.job_of(4).await;
        w.grant(job, 4, "dead").await;
        w.outlive().await;
        let process = w.process("p").await;
        let one = w.hand_out(job, Want::Suspect, None, 1, process).await.0[0];
        assert!(w.standing(process).await.held_back);
        w.store.change_leases(LeaseChange::Release, &[one.0], &w.policy(), w.now()).await.unwrap();
        assert!(!w.standing(process).await.held_back);
        let captures = Some(vec![one.0.capture]);
        let x = w.worker("x").await;
        assert_eq!(w.hand_out(job, Want::Suspect, captures, 1, x).await.0.len(), 1);
        assert!(!w.standing(process).await.held_back, "another has it now");
        assert_eq!(w.hand_out(job, Want::Suspect, None, 1, process).await.0.len(), 1);
    }

    async fn a_worker_waits_for_last_tries_only_while_it_could_get_one(w: World) {
        let (job, other) = (w.job_of(1).await, w.job_of(4).await);
        w.grant(job, 1, "dead").await;
        w.outlive().await;
        w.grant_suspect(job, "dead too").await;
        w.outlive().await;
        let worker = w.worker("w").await;
        w.hand_out(other, Want::Batch, None, 1, worker).await;
        assert!(w.hand_out(job, Want::LastTry { only: true }, None, 1, worker).await.1.held_back);
        assert_eq!(w.standing(worker).await.waits_for, Some(job));
        assert_eq!(w.store.standing(worker, 1).await.unwrap().waits_for, None, "under a smaller budget there is none");
        assert!(w.hand_out(other, Want::Batch, None, 1, worker).await.1.held_back);
        assert_eq!(w.grant_last_try(job, "free").await.len(), 1);
        assert_eq!(w.standing(worker).await.waits_for, None, "another has it");
        assert_eq!(w.hand_out(other, Want::Batch, None, 1, worker).await.0.len(), 1);
    }

    async fn an_extension_by_a_node_with_shorter_leases_shortens_none(w: World) {
        let job = w.job_of(1).await;
        let receipts = [w.grant(job, 1, "w").await[0].0];
        let shorter = LeasePolicy { ttr: Duration::from_secs(9), ..w.policy() };
        let (answers, _) = w.store.change_leases(LeaseChange::Extend, &receipts, &shorter, w.now()).await.unwrap();
        assert_eq!(answers, [Ok(())]);
        w.pass(62);
        assert!(w.sweep().await.freed.is_empty());
        w.pass(2);
        assert_eq!(w.sweep().await.freed.len(), 1);
    }

    async fn a_lost_image_names_all_whose_answers_were_strikes_and_nobody_else(w: World) {
        // The strike of a mismatch, twice; then the last try.
        let job = w.job_of(1).await;
        for worker in ["first", "second"] {
            let task = w.grant(job, 1, worker).await[0];
            assert_eq!(w.settle(&[mismatch(task, 9)]).await.freed.len(), 1);
        }
        w.sweep().await;
        assert_eq!(w.grant_last_try(job, "third").await.len(), 1);
        w.outlive().await;
        let detail = lost_detail(&w, job).await;
        assert!(detail.contains("to first") && detail.contains("second") && detail.contains("third"), "{detail}");
        // A batch error is no strike at first, and one of a suspect is.
        let job = w.job_of(1).await;
        for (worker, want) in [("fourth", Want::Batch), ("fifth", Want::Suspect)] {
            let who = w.worker(worker).await;
            let task = w.hand_out(job, want, None, 1, who).await.0[0];
            assert_eq!(w.settle(&[batch_error(task)]).await.freed.len(), 1);
        }
        assert_eq!(w.grant_last_try(job, "sixth").await.len(), 1);
        w.outlive().await;
        let detail = lost_detail(&w, job).await;
        assert!(detail.contains("to fifth") && detail.contains("sixth") && !detail.contains("fourth"), "{detail}");
    }

    async fn what_has_used_up_its_budget_is_in_no_batch_and_takes_no_place_in_one(w: World) {
        let job = w.job_of(2).await;
        let page = w.store.free_tasks(job, (i64::MIN, CaptureId(0)), 9).await.unwrap();
        let (first, second) = (page[0].1.capture, page[1].1.capture);
        for _ in 0..2 {
            let task = w.grant_of(job, Some(vec![first]), 9, "mixed").await[0];
            w.settle(&[mismatch(task, 9)]).await;
        }
        assert!(w.grant_of(job, Some(vec![first]), 9, "x").await.is_empty());
        assert_eq!(w.grant_of(job, None, 1, "x").await[0].0.capture, second);
    }
}
