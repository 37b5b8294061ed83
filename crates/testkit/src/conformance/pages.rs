//! The cases of what the pages of a job read: failed images, and a log from its end.

use trapline_core::{
    CaptureId, FailReason,
    handout::known::{End, known},
    job::JobMove,
    pace::{HOUR, JobMinute},
    ports::{ImageQuery, ImageState, Level, LogPage, LogQuery, Posted, Settlement},
};

use super::{World, cases};

cases! { World;
    async fn failed_images_are_read_by_key_and_by_reason(w: World) {
        let job = w.job_of(6).await;
        let tasks = w.grant(job, 6, "w").await;
        let fail = |at: usize, reason, detail: &str| Settlement {
            receipt: tasks[at].0,
            posted: Posted::Fail { reason, detail: detail.to_owned() },
        };
        w.settle(&[
            fail(1, FailReason::WorkerError, "no moth"),
            fail(3, FailReason::InvalidResult, "no box"),
            fail(4, FailReason::WorkerError, "no moth"),
        ]).await;
        let mut wanted = [1, 3, 4].map(|at| tasks[at].0.capture);
        wanted.sort();
        let all = ImageQuery { job, state: Some(ImageState::Failed), reason: None, after: CaptureId(i64::MIN), back: false, limit: 9 };
        let read = async |query: ImageQuery| -> Vec<CaptureId> {
            w.store.images(&query).await.unwrap().iter().map(|row| row.capture).collect()
        };
        assert_eq!(read(all).await, wanted);
        assert_eq!(read(ImageQuery { after: wanted[0], limit: 1, ..all }).await, wanted[1..2]);
        let back = ImageQuery { after: CaptureId(i64::MAX), back: true, ..all };
        assert_eq!(read(back).await, [wanted[2], wanted[1], wanted[0]]);
        assert_eq!(read(ImageQuery { after: wanted[2], limit: 1, ..back }).await, wanted[1..2]);
        let of_worker = ImageQuery { after: wanted[2], reason: Some(FailReason::WorkerError), ..back };
        let by_worker = [1, 4].map(|at| tasks[at].0.capture).into_iter().filter(|c| *c < wanted[2]);
        let mut by_worker: Vec<_> = by_worker.collect();
        by_worker.sort_by(|a, b| b.cmp(a));
        assert_eq!(read(of_worker).await, by_worker);
        let mut each: Vec<_> = tasks.iter().map(|task| task.0.capture).collect();
        each.sort();
        let mut of_all = read(ImageQuery { state: None, after: each[4], ..back }).await;
        of_all.reverse();
        assert_eq!(of_all, each[..4]);
        let invalid = ImageQuery { reason: Some(FailReason::InvalidResult), ..all };
        assert_eq!(read(invalid).await, [tasks[3].0.capture]);
        assert!(read(ImageQuery { reason: Some(FailReason::Lost), ..all }).await.is_empty());
    }

    async fn an_image_says_when_it_was_handed_out_in_this_run_and_when_it_was_settled(w: World) {
        let job = w.job_of(2).await;
        let read = async |capture| {
            let query = ImageQuery::first(job, 9);
            let rows = w.store.images(&query).await.unwrap();
            let row = rows.into_iter().find(|row| row.capture == capture).unwrap();
            (row.granted_at, row.settled_at)
        };
        let task = w.grant(job, 1, "w").await[0];
        let granted = task.0.granted_at;
        assert_eq!(read(task.0.capture).await, (Some(granted), None));
        w.pass(7);
        w.succeed(task, 0).await;
        assert_eq!(read(task.0.capture).await, (Some(granted), Some(w.now())));
        let other = w.grant(job, 1, "w").await[0];
        w.fail(other).await;
        w.go(job, JobMove::Retry).await;
        w.collect().await;
        assert_eq!(read(task.0.capture).await, (None, None));
    }

    async fn images_that_wait_are_read_in_the_order_of_dispatch_from_any_of_them(w: World) {
        let job = w.job_of(6).await;
        let place = async || {
            let free = w.store.free_tasks(job, (i64::MIN, CaptureId(0)), 9).await.unwrap();
            free.iter().map(|(_, task)| task.capture).collect::<Vec<_>>()
        };
        let order = place().await;
        let all = ImageQuery { job, state: Some(ImageState::Pending), reason: None, after: CaptureId(i64::MIN), back: false, limit: 9 };
        let read = async |query: ImageQuery| -> Vec<CaptureId> {
            w.store.images(&query).await.unwrap().iter().map(|row| row.capture).collect()
        };
        assert_eq!(read(all).await, order);
        assert_eq!(read(ImageQuery { after: order[1], limit: 2, ..all }).await, order[2..4]);
        assert!(read(ImageQuery { reason: Some(FailReason::Lost), ..all }).await.is_empty());
        // What a worker holds does not wait, and a page begins after it all the same.
        let held = w.grant(job, 2, "w").await;
        let waiting = place().await;
        assert_eq!((read(all).await, waiting.len()), (waiting.clone(), 4));
        w.succeed(held[0], 1).await;
        let after = held[0].0.capture;
        let later: Vec<_> = order.iter().skip_while(|c| **c != after).filter(|c| waiting.contains(c)).copied().collect();
        assert_eq!(read(ImageQuery { after, ..all }).await, later);
        assert!(read(ImageQuery { after: order[5], ..all }).await.is_empty());
    }

    async fn images_that_wait_or_are_held_are_read_back_from_any_of_them(w: World) {
        let job = w.job_of(6).await;
        let held = w.grant(job, 2, "w").await;
        let free = w.store.free_tasks(job, (i64::MIN, CaptureId(0)), 9).await.unwrap();
        let mut order: Vec<_> = free.iter().map(|(_, task)| task.capture).collect();
        order.reverse();
        let all = ImageQuery { job, state: Some(ImageState::Pending), reason: None, after: CaptureId(i64::MAX), back: true, limit: 9 };
        let read = async |query: ImageQuery| -> Vec<CaptureId> {
            w.store.images(&query).await.unwrap().iter().map(|row| row.capture).collect()
        };
        assert_eq!((read(all).await, order.len()), (order.clone(), 4));
        assert_eq!(read(ImageQuery { after: order[0], limit: 2, ..all }).await, order[1..3]);
        assert!(read(ImageQuery { after: order[3], ..all }).await.is_empty());
        let mut held = [held[0].0.capture, held[1].0.capture];
        held.sort_by(|a, b| b.cmp(a));
        let of_held = ImageQuery { state: Some(ImageState::InFlight), ..all };
        assert_eq!(read(of_held).await, held);
        assert_eq!(read(ImageQuery { after: held[0], ..of_held }).await, held[1..]);
    }

    async fn hand_outs_are_known_as_they_end(w: World) {
        let job = w.job_of(1).await;
        let first = w.grant(job, 1, "w1").await[0];
        let capture = first.0.capture;
        let read = async || {
            let of = w.store.hand_outs(job, capture).await.unwrap().unwrap();
            let query = ImageQuery { job, state: None, reason: None, after: CaptureId(0), back: false, limit: 1 };
            let image = w.store.images(&query).await.unwrap().remove(0);
            let all = known(&image, &of).into_iter().map(|h| (h.worker, h.end)).collect::<Vec<_>>();
            (all, image.granted_at, of.lease_until.is_some())
        };
        let of = |worker: &str, end| (worker.to_owned(), end);
        let granted = w.now();
        assert_eq!(read().await, (vec![of("w1", End::Held)], Some(granted), true));
        w.outlive().await;
        w.sweep().await;
        assert_eq!(read().await, (vec![of("w1", End::WithoutResult)], Some(granted), false));
        let second = w.grant_suspect(job, "w2").await[0];
        let granted = w.now();
        assert_eq!(read().await, (vec![of("w1", End::WithoutResult), of("w2", End::Held)], Some(granted), true));
        w.succeed(second, 1).await;
        assert_eq!(read().await, (vec![of("w1", End::WithoutResult), of("w2", End::Answered)], Some(granted), false));
        w.go(job, JobMove::Retry).await;
        w.collect().await;
        assert_eq!(read().await.0, []);
        assert_eq!(w.store.hand_outs(job, CaptureId(capture.0 + 99)).await.unwrap(), None);
    }

    async fn a_log_is_read_from_its_end_and_by_level(w: World) {
        let job = w.job_of(1).await;
        let line = |level, message: &str| trapline_core::ports::LogLine { job, level, message: message.to_owned(), capture: None };
        let lines = [Level::Info, Level::Warning, Level::Debug, Level::Error, Level::Info]
            .map(|level| line(level, level.as_str()));
        w.store.log(&lines, w.now()).await.unwrap();
        let query = LogQuery { job, level: None, capture: None, page: LogPage::Newest, limit: 2 };
        let read = async |query: LogQuery| -> Vec<(i64, Level)> {
            w.store.logs(&query).await.unwrap().iter().map(|row| (row.id, row.level)).collect()
        };
        let newest = read(query).await;
        assert_eq!([newest[0].1, newest[1].1], [Level::Info, Level::Error]);
        let before = read(LogQuery { page: LogPage::Before(newest[1].0), ..query }).await;
        assert_eq!([before[0].1, before[1].1], [Level::Debug, Level::Warning]);
        let bad = LogQuery { level: Some(Level::Warning), ..query };
        let bad = read(bad).await;
        assert_eq!([bad[0].1, bad[1].1], [Level::Error, Level::Warning]);
        let older = LogQuery { level: Some(Level::Warning), page: LogPage::Before(bad[0].0), ..query };
        assert_eq!(read(older).await, bad[1..]);
        let errors = LogQuery { level: Some(Level::Error), page: LogPage::After(0), ..query };
        assert_eq!(read(errors).await, bad[..1]);
    }

    async fn minutes_of_a_job_add_up_and_old_ones_become_hours(w: World) {
        let (job, other) = (w.job_of(1).await, w.job_of(1).await);
        let of = |job, minute, processed| JobMinute { job, step: 1, minute, processed, failed: 1 };
        let hour = |minute, processed, failed| JobMinute { job, step: HOUR, minute, processed, failed };
        let add = async |minutes: &[JobMinute]| w.store.add_minutes(minutes).await.unwrap();
        add(&[of(job, 181, 5), of(job, 125, 2), of(other, 125, 9), of(job, 120, 1)]).await;
        add(&[of(job, 125, 4), of(trapline_core::JobId(99), 125, 4)]).await;
        let read = async |since| w.store.minutes(&[job], since).await.unwrap();
        let sum = JobMinute { failed: 2, ..of(job, 125, 6) };
        assert_eq!(read(121).await, [sum, of(job, 181, 5)]);
        assert!(w.store.fold_minutes(180).await.unwrap());
        assert!(w.store.fold_minutes(180).await.unwrap());
        assert!(!w.store.fold_minutes(180).await.unwrap());
        assert_eq!(read(0).await, [hour(120, 7, 3), of(job, 181, 5)]);
        add(&[of(job, 121, 1)]).await;
        assert!(w.store.fold_minutes(180).await.unwrap());
        assert_eq!(read(0).await, [hour(120, 8, 4), of(job, 181, 5)]);
        for by in [JobMove::Cancel, JobMove::Revoke] { w.go(job, by).await; }
        w.store.delete_job(job, w.now()).await.unwrap().unwrap();
        add(&[of(job, 190, 1)]).await;
        for (job, run) in w.store.cleanup_due(10).await.unwrap() {
            w.store.cleaned(job, run).await.unwrap();
        }
        while w.store.purge().await.unwrap() {}
        assert!(read(0).await.is_empty());
        assert_eq!(w.store.minutes(&[job, other], 0).await.unwrap().len(), 1);
    }
}
