//! The cases of the newest jobs, and of moves of a job that is not as somebody saw it.

use trapline_core::{
    CollectionId, ErrorKind, JobId, JobStatus, ProjectId,
    job::{Expect, JobMove},
    ports::{JobGroup, JobsFrom, NewJob, RecentJobs, RecentQuery},
};

use super::{World, cases};

const ALL: RecentQuery = RecentQuery::newest(100);

/// Jobs that are not started, by their names.
async fn jobs(w: &World, names: &[&str]) -> Vec<JobId> {
    let (pipeline, set) = (w.pipeline().await, w.set(&[true]).await);
    let mut made = Vec::new();
    for name in names {
        let job = NewJob {
            name: (*name).to_owned(),
            start: false,
            ..w.new_job(pipeline, set)
        };
        made.push(w.create(&job).await);
    }
    made
}

fn newest(before: JobId) -> Option<JobsFrom> {
    Some(JobsFrom::Newest(Some(before)))
}

/// The names of all jobs of a query, page by page, and how many pages there are.
async fn walk(w: &World, query: &RecentQuery) -> (Vec<String>, usize) {
    let (mut all, mut pages, mut query) = (Vec::new(), 0, query.clone());
    loop {
        let page = read(w, &query).await;
        pages += 1;
        all.extend(page.rows.into_iter().map(|job| job.name));
        match page.next {
            Some(next) => query.from = next,
            None => return (all, pages),
        }
    }
}

async fn read(w: &World, query: &RecentQuery) -> RecentJobs {
    w.store.recent_jobs(query).await.unwrap()
}

fn names(page: &RecentJobs) -> Vec<&str> {
    page.rows.iter().map(|job| job.name.as_str()).collect()
}

