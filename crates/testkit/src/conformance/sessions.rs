//! The cases of the sessions of the web interface.

use std::time::Duration;

use trapline_core::{
    Timestamp,
    catalog::{NewSession, NewToken, Role, SESSION_IDLE, SessionOwner, Token, session_end},
};

use super::{World, cases};

async fn token(w: &World, hash: u8) -> Token {
    let new = NewToken {
        name: "ana".into(),
        role: Role::Operator,
        project_id: None,
        prefix: "01234567".into(),
        hash: [hash; 32],
        expires_at: Some(Timestamp(i64::MAX)),
    };
    w.store.create_token(&new).await.unwrap()
}

async fn open(w: &World, hash: u8, owner: SessionOwner<trapline_core::TokenId>) {
    let new = NewSession {
        hash: [hash; 32],
        owner,
        created_at: w.now(),
        expires_at: session_end(w.now(), w.now()),
    };
    w.store.open_session(&new).await.unwrap();
}

cases! { World;
    async fn a_session_speaks_for_its_token_until_it_is_ended(w: World) {
        let ana = token(&w, 1).await;
        open(&w, 7, SessionOwner::Token(ana.id)).await;
        let session = w.store.session(&[7; 32]).await.unwrap().unwrap();
        let SessionOwner::Token(found) = &session.owner else {
            panic!("{session:?}");
        };
        assert_eq!((found.id, &found.name, found.role, found.expires_at), (ana.id, &ana.name, ana.role, ana.expires_at));
        assert_eq!((session.created_at, session.expires_at), (w.now(), w.now().plus(SESSION_IDLE)));
        assert!(w.store.session(&[8; 32]).await.unwrap().is_none());
        assert!(w.store.end_session(&[7; 32]).await.unwrap());
        assert!(!w.store.end_session(&[7; 32]).await.unwrap());
        assert!(w.store.session(&[7; 32]).await.unwrap().is_none());
    }

    async fn a_session_goes_with_its_token_and_one_of_an_admin_token_stays(w: World) {
        let (ana, ben) = (token(&w, 1).await, token(&w, 2).await);
        open(&w, 7, SessionOwner::Token(ana.id)).await;
        open(&w, 8, SessionOwner::Token(ben.id)).await;
        open(&w, 9, SessionOwner::AdminToken([5; 32])).await;
        assert!(w.store.delete_token(ana.id).await.unwrap());
        assert!(w.store.session(&[7; 32]).await.unwrap().is_none());
        assert!(w.store.session(&[8; 32]).await.unwrap().is_some());
        let admin = w.store.session(&[9; 32]).await.unwrap().unwrap();
        assert!(matches!(admin.owner, SessionOwner::AdminToken(hash) if hash == [5; 32]));
        open(&w, 7, SessionOwner::Token(ana.id)).await;
        assert!(w.store.session(&[7; 32]).await.unwrap().is_none());
    }

    async fn a_session_is_extended_and_those_that_have_ended_are_removed_at_the_next_sign_in(w: World) {
        let ana = token(&w, 1).await;
        open(&w, 7, SessionOwner::Token(ana.id)).await;
        open(&w, 8, SessionOwner::Token(ana.id)).await;
        let later = w.now().plus(SESSION_IDLE + Duration::from_secs(60));
        w.store.extend_session(&[7; 32], later).await.unwrap();
        w.store.extend_session(&[9; 32], later).await.unwrap();
        assert_eq!(w.store.session(&[7; 32]).await.unwrap().unwrap().expires_at, later);
        w.pass(SESSION_IDLE.as_secs());
        open(&w, 9, SessionOwner::AdminToken([5; 32])).await;
        assert!(w.store.session(&[7; 32]).await.unwrap().is_some());
        assert!(w.store.session(&[8; 32]).await.unwrap().is_none());
    }
}
