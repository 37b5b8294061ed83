//! The cases of drafts of the web interface.

use trapline_core::{
    CaptureId, CollectionId, ProjectId,
    catalog::{CaptureScope, Draft},
    job::JobMove,
};

use super::{
    World, cases,
    catalog::{DEFAULT, capture},
};

async fn draft(w: &World, url: &str) -> Draft {
    let set = w.store.create_collection(DEFAULT, "").await.unwrap().id;
    w.store.add_captures(set, &[capture(url)]).await.unwrap();
    let draft = Draft {
        set,
        name: "June".into(),
        report: "{}".into(),
        created_at: w.now(),
    };
    w.store.save_draft(&draft).await.unwrap();
    draft
}

async fn is_there(w: &World, set: CollectionId) -> bool {
    w.store.collection_up_to(set, 0).await.unwrap().is_some()
}

cases! { World;
    async fn what_a_job_would_skip_is_counted_before_it_is_made(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&[true, true, true]).await);
        let all = w.store.set_captures(set, CaptureId(0), 9).await.unwrap();
        assert_eq!((all.len(), w.store.set_captures(set, all[0], 1).await.unwrap()), (3, vec![all[1]]));
        let known = w.store.captures(CaptureScope::Collection(set), all[1], 9).await.unwrap().remove(0);
        let urls = [known.url, "https://x.test/other".to_owned(), String::new()];
        assert_eq!(w.store.known_captures(DEFAULT, &urls).await.unwrap(), [known.id]);
        assert_eq!(w.store.known_captures(ProjectId(9), &urls).await.unwrap(), []);
        let definition = w.store.pipeline(None, pipeline).await.unwrap().unwrap();
        let fingerprint = definition.fingerprint();
        let processed = async |fingerprint: &str| w.store.count_processed(&all, fingerprint).await.unwrap();
        let job = w.create(&w.new_job(pipeline, set)).await;
        w.collect().await;
        for (n, grant) in w.grant(job, 2, "w").await.into_iter().enumerate() {
            w.succeed(grant, n).await;
        }
        assert_eq!(processed(&fingerprint).await, 2);
        assert_eq!((processed("detector@2").await, processed("").await), (0, 0));
        assert_eq!(w.store.count_processed(&all[..0], &fingerprint).await.unwrap(), 0);
        let again = w.create(&w.new_job(pipeline, set)).await;
        w.collect().await;
        assert_eq!(w.job(again).await.counts.skipped, 2);
        w.go(job, JobMove::Cancel).await;
        w.store.delete_job(job, w.now()).await.unwrap();
        assert_eq!(processed(&fingerprint).await, 0);
    }

    async fn a_draft_keeps_its_beginning_and_gives_its_set_a_name_when_it_ends(w: World) {
        let begun = draft(&w, "http://h/a").await;
        w.pass(60);
        let read = Draft { name: "July".into(), report: "[1]".into(), created_at: w.now(), ..begun.clone() };
        w.store.save_draft(&read).await.unwrap();
        let kept = Draft { created_at: begun.created_at, ..read };
        assert_eq!(w.store.draft(begun.set).await.unwrap(), Some(kept));
        assert!(w.store.end_draft(begun.set, "Night 7").await.unwrap());
        assert_eq!(w.store.collection_up_to(begun.set, 0).await.unwrap().unwrap().name, "Night 7");
        assert_eq!(w.store.draft(begun.set).await.unwrap(), None);
        assert!(!w.store.end_draft(begun.set, "another").await.unwrap());
        assert_eq!(w.store.collection_up_to(begun.set, 0).await.unwrap().unwrap().name, "Night 7");
    }

    async fn named_sets_are_listed_newest_first_and_counted_no_further_than_asked(w: World) {
        let before = w.set(&[true, true, true]).await;
        let of_draft = draft(&w, "http://h/a").await.set;
        let newest = w.set(&[true]).await;
        let other = w.store.create_project("Other", "", &Default::default()).await.unwrap().id;
        let listed = async |project, before, limit| {
            let sets = w.store.recent_sets(project, before, limit, 2).await.unwrap();
            sets.iter().map(|s| (s.id, s.captures)).collect::<Vec<_>>()
        };
        for project in [None, Some(DEFAULT)] {
            assert_eq!(listed(project, None, 9).await, [(newest, 1), (before, 2)]);
            assert_eq!(listed(project, None, 1).await, [(newest, 1)]);
            assert_eq!(listed(project, Some(newest), 9).await, [(before, 2)]);
        }
        assert_eq!(listed(Some(other), None, 9).await, []);
        w.store.end_draft(of_draft, "named").await.unwrap();
        assert_eq!(listed(None, Some(newest), 1).await, [(of_draft, 1)]);
    }

    async fn an_old_draft_goes_with_its_set_unless_a_job_refers_to_that(w: World) {
        let old = draft(&w, "http://h/a").await;
        w.pass(60);
        let used = draft(&w, "http://h/b").await;
        let pipeline = w.pipeline().await;
        w.create(&w.new_job(pipeline, used.set)).await;
        w.pass(60);
        let before = w.now();
        let young = draft(&w, "http://h/c").await;
        assert!(w.store.forget_draft(before).await.unwrap());
        assert!(!is_there(&w, old.set).await && is_there(&w, used.set).await);
        assert!(w.store.forget_draft(before).await.unwrap());
        assert!(is_there(&w, used.set).await && w.store.draft(used.set).await.unwrap().is_none());
        assert!(!w.store.forget_draft(before).await.unwrap());
        assert!(is_there(&w, young.set).await && w.store.draft(young.set).await.unwrap().is_some());
    }
}
