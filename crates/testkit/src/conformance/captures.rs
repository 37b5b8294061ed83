//! The cases of captures: what is known of them, and how they are listed.

use trapline_core::{
    CaptureId, ProjectId, TakenAt, TaskState, Timestamp,
    catalog::{Capture, CaptureFacts, CaptureScope, FileVersion, Files, Learnt, NewCapture},
    ports::DetectionsOf,
};

use super::{
    World, cases,
    catalog::{DEFAULT, capture, stored},
};

cases! { World;
    async fn captures_keep_the_order_and_the_facts_they_came_with(w: World) {
        let set = w.store.create_collection(DEFAULT, "s").await.unwrap();
        let full = NewCapture {
            url: "http://h/\u{e9} \"q\".jpg".into(),
            facts: CaptureFacts {
            taken_at: Some(TakenAt { at: Timestamp(5), offset_minutes: Some(-90) }),
            width: Some(640),
            height: Some(480),
            camera: Some("Canon EOS".into()),
            file: None,
            },
        };
        w.store
            .add_captures(
                set.id,
                &[capture("http://h/z"), full.clone(), capture("http://h/a")],
            )
            .await
            .unwrap();
        let second = stored(&w).await.remove(1);
        assert_eq!((second.url, second.facts), (full.url, full.facts));
    }

    async fn what_is_learnt_of_a_capture_is_added_to_what_was_known(w: World) {
        let set = w.store.create_collection(DEFAULT, "s").await.unwrap();
        let version = |digest: Option<&str>| FileVersion {
            size: 7,
            modified: Timestamp(9),
            digest: digest.map(str::to_owned),
        };
        let at = TakenAt { at: Timestamp(5), offset_minutes: Some(120) };
        let mut known = capture("file:///a.jpg");
        (known.facts.taken_at, known.facts.file) = (Some(at), Some(version(None)));
        w.store.add_captures(set.id, &[known, capture("file:///b.jpg")]).await.unwrap();
        let [a, b] = [stored(&w).await[0].id, stored(&w).await[1].id];
        let read = CaptureFacts {
            width: Some(640),
            height: Some(480),
            camera: Some("Nikon".into()),
            file: Some(version(Some("ab"))),
            ..CaptureFacts::default()
        };
        let local = TakenAt { at: Timestamp(6), offset_minutes: None };
        let of = |capture, url: Option<&str>, facts: &CaptureFacts| Learnt {
            capture,
            url: url.map(str::to_owned),
            facts: facts.clone(),
        };
        let taken = CaptureFacts { taken_at: Some(local), ..CaptureFacts::default() };
        let gone = CaptureId(i64::MAX);
        w.store.describe_captures(&[of(a, None, &read), of(gone, None, &read)]).await.unwrap();
        w.store.describe_captures(&[of(b, Some("file:///c.jpg"), &taken)]).await.unwrap();
        let [a, b] = <[Capture; 2]>::try_from(stored(&w).await).unwrap();
        assert_eq!((a.url.as_str(), a.facts), ("file:///a.jpg", CaptureFacts { taken_at: Some(at), ..read }));
        assert_eq!((b.url.as_str(), b.facts), ("file:///c.jpg", taken));
        let again = w.store.add_captures(set.id, &[capture("file:///c.jpg"), capture("file:///b.jpg")]).await;
        assert_eq!(again.unwrap().added, 1, "it is known by its new URL, and no longer by the old one");
    }

    async fn captures_are_listed_by_project_and_by_set_after_one(w: World) {
        let first = w.store.create_collection(DEFAULT, "s").await.unwrap();
        let second = w.store.create_collection(DEFAULT, "t").await.unwrap();
        let add = async |set, urls: &[&str]| {
            let captures: Vec<_> = urls.iter().map(|u| capture(u)).collect();
            w.store.add_captures(set, &captures).await.unwrap();
        };
        add(first.id, &["http://h/1", "http://h/2"]).await;
        add(second.id, &["http://h/3", "http://h/2"]).await;
        let urls = async |of, after, limit| {
            let page = w.store.captures(of, after, limit).await.unwrap();
            page.into_iter().map(|c| c.url).collect::<Vec<_>>()
        };
        let start = CaptureId(0);
        assert_eq!(urls(CaptureScope::Project(DEFAULT), start, 9).await, ["http://h/1", "http://h/2", "http://h/3"]);
        assert_eq!(urls(CaptureScope::Collection(second.id), start, 9).await, ["http://h/2", "http://h/3"]);
        assert_eq!(urls(CaptureScope::Collection(second.id), start, 1).await, ["http://h/2"]);
        let two = stored(&w).await[1].id;
        assert_eq!(urls(CaptureScope::Collection(second.id), two, 9).await, ["http://h/3"]);
        assert_eq!(urls(CaptureScope::Project(ProjectId(99)), start, 9).await, Vec::<String>::new());
        w.store.merge_collection(second.id, first.id).await.unwrap();
        assert_eq!(urls(CaptureScope::Collection(second.id), start, 9).await, ["http://h/1", "http://h/2", "http://h/3"]);
        assert_eq!(w.store.collection_up_to(second.id, 9_999).await.unwrap().unwrap().captures, 3);
        for (count_max, captures) in [(0, 0), (2, 2), (9, 3)] {
            let set = w.store.collection_up_to(second.id, count_max).await.unwrap().unwrap();
            assert_eq!((set.id, set.captures), (second.id, captures));
        }
    }

    async fn local_files_are_found_by_their_urls_and_sizes(w: World) {
        let set = w.store.create_collection(DEFAULT, "s").await.unwrap();
        let file = |url: &str, size, digest: Option<&str>| {
            let file = FileVersion { size, modified: Timestamp(1), digest: digest.map(Into::into) };
            NewCapture { url: url.into(), facts: CaptureFacts { file: Some(file), ..CaptureFacts::default() } }
        };
        let captures = [
            file("file:///a.jpg", 5, Some("x")),
            file("file:///a.jpg#2", 6, Some("y")),
            file("file:///a.jpg2", 6, None),
            file("file:///A.jpg", 7, Some("z")),
            file("file:///a", 5, Some("x")),
            capture("http://h/a.jpg"),
        ];
        w.store.add_captures(set.id, &captures).await.unwrap();
        let urls = async |files: Files<'_>| {
            let found = w.store.file_captures(DEFAULT, files).await.unwrap();
            found.into_iter().map(|c| c.url).collect::<Vec<_>>()
        };
        let of = |url: &str| vec![url.to_owned()];
        assert_eq!(urls(Files::At(&of("file:///a.jpg"))).await, ["file:///a.jpg", "file:///a.jpg#2"]);
        assert_eq!(urls(Files::At(&["file:///a".into(), "file:///A.jpg".into()])).await, ["file:///A.jpg", "file:///a"]);
        assert_eq!(urls(Files::At(&of("file:///gone"))).await, Vec::<String>::new());
        assert_eq!(urls(Files::OfSizes(&[6, 7])).await, ["file:///a.jpg#2", "file:///A.jpg"]);
        assert_eq!(urls(Files::OfSizes(&[5])).await, ["file:///a.jpg", "file:///a"]);
        assert!(w.store.file_captures(ProjectId(99), Files::OfSizes(&[5])).await.unwrap().is_empty());
    }

    async fn a_set_is_removed_only_if_no_job_refers_to_it(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&[true; 2]).await);
        let other = w.store.create_collection(DEFAULT, "other").await.unwrap().id;
        w.store.merge_collection(other, set).await.unwrap();
        w.create(&w.new_job(pipeline, set)).await;
        assert!(!w.store.delete_collection(set).await.unwrap());
        assert_eq!(w.store.captures(CaptureScope::Collection(set), CaptureId(0), 9).await.unwrap().len(), 2);
        assert!(w.store.delete_collection(other).await.unwrap());
        assert!(!w.store.delete_collection(other).await.unwrap(), "it is gone");
        assert!(w.store.collection_up_to(other, 0).await.unwrap().is_none());
        let named = w.store.collections(Some(DEFAULT), trapline_core::ports::OffsetPage { limit: 9, offset: 0 }).await.unwrap();
        assert!(named.rows.iter().all(|c| c.id != other));
        assert_eq!(stored(&w).await.len(), 2, "its captures stay");
    }

    async fn a_long_url_is_one_capture_too(w: World) {
        let set = w.store.create_collection(DEFAULT, "s").await.unwrap();
        let signed = format!("https://h/1.jpg?signature={}", "0123456789abcdef".repeat(500));
        for added in [1, 0] {
            let done = w.store.add_captures(set.id, &[capture(&signed)]).await.unwrap();
            assert_eq!(done.added, added);
        }
        assert_eq!(stored(&w).await[0].url, signed);
    }

    async fn what_all_jobs_did_with_captures_is_read_together(w: World) {
        let first = w.job_of(3).await;
        let tasks = w.grant(first, 3, "w").await;
        w.succeed(tasks[0], 2).await;
        w.fail(tasks[1]).await;
        let set = w.job(first).await.collection.unwrap();
        let captures = w.store.captures(CaptureScope::Job(first), CaptureId(0), 9).await.unwrap();
        assert_eq!(captures.len(), 3);
        let pipeline = w.pipeline().await;
        let second = w.create(&w.new_job(pipeline, set)).await;
        w.collect().await;
        let task = w.grant(second, 1, "w").await[0];
        w.succeed(task, 1).await;
        let ids: Vec<_> = captures.iter().map(|c| c.id).collect();
        let all = w.store.attempts(&ids).await.unwrap();
        let told: Vec<_> = all.iter().map(|a| (a.capture, a.job, a.state, a.detections)).collect();
        let mut expected = vec![
            (tasks[0].0.capture, first, TaskState::Processed, 2),
            (tasks[1].0.capture, first, TaskState::Failed, 0),
            (tasks[2].0.capture, first, TaskState::Pending, 0),
        ];
        for capture in &ids[1..] {
            let (state, n) = if *capture == task.0.capture { (TaskState::Processed, 1) } else { (TaskState::Pending, 0) };
            expected.push((*capture, second, state, n));
        }
        expected.sort_by_key(|e| (e.0, e.1));
        assert_eq!(told, expected);
        assert!(all.iter().all(|a| a.pipeline == "p" && (a.state == TaskState::Failed) == a.reason.is_some()));
        let pairs = [(first, tasks[0].0.capture), (second, task.0.capture), (second, tasks[0].0.capture)];
        let detections = w.store.detections(DetectionsOf::Tasks(&pairs), false).await.unwrap();
        let of: Vec<_> = detections.iter().map(|d| (d.id.job, d.capture.id, d.classifications.len())).collect();
        assert_eq!(of, [(first, tasks[0].0.capture, 1), (first, tasks[0].0.capture, 1), (second, task.0.capture, 1)]);
        w.store.delete_job(second, w.now()).await.unwrap();
        assert_eq!(w.store.attempts(&ids).await.unwrap().len(), 3, "those of a deleted job are gone");
    }

    async fn what_only_a_deleted_job_has_processed_is_collected_again(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&[true; 2]).await);
        let first = w.create(&w.new_job(pipeline, set)).await;
        w.collect().await;
        for task in w.grant(first, 2, "w").await {
            w.succeed(task, 1).await;
        }
        // Its rows are there until they are purged.
        w.store.delete_job(first, w.now()).await.unwrap().unwrap();
        let second = w.create(&w.new_job(pipeline, set)).await;
        w.collect().await;
        let counts = w.job(second).await.counts;
        assert_eq!((counts.total, counts.skipped), (2, 0));
    }
}
