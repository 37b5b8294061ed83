//! The case of a job's tasks in either direction.

use trapline_core::{
    CaptureId, TaskState,
    ports::{Posted, ResultQuery, Settlement},
};

use super::{World, cases};

cases! { World;
    async fn results_are_paged_by_key_in_both_directions(w: World) {
        let _other = w.job_of(2).await;
        let job = w.job_of(5).await;
        let tasks = w.grant(job, 1, "w").await;
        let done = Settlement { receipt: tasks[0].0, posted: Posted::Success(w.detections(2).await) };
        w.settle(&[done]).await;
        let query = ResultQuery { job, from: CaptureId(0), back: false, limit: 3 };
        let first = w.store.results(&query).await.unwrap();
        let last = first.last().unwrap().capture.id;
        let rest = w.store.results(&ResultQuery { from: last, ..query }).await.unwrap();
        let ids: Vec<_> = first.iter().chain(&rest).map(|r| r.capture.id).collect();
        assert_eq!((first.len(), rest.len()), (3, 2));
        assert!(ids.is_sorted(), "{ids:?}");
        let back = w.store.results(&ResultQuery { from: ids[3], back: true, ..query }).await.unwrap();
        let back: Vec<_> = back.iter().map(|r| r.capture.id).collect();
        assert_eq!(back, [ids[2], ids[1], ids[0]]);
        let none = ResultQuery { from: ids[0], back: true, ..query };
        assert!(w.store.results(&none).await.unwrap().is_empty());
        let done = first.iter().find(|r| r.capture.id == tasks[0].0.capture).unwrap();
        assert_eq!((done.state, done.detections), (TaskState::Processed, 2));
        assert!(done.settled_at.is_some() && done.capture.url.contains("://"), "{done:?}");
        let open = first.iter().find(|r| r.capture.id != done.capture.id).unwrap();
        assert_eq!((open.state, open.detections, open.settled_at), (TaskState::Pending, 0, None));
    }
}
