//! The cases of what a job found, added up: a projection that is exact at the landing.

use std::collections::BTreeMap;

use trapline_core::{
    CaptureId, JobId, ProjectId, TakenAt, TaskState, Zone,
    catalog::{CaptureFacts, Learnt, ProjectEdit},
    job::JobMove,
    summary::{LabelledQuery, START, Summary, TakenQuery},
};

use super::{Grant, World, cases};

/// Makes slices until there is nothing to do.
async fn summarise(w: &World, job: JobId) -> Summary {
    while w.store.summarise(job, w.now()).await.unwrap() {}
    w.store.summary(job, None).await.unwrap().unwrap()
}

/// The tasks of a job in the order of dispatch.
async fn in_order(w: &World, job: JobId, n: usize) -> Vec<Grant> {
    let order = w
        .store
        .free_tasks(job, (i64::MIN, CaptureId(0)), 1_000)
        .await
        .unwrap();
    let place: BTreeMap<CaptureId, usize> = order
        .iter()
        .zip(0..)
        .map(|((_, c), at)| (c.capture, at))
        .collect();
    let mut tasks = w.grant(job, n, "w").await;
    tasks.sort_by_key(|task| place[&task.0.capture]);
    tasks
}

fn labels(summary: &Summary) -> BTreeMap<&str, u64> {
    summary
        .labels
        .iter()
        .map(|(label, n)| (label.as_str(), *n))
        .collect()
}

