//! Sessions of the web interface.

use trapline_core::{
    Timestamp,
    catalog::{NewSession, Session, SessionOwner},
};

use super::{Cold, Turn, write};
use crate::{
    rows,
    sql::{Conn as _, Value, sql},
};

pub(crate) async fn open<S: Cold>(store: &S, new: &NewSession) -> sqlx::Result<()> {
    let (token, admin) = match &new.owner {
        SessionOwner::Token(id) => (Some(id.0), None),
        SessionOwner::AdminToken(hash) => (None, Some(hash.as_slice())),
    };
    let (hash, now, end) = (new.hash.as_slice(), new.created_at, new.expires_at);
    let mut tx = store.begin(Turn::Foreground).await?;
    tx.run(sql!("sessions/forget.sql"), &[&now.0]).await?;
    let values: [&dyn Value<'_>; 5] = [&hash, &token, &admin, &now.0, &end.0];
    tx.run(sql!("sessions/open.sql"), &values).await?;
    S::commit(tx).await
}

pub(crate) async fn find<S: Cold>(store: &S, hash: &[u8; 32]) -> sqlx::Result<Option<Session>> {
    let mut conn = store.reader().await?;
    conn.find(sql!("sessions/find.sql"), &[&hash.as_slice()], rows::session)
        .await
}

pub(crate) async fn extend<S: Cold>(store: &S, hash: &[u8; 32], until: Timestamp) -> sqlx::Result<()> {
    let values: [&dyn Value<'_>; 2] = [&hash.as_slice(), &until.0];
    write(store, Turn::Foreground, sql!("sessions/extend.sql"), &values)
        .await
        .map(drop)
}

pub(crate) async fn end<S: Cold>(store: &S, hash: &[u8; 32]) -> sqlx::Result<bool> {
    let gone = write(
        store,
        Turn::Foreground,
        sql!("sessions/end.sql"),
        &[&hash.as_slice()],
    )
    .await?;
    Ok(gone > 0)
}
