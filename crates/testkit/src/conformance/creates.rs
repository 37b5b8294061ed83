//! The cases of requests that make jobs: one that is repeated makes no second job.

use trapline_core::{
    ErrorKind,
    ports::{CreateKey, NewJob},
};

use super::{World, cases};

cases! { World;
    async fn a_request_that_is_repeated_makes_one_job_and_another_one_of_its_key_none(w: World) {
        let (pipeline, set) = (w.pipeline().await, w.set(&[true]).await);
        let of = |key: &str, asked: &str| NewJob {
            key: Some(CreateKey { key: key.into(), asked: asked.into() }),
            ..w.new_job(pipeline, set)
        };
        let first = w.create(&of("a", "1")).await;
        // What does not decide who asked may differ: the inline captures of a repeated request are a set of their own.
        let again = NewJob { collection: Some(w.set(&[true]).await), ..of("a", "1") };
        assert_eq!(w.create(&again).await, first);
        assert_eq!(w.job(first).await.collection, Some(set));
        let other = w.store.create_job(&of("a", "2"), w.now()).await.unwrap_err();
        assert_eq!(other.kind, ErrorKind::Conflict);
        assert_ne!(w.create(&of("b", "1")).await, first);
        // Without a key each request is one of its own.
        let plain = w.new_job(pipeline, set);
        assert_ne!(w.create(&plain).await, w.create(&plain).await);
        let twice = of("c", "1");
        let (one, two) = tokio::join!(w.create(&twice), w.create(&twice));
        assert_eq!(one, two);
    }
}