cases! { World;
    async fn the_newest_jobs_are_read_page_by_page(w: World) {
        let made = jobs(&w, &["a", "b", "c", "d", "e"]).await;
        w.store.delete_job(made[3], w.now()).await.unwrap();
        let first = read(&w, &RecentQuery { limit: 2, ..ALL }).await;
        assert_eq!((names(&first), &first.next, first.stopped), (vec!["e", "c"], &newest(made[2]), false));
        let second = read(&w, &RecentQuery { limit: 2, from: first.next.unwrap(), ..ALL }).await;
        assert_eq!((names(&second), &second.next, second.stopped), (vec!["b", "a"], &None, false));
        let among = Some(vec![made[0], made[3], made[4], JobId(99)]);
        assert_eq!(names(&read(&w, &RecentQuery { among, ..ALL }).await), ["e", "a"]);
        let other = w.store.create_project("other", "", &Default::default()).await.unwrap().id;
        let set = w.job(made[0]).await.collection.unwrap();
        let sets = Some(vec![set]);
        assert_eq!(read(&w, &RecentQuery { sets, ..ALL }).await.rows.len(), 4);
        let none = RecentQuery { sets: Some(vec![CollectionId(999)]), examined_max: 2, ..ALL };
        let none = read(&w, &none).await;
        assert_eq!((none.rows.len(), none.stopped), (0, true));
        assert!(read(&w, &RecentQuery { project: Some(other), ..ALL }).await.rows.is_empty());
    }

    async fn what_workers_hold_is_among_what_waits_where_it_is_not_counted(w: World) {
        let job = w.job_of(3).await;
        assert_eq!(w.grant(job, 2, "a").await.len(), 2);
        let read = async |counts_in_flight| {
            let query = RecentQuery { counts_in_flight, ..RecentQuery::of(vec![job]) };
            let counts = read(&w, &query).await.rows[0].counts;
            (counts.pending, counts.in_flight)
        };
        assert_eq!((read(true).await, read(false).await), ((1, 2), (3, 0)));
    }

    async fn jobs_are_listed_by_name_page_by_page(w: World) {
        let made = jobs(&w, &["b", "A", "b", "Z", "b", "ä", "_"]).await;
        w.store.delete_job(made[3], w.now()).await.unwrap();
        let by_name = RecentQuery { from: JobsFrom::Named(None), ..ALL };
        let sorted = ["_", "A", "b", "b", "b", "ä"].map(str::to_owned);
        for limit in [1, 2, 6] {
            let (all, pages) = walk(&w, &RecentQuery { limit, ..by_name.clone() }).await;
            assert_eq!((all, pages), (sorted.to_vec(), 6 / usize::try_from(limit).unwrap()));
        }
        let page = read(&w, &RecentQuery { limit: 3, ..by_name.clone() }).await;
        assert_eq!(page.rows[2].id, made[0], "the oldest of one name first");
        assert_eq!(page.next, Some(JobsFrom::Named(Some(("b".to_owned(), made[0])))));
        let search = RecentQuery { search: Some("B".into()), examined_max: 3, limit: 2, ..by_name.clone() };
        let page = read(&w, &search).await;
        assert_eq!((names(&page), page.stopped), (vec!["b"], true));
        assert_eq!(walk(&w, &search).await.0, ["b", "b", "b"]);
        let among = Some(vec![made[1], made[5]]);
        assert_eq!(walk(&w, &RecentQuery { among, ..by_name.clone() }).await.0, ["A", "ä"]);
        let set = w.job(made[0]).await.collection;
        let sets = RecentQuery { sets: set.map(|set| vec![set]), limit: 4, ..by_name.clone() };
        assert_eq!(walk(&w, &sets).await, (sorted.to_vec(), 2));
        let other = w.store.create_project("other", "", &Default::default()).await.unwrap().id;
        assert_eq!(walk(&w, &RecentQuery { project: Some(other), ..by_name.clone() }).await.0.len(), 0);
        assert_eq!(walk(&w, &RecentQuery { project: Some(ProjectId(1)), ..by_name.clone() }).await.0, sorted);
        w.go(made[4], JobMove::Run).await;
        let running = RecentQuery { group: Some(JobGroup::Running), examined_max: 1, ..by_name };
        assert_eq!(read(&w, &running).await.rows[0].id, made[4]);
    }

    async fn jobs_that_have_ended_are_listed_the_last_first(w: World) {
        let made = jobs(&w, &["a", "b", "c", "d"]).await;
        for at in [2, 0, 3] {
            w.pass(1);
            w.go(made[at], JobMove::Run).await;
            w.go(made[at], JobMove::Cancel).await;
            w.go(made[at], JobMove::Revoke).await;
        }
        let ended = RecentQuery { from: JobsFrom::Ended(None), limit: 2, ..ALL };
        assert_eq!(walk(&w, &ended).await, (vec!["d".into(), "a".into(), "c".into()], 2));
        let at = w.job(made[0]).await.finished_at.unwrap();
        assert_eq!(read(&w, &ended).await.next, Some(JobsFrom::Ended(Some((at, made[0])))));
        let stopped = RecentQuery { group: Some(JobGroup::Stopped), examined_max: 2, ..ended.clone() };
        let page = read(&w, &stopped).await;
        assert_eq!((names(&page), page.stopped), (vec!["d", "a"], true));
        assert_eq!(walk(&w, &stopped).await.0, ["d", "a", "c"]);
        let done = RecentQuery { group: Some(JobGroup::Done), ..ended };
        assert_eq!(walk(&w, &done).await.0.len(), 0);
    }

    async fn a_search_looks_at_no_more_jobs_than_it_may_and_goes_on_from_there(w: World) {
        let made = jobs(&w, &["moth", "x", "moth 2", "y", "z"]).await;
        let search = |from: Option<JobsFrom>, examined_max| RecentQuery {
            search: Some("MOTH".into()),
            from: from.unwrap_or(JobsFrom::Newest(None)),
            examined_max,
            ..ALL
        };
        let page = read(&w, &search(None, 100)).await;
        assert_eq!((names(&page), &page.next, page.stopped), (vec!["moth 2", "moth"], &None, false));
        let page = read(&w, &search(None, 2)).await;
        assert_eq!((names(&page), page.stopped), (vec![], true));
        assert_eq!(page.next, newest(JobId(made[2].0 + 1)));
        let page = read(&w, &search(page.next, 2)).await;
        assert_eq!((names(&page), page.stopped), (vec!["moth 2"], true));
        let page = read(&w, &search(page.next, 2)).await;
        assert_eq!((names(&page), &page.next, page.stopped), (vec!["moth"], &None, false));
    }

    async fn jobs_are_counted_by_group_and_no_further_than_asked(w: World) {
        let made = jobs(&w, &["a", "b", "c", "d"]).await;
        w.go(made[0], JobMove::Run).await;
        w.store.delete_job(made[1], w.now()).await.unwrap();
        let counted = async |project, most| {
            let counts = w.store.group_counts(project, most).await.unwrap();
            counts.into_iter().filter(|(_, n)| *n > 0).collect::<Vec<_>>()
        };
        let all = vec![(JobGroup::Running, 1), (JobGroup::New, 2)];
        assert_eq!(counted(None, 10).await, all);
        assert_eq!(counted(Some(ProjectId(1)), 10).await, all);
        assert_eq!(counted(None, 1).await, [(JobGroup::Running, 1), (JobGroup::New, 1)]);
        let other = w.store.create_project("other", "", &Default::default()).await.unwrap().id;
        assert_eq!(counted(Some(other), 10).await, []);
    }

    async fn jobs_of_a_pipeline_are_looked_for_among_so_many(w: World) {
        jobs(&w, &["a", "b"]).await;
        let slug = read(&w, &ALL).await.rows[0].pipeline.clone().unwrap().1;
        let of = |pipeline: &str, examined_max| RecentQuery { pipeline: Some(pipeline.to_owned()), examined_max, ..ALL };
        assert_eq!(names(&read(&w, &of(&slug, 100)).await), ["b", "a"]);
        assert!(read(&w, &of("another", 100)).await.rows.is_empty());
        let page = read(&w, &of(&slug, 1)).await;
        assert_eq!((names(&page), page.stopped), (vec!["b"], true));
    }

    async fn running_jobs_are_found_however_old_they_are(w: World) {
        let made = jobs(&w, &["old", "b", "c"]).await;
        w.go(made[0], JobMove::Run).await;
        let group = |group| RecentQuery { group: Some(group), examined_max: 1, ..ALL };
        assert_eq!(names(&read(&w, &group(JobGroup::Running)).await), ["old"]);
        let new = read(&w, &group(JobGroup::New)).await;
        assert_eq!((names(&new), new.stopped), (vec!["c"], true));
        assert!(read(&w, &group(JobGroup::Done)).await.rows.is_empty());
    }

    async fn a_job_that_is_not_as_somebody_saw_it_is_not_moved(w: World) {
        let job = w.job_of(2).await;
        let seen = w.job(job).await;
        let expect = Expect {
            status: Some(JobStatus::Started),
            run: Some(seen.run),
            total: Some(2),
            processed: Some(0),
            failed: Some(0),
        };
        for changed in [
            Expect { run: Some(9), ..expect },
            Expect { status: Some(JobStatus::Success), ..expect },
            Expect { total: Some(3), ..expect },
            Expect { processed: Some(1), ..expect },
            Expect { failed: Some(1), ..expect },
        ] {
            let refused = w.store.move_job(job, JobMove::Cancel, &changed, w.now()).await.unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Conflict);
            assert_eq!(w.job(job).await.status, JobStatus::Started);
        }
        let moved = w.store.move_job(job, JobMove::Cancel, &expect, w.now()).await.unwrap().unwrap();
        assert!(moved.changed);
        let gone = w.store.move_job(JobId(99), JobMove::Cancel, &expect, w.now()).await.unwrap();
        assert_eq!(gone, None);
    }
}
