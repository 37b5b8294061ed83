//! The cases of definitions, of what slugs mean, and of what one project sees of another.

use trapline_core::{
    ProjectId, Timestamp, TokenId,
    catalog::{NewToken, Registration, Role},
    ports::{SignOfLife, WorkerIdentity},
};

use super::{
    World, cases,
    catalog::{ALL, DEFAULT, algorithm, pipeline, registration},
    health::outlook,
};

cases! { World;
    async fn a_registration_moves_what_a_slug_means_in_its_own_project_only(w: World) {
        let other = w.store.create_project("Other", "", &Default::default()).await.unwrap().id;
        let here = registration(vec![pipeline("p", vec![algorithm("cls", &["x"])])]);
        let there = Registration { project: other, ..registration(vec![pipeline("p", vec![algorithm("cls", &["y"]), algorithm("more", &[])])]) };
        let first = w.store.register(&here).await.unwrap();
        let second = w.store.register(&there).await.unwrap();
        assert_eq!((second.pipelines_created, second.algorithms_created), (vec!["p".to_owned()], vec!["cls".to_owned(), "more".to_owned()]));
        assert_eq!(first.service, second.service, "unbound tokens have global names");
        let mine = w.store.pipeline_by_slug(DEFAULT, "p").await.unwrap().unwrap();
        let theirs = w.store.pipeline_by_slug(other, "p").await.unwrap().unwrap();
        assert_ne!(mine, theirs);
        for (project, own, foreign) in [(DEFAULT, mine, theirs), (other, theirs, mine)] {
            let page = w.store.pipelines(Some(project), ALL).await.unwrap();
            assert_eq!((page.count, page.rows[0].id, &page.rows[0].projects), (1, own, &vec![project]));
            assert_eq!(page.rows[0].services[0].projects, [project]);
            assert_eq!(page.rows[0].services[0].pipelines, [own]);
            assert!(w.store.pipeline(Some(project), foreign).await.unwrap().is_none());
            let foreign = w.store.pipeline(None, foreign).await.unwrap().unwrap().algorithms[0].clone();
            assert!(w.store.algorithms(Some(project), &[foreign.id]).await.unwrap().is_empty());
            assert!(w.store.category_map(Some(project), foreign.category_map_id.unwrap()).await.unwrap().is_none());
        }
        assert_eq!(w.store.pipelines(None, ALL).await.unwrap().count, 2);
        // The same content in both is one row, which each sees as its own.
        w.store.register(&Registration { project: other, ..here.clone() }).await.unwrap();
        let both = w.store.pipelines(None, ALL).await.unwrap();
        assert_eq!((both.count, &both.rows[0].projects), (1, &vec![DEFAULT, other]));
        assert_eq!(w.store.pipelines(Some(other), ALL).await.unwrap().rows[0].projects, [other]);
    }

    async fn an_old_workers_heartbeat_does_not_undo_a_roll_out_and_its_restart_does(w: World) {
        let by = |instance: &str, label: &str| Registration {
            instance: instance.into(),
            ..registration(vec![pipeline("p", vec![algorithm("cls", &[label])])])
        };
        let means = async || w.store.pipeline_by_slug(DEFAULT, "p").await.unwrap().unwrap();
        w.store.register(&by("old", "x")).await.unwrap();
        let old = means().await;
        w.pass(60);
        assert_eq!(w.store.register(&by("new", "y")).await.unwrap().pipelines_updated, ["p"]);
        let new = means().await;
        assert_ne!(new, old);
        for _ in 0..3 {
            w.pass(60);
            for beat in [by("old", "x"), by("new", "y")] {
                let done = w.store.register(&beat).await.unwrap();
                assert!(done.pipelines_updated.is_empty() && done.pipelines_created.is_empty());
                assert_eq!(means().await, new);
            }
        }
        assert_eq!(w.store.register(&by("old, started again", "x")).await.unwrap().pipelines_updated, ["p"]);
        assert_eq!(means().await, old);
        // Nobody is left who runs it, and an older heartbeat goes on.
        w.store.register(&by("newest", "z")).await.unwrap();
        w.pass(601);
        assert_eq!(w.store.register(&by("new", "y")).await.unwrap().pipelines_updated, ["p"]);
        assert_eq!(means().await, new);
    }

    async fn a_service_of_a_bound_token_is_another_than_a_global_one_of_its_name(w: World) {
        let other = w.store.create_project("Other", "", &Default::default()).await.unwrap().id;
        let of = |project, owner| Registration { project, owner, ..registration(vec![pipeline("p", vec![])]) };
        let global = w.store.register(&of(DEFAULT, None)).await.unwrap().service;
        let bound = w.store.register(&of(DEFAULT, Some(DEFAULT))).await.unwrap().service;
        let theirs = w.store.register(&of(other, Some(other))).await.unwrap().service;
        assert!(global != bound && bound != theirs && global != theirs);
        assert_eq!(w.store.register(&of(other, Some(other))).await.unwrap().service, theirs);
        assert_eq!(w.store.register(&of(other, None)).await.unwrap().service, global);
        let seen = |project| { let w = &w; async move {
            w.store.services(Some(project), ALL).await.unwrap().rows.iter().map(|s| s.id).collect::<Vec<_>>()
        } };
        assert_eq!(seen(DEFAULT).await, [global, bound]);
        assert_eq!(seen(other).await, [global, theirs]);
        assert!(w.store.service(Some(other), bound).await.unwrap().is_none());
        let narrowed = w.store.service(Some(other), global).await.unwrap().unwrap();
        assert_eq!((narrowed.projects, narrowed.shared), (vec![other], true));
    }

    async fn the_workers_of_another_project_are_not_in_a_jobs_outlook(w: World) {
        let other = w.store.create_project("Other", "", &Default::default()).await.unwrap().id;
        let bound = |hash, project| NewToken {
            name: "gpu".into(), role: Role::Worker, project_id: Some(project), prefix: "01234567".into(), hash, expires_at: None,
        };
        let mine = w.store.create_token(&bound([1; 32], DEFAULT)).await.unwrap().id;
        let theirs = w.store.create_token(&bound([2; 32], other)).await.unwrap().id;
        let job = w.job_of(1).await;
        for (token, name) in [(mine, "mine"), (theirs, "theirs"), (TokenId(0), "anybody's")] {
            let who = WorkerIdentity { token, instance: name.into(), name: name.into(), client_info: None, service: None };
            let worker = w.store.meet_worker(&who, w.now()).await.unwrap();
            let sign = SignOfLife { worker, seen_at: w.now(), reserved_at: None, pipelines: vec!["p".into()] };
            w.store.keep_alive(&[sign], &w.policy(), w.now()).await.unwrap();
        }
        let names = async || {
            let outlook = outlook(&w, job, Timestamp(0)).await;
            outlook.workers.into_iter().map(|n| n.name).collect::<Vec<_>>()
        };
        assert_eq!(names().await, ["mine", "anybody's"]);
        for (project, workers) in [(DEFAULT, 2), (other, 2), (ProjectId(99), 1)] {
            let online = w.store.online_workers(project, w.now()).await.unwrap();
            assert_eq!(online, [("p".to_owned(), workers)], "{project}");
        }
        let anybodys = w.store.workers(None, 1).await.unwrap()[0].id;
        w.store.drain(anybodys, true).await.unwrap();
        assert_eq!(w.store.online_workers(ProjectId(99), w.now()).await.unwrap(), [], "it drains");
        let outlook = outlook(&w, job, Timestamp(0)).await;
        let drain: Vec<_> = outlook.workers.iter().map(|seen| (seen.name.as_str(), seen.draining)).collect();
        assert_eq!(drain, [("mine", false), ("anybody's", true)]);
        w.pass(1);
        assert_eq!(w.store.online_workers(DEFAULT, w.now()).await.unwrap(), []);
        w.store.delete_token(theirs).await.unwrap();
        assert_eq!(names().await, ["mine", "anybody's"], "whose token is gone");
    }
}
