//! The cases of workers, as people see them: who is there, what each holds and did, and that nothing is handed to one that drains.

use trapline_core::{
    TokenId, WorkerId,
    catalog::{NewToken, Role},
    pace::HOUR,
    ports::{Holding, Want, WorkerIdentity, WorkerMinute},
};

use super::{World, cases, catalog::DEFAULT, grants::WANTS};

cases! { World;
    async fn workers_are_listed_with_their_tokens_and_what_they_hold(w: World) {
        let token = |hash| NewToken { name: "gpu".into(), role: Role::Worker, project_id: Some(DEFAULT), prefix: "p".into(), hash, expires_at: None };
        let token = w.store.create_token(&token([1; 32])).await.unwrap();
        let who = |token, instance: &str| WorkerIdentity {
            token,
            instance: instance.into(),
            name: format!("host of {instance}"),
            client_info: Some("{\"hostname\":\"h\"}".into()),
            service: None,
        };
        let known = w.store.meet_worker(&who(token.id, "a"), w.now()).await.unwrap();
        let stranger = w.store.meet_worker(&who(TokenId(99), "b"), w.now()).await.unwrap();
        let all = w.store.workers(None, 9).await.unwrap();
        assert_eq!(all.iter().map(|row| row.id).collect::<Vec<_>>(), [stranger, known], "the newest first");
        assert_eq!((all[0].token.as_deref(), all[0].project), (None, None));
        assert_eq!((all[1].token.as_deref(), all[1].project), (Some("gpu"), token.project_id));
        assert_eq!(all[1].token_id, token.id);
        assert_eq!((all[1].name.as_str(), all[1].last_seen), ("host of a", w.now()));
        assert_eq!(all[1].client_info.as_deref(), Some("{\"hostname\":\"h\"}"));
        assert_eq!(w.store.workers(None, 1).await.unwrap(), all[..1]);
        assert_eq!(w.store.workers(Some(known), 1).await.unwrap(), all[1..]);
        assert!(w.store.workers(Some(WorkerId(1_000)), 1).await.unwrap().is_empty());

        let job = w.job_of(5).await;
        let first = w.request(job, Want::Batch, 2, known);
        assert_eq!(w.store.grant(&first).await.unwrap().tasks.len(), 2);
        let second = w.request(job, Want::Batch, 3, stranger);
        assert_eq!(w.store.grant(&second).await.unwrap().tasks.len(), 3);
        let of = |worker, granted_at, images| Holding { worker, job, granted_at, images };
        assert_eq!(w.store.holdings(9).await.unwrap(), [of(known, first.now, 2), of(stranger, second.now, 3)]);
    }

    async fn a_worker_that_drains_is_handed_nothing_of_any_kind_and_finishes_what_it_holds(w: World) {
        let job = w.job_of(6).await;
        let held = w.grant_process(job, 2, "w").await;
        let (worker, other) = (w.process("w").await, w.worker("other").await);
        assert!(w.store.drain(worker, true).await.unwrap());
        assert!(!w.store.drain(WorkerId(1_000), true).await.unwrap());
        assert!(w.store.workers(Some(worker), 1).await.unwrap()[0].draining);
        assert!(w.standing(worker).await.held_back);
        for want in WANTS {
            let granted = w.store.grant(&w.request(job, want, 9, worker)).await.unwrap();
            assert!(granted.held_back && granted.tasks.is_empty(), "{want:?}");
        }
        assert!(!w.standing(other).await.held_back);
        for grant in held { w.succeed(grant, 1).await; }
        assert_eq!(w.counts(job).await[3], 2, "what it held is saved");
        assert!(w.store.drain(worker, false).await.unwrap());
        let granted = w.store.grant(&w.request(job, Want::Batch, 9, worker)).await.unwrap();
        assert_eq!(granted.tasks.len(), 4);
    }

    async fn what_a_worker_did_adds_up_and_what_is_old_is_forgotten(w: World) {
        let (a, b) = (w.worker("a").await, w.worker("b").await);
        let of = |worker, step, minute, n| WorkerMinute { worker, step, minute, processed: n, failed: 1, lost: 2 };
        let add = async |minutes: &[WorkerMinute]| w.store.add_worker_minutes(minutes).await.unwrap();
        add(&[of(a, HOUR, 120, 5), of(a, 1, 121, 5), of(b, 1, 121, 9)]).await;
        add(&[of(a, 1, 121, 4), of(a, 1, 122, 1)]).await;
        let read = async |step, since| w.store.worker_minutes(&[a], step, since).await.unwrap();
        let sum = WorkerMinute { failed: 2, lost: 4, ..of(a, 1, 121, 9) };
        assert_eq!(read(1, 0).await, [sum, of(a, 1, 122, 1)]);
        assert_eq!(read(1, 122).await, [of(a, 1, 122, 1)]);
        assert_eq!(read(HOUR, 0).await, [of(a, HOUR, 120, 5)]);
        assert_eq!(w.store.worker_minutes(&[a, b], 1, 121).await.unwrap().len(), 3);
        assert_eq!(w.store.forget_worker_minutes(1, 122, 1).await.unwrap(), 1);
        assert_eq!(w.store.forget_worker_minutes(1, 122, 9).await.unwrap(), 1);
        assert_eq!(w.store.forget_worker_minutes(1, 122, 9).await.unwrap(), 0);
        assert_eq!(read(1, 0).await, [of(a, 1, 122, 1)]);
        assert_eq!(read(HOUR, 0).await.len(), 1);
    }

    async fn a_hand_out_that_ends_without_an_answer_is_told_of_its_worker(w: World) {
        let job = w.job_of(5).await;
        let worker = w.worker("w").await;
        w.grant(job, 3, "w").await;
        w.pass(3 * w.policy().ttr.as_secs());
        let told = w.sweep().await.unanswered;
        assert_eq!(told.into_iter().collect::<Vec<_>>(), [(worker, 3)]);
    }
}