cases! { World;
    async fn a_summary_counts_up_to_the_first_open_task_and_is_exact_at_the_landing(w: World) {
        let job = w.job_of(4).await;
        let tasks = in_order(&w, job, 4).await;
        let at = TakenAt::parse("2022-06-23T22:10:00").unwrap();
        let learnt = |task: &Grant| Learnt {
            capture: task.0.capture,
            url: None,
            facts: CaptureFacts { taken_at: Some(at), ..CaptureFacts::default() },
        };
        w.store.describe_captures(&[learnt(&tasks[0]), learnt(&tasks[3])]).await.unwrap();
        w.succeed(tasks[0], 3).await;
        w.succeed(tasks[2], 2).await;
        let summary = summarise(&w, job).await;
        assert_eq!((summary.seen, summary.complete, summary.images), (3, false, [0, 1, 0, 0]));
        assert_eq!(labels(&summary), [("a", 2), ("b", 1)].into());
        let evening = Zone::default().half_hour(at);
        assert_eq!(summary.photographs, [(evening, 2)].into());
        assert_eq!(summary.activity, [(evening, 3)].into());
        w.fail(tasks[1]).await;
        assert_eq!(summarise(&w, job).await.seen, 5);
        // It comes behind the watermark.
        w.succeed(tasks[1], 1).await;
        w.succeed(tasks[3], 7).await;
        let summary = summarise(&w, job).await;
        assert_eq!((summary.seen, summary.complete, summary.images), (13, true, [1, 2, 1, 0]));
        assert_eq!(w.job(job).await.counts.detections, 13);
        assert_eq!(labels(&summary), [("a", 8), ("b", 5)].into());
        assert_eq!(summary.activity, [(evening, 10)].into());
        assert_eq!(summary.scores.iter().sum::<u64>(), 13);
        let b = w.store.summary(job, Some("b")).await.unwrap().unwrap();
        assert_eq!((b.scores[2], b.activity), (5, [(evening, 4)].into()));
        assert!(!w.store.summarise(job, w.now()).await.unwrap());
    }

    async fn photographs_are_counted_again_at_the_end_with_what_was_learnt_of_those_that_were_processed(w: World) {
        let job = w.job_of(3).await;
        let tasks = in_order(&w, job, 3).await;
        let query = TakenQuery { job, among: (i64::MIN, i64::MAX), from: (i64::MIN, CaptureId(0)), back: false, limit: 9 };
        assert!(summarise(&w, job).await.photographs.is_empty());
        let at = TakenAt::parse("2022-06-23T22:10:00").unwrap();
        let facts = CaptureFacts { taken_at: Some(at), ..CaptureFacts::default() };
        let learnt = tasks.iter().map(|t| Learnt { capture: t.0.capture, url: None, facts: facts.clone() });
        w.store.describe_captures(&learnt.collect::<Vec<_>>()).await.unwrap();
        w.succeed(tasks[0], 2).await;
        w.fail(tasks[1]).await;
        let running = summarise(&w, job).await;
        assert_eq!((running.seen, running.processed_only, running.photographs.len()), (2, false, 0));
        w.succeed(tasks[2], 0).await;
        let summary = summarise(&w, job).await;
        let evening = Zone::default().half_hour(at);
        assert_eq!((summary.complete, summary.processed_only, summary.seen), (true, true, 2));
        assert_eq!(summary.photographs, [(evening, 2)].into());
        assert_eq!(summary.activity, [(evening, 2)].into());
        assert_eq!(w.store.taken(&query).await.unwrap().len(), 2);
        // A result after the landing.
        w.succeed(tasks[1], 0).await;
        assert_eq!(summarise(&w, job).await.photographs, [(evening, 3)].into());
        assert_eq!(w.store.taken(&query).await.unwrap().len(), 3);
    }

    async fn a_summary_is_made_again_when_its_project_gets_another_time_zone(w: World) {
        let job = w.job_of(2).await;
        let tasks = in_order(&w, job, 2).await;
        let times = ["2022-06-24T02:10:00Z", "2022-06-23T22:20:00"].map(|text| TakenAt::parse(text).unwrap());
        let learnt = tasks.iter().zip(times).map(|(t, at)| Learnt {
            capture: t.0.capture,
            url: None,
            facts: CaptureFacts { taken_at: Some(at), ..CaptureFacts::default() },
        });
        w.store.describe_captures(&learnt.collect::<Vec<_>>()).await.unwrap();
        w.succeed(tasks[0], 1).await;
        w.succeed(tasks[1], 2).await;
        let (none, toronto) = (Zone::default(), Zone::parse("America/Toronto").unwrap());
        let by_camera = summarise(&w, job).await;
        let places = times.map(|at| none.half_hour(at));
        assert_eq!(by_camera.activity, [(places[0], 1), (places[1], 2)].into());
        assert!(!w.store.summaries_due(9).await.unwrap().contains(&job));

        let project: ProjectId = w.job(job).await.project;
        let zone = |name: Option<&str>| ProjectEdit { time_zone: Some(name.map(str::to_owned)), ..ProjectEdit::default() };
        let edited = w.store.edit_project(project, &zone(Some("America/Toronto"))).await.unwrap().unwrap();
        assert_eq!(edited.settings.time_zone.as_deref(), Some("America/Toronto"));
        assert_eq!(w.store.project(project).await.unwrap().unwrap(), edited);
        assert!(w.store.summaries_due(9).await.unwrap().contains(&job));
        let by_zone = summarise(&w, job).await;
        assert_eq!((by_zone.complete, by_zone.zone, by_zone.seen), (true, toronto.id(), 3));
        assert_eq!(by_zone.activity, [(places[1], 3)].into());
        assert_eq!(by_zone.photographs, [(places[1], 2)].into());
        assert!(!w.store.summaries_due(9).await.unwrap().contains(&job));
        // What stays as it was is not made again.
        let rename = ProjectEdit { name: Some("New".to_owned()), ..zone(Some("America/Toronto")) };
        w.store.edit_project(project, &rename).await.unwrap();
        assert!(!w.store.summaries_due(9).await.unwrap().contains(&job));
        let edited = w.store.edit_project(project, &zone(None)).await.unwrap().unwrap();
        assert_eq!(edited.settings.time_zone, None);
        assert_eq!(summarise(&w, job).await.activity, by_camera.activity);
    }

    async fn nodes_that_summarise_at_the_same_time_count_each_detection_once(w: World) {
        let job = w.job_of(3).await;
        for task in w.grant(job, 3, "w").await {
            w.succeed(task, 700).await;
        }
        loop {
            let slice = || w.store.summarise(job, w.now());
            let (a, b, c) = futures::join!(slice(), slice(), slice());
            if !(a.unwrap() | b.unwrap() | c.unwrap()) {
                break;
            }
        }
        let summary = summarise(&w, job).await;
        assert_eq!((summary.seen, summary.complete, summary.images), (2_100, true, [0, 0, 0, 3]));
        assert_eq!(labels(&summary), [("a", 1_050), ("b", 1_050)].into());
    }

    async fn a_later_run_is_summarised_when_it_has_landed(w: World) {
        let job = w.job_of(2).await;
        let tasks = w.grant(job, 2, "w").await;
        w.succeed(tasks[0], 2).await;
        w.succeed(tasks[1], 2).await;
        assert_eq!(summarise(&w, job).await.seen, 4);
        w.go(job, JobMove::Retry).await;
        w.collect().await;
        let tasks = w.grant(job, 2, "w").await;
        w.succeed(tasks[0], 1).await;
        let summary = summarise(&w, job).await;
        assert_eq!((summary.run, summary.seen), (1, 4));
        assert!(w.store.summaries_due(9).await.unwrap().contains(&job));
        w.succeed(tasks[1], 1).await;
        let summary = summarise(&w, job).await;
        assert_eq!((summary.run, summary.seen, summary.images), (2, 2, [2, 0, 0, 0]));
        assert_eq!(labels(&summary), [("a", 2)].into());
        assert!(!w.store.summaries_due(9).await.unwrap().contains(&job));
    }

    async fn what_has_a_label_and_what_was_taken_at_a_time_is_paged_in_both_directions(w: World) {
        let (job, other) = (w.job_of(3).await, w.job_of(1).await);
        let tasks = in_order(&w, job, 3).await;
        for (task, n) in tasks.iter().zip([1, 4, 0]) {
            w.succeed(*task, n).await;
        }
        let night = TakenAt::parse("2022-06-23T22:10:00").unwrap();
        let facts = CaptureFacts { taken_at: Some(night), ..CaptureFacts::default() };
        let learnt = tasks.iter().map(|t| Learnt { capture: t.0.capture, url: None, facts: facts.clone() });
        w.store.describe_captures(&learnt.collect::<Vec<_>>()).await.unwrap();
        summarise(&w, job).await;
        let query = LabelledQuery { job, label: "b".to_owned(), from: START, back: false, limit: 9 };
        let found = w.store.labelled(&query).await.unwrap();
        let places: Vec<_> = found.iter().map(|(rank, n, row)| (*rank, row.capture.id, *n)).collect();
        let second = tasks[1].0.capture;
        assert_eq!(places, [(100_000, second, 2), (100_000, second, 4)]);
        assert_eq!((found[0].2.state, found[0].2.detections), (TaskState::Processed, 4));
        let back = LabelledQuery { from: places[1], back: true, limit: 1, ..query.clone() };
        assert_eq!(w.store.labelled(&back).await.unwrap()[0].1, 2);
        let best = w.store.labelled(&LabelledQuery { label: "a".to_owned(), ..query.clone() }).await.unwrap();
        let ranks: Vec<_> = best.iter().map(|(rank, ..)| *rank).collect();
        assert_eq!(ranks, [0, 900_000, 900_000]);
        assert!(w.store.labelled(&LabelledQuery { job: other, ..query }).await.unwrap().is_empty());

        let top = async |job, limit| w.store.top_labels(job, limit).await.unwrap();
        assert_eq!((top(job, 9).await, top(job, 1).await), (vec!["a".to_owned(), "b".to_owned()], vec!["a".to_owned()]));
        assert!(top(other, 9).await.is_empty());
        let at = Zone::default().half_hour(night);
        let mut captures: Vec<_> = tasks.iter().map(|t| t.0.capture).collect();
        captures.sort();
        let query = TakenQuery { job, among: (at, at + 1), from: (at, CaptureId(0)), back: false, limit: 2 };
        let found = w.store.taken(&query).await.unwrap();
        let ids: Vec<_> = found.iter().map(|(at, row)| (*at, row.capture.id)).collect();
        assert_eq!(ids, [(at, captures[0]), (at, captures[1])]);
        let rest = w.store.taken(&TakenQuery { from: ids[1], ..query }).await.unwrap();
        assert_eq!(rest[0].1.capture.id, captures[2]);
        let back = TakenQuery { from: (at, captures[2]), back: true, limit: 1, ..query };
        assert_eq!(w.store.taken(&back).await.unwrap()[0].1.capture.id, captures[1]);
        assert!(w.store.taken(&TakenQuery { among: (at + 1, at + 9), ..query }).await.unwrap().is_empty());
    }

    async fn a_deleted_job_takes_its_summary_with_it(w: World) {
        let job = w.job_of(1).await;
        w.succeed(w.grant(job, 1, "w").await[0], 5).await;
        summarise(&w, job).await;
        w.store.delete_job(job, w.now()).await.unwrap();
        assert!(!w.store.summarise(job, w.now()).await.unwrap());
        w.live(super::world::DEATH).await;
        w.sweep().await;
        for (job, run) in w.store.cleanup_due(9).await.unwrap() {
            w.store.cleaned(job, run).await.unwrap();
        }
        while w.store.purge().await.unwrap() {}
        assert_eq!(w.store.summary(job, None).await.unwrap(), None);
        let query = LabelledQuery { job, label: "a".to_owned(), from: START, back: false, limit: 9 };
        assert!(w.store.labelled(&query).await.unwrap().is_empty());
    }
}
