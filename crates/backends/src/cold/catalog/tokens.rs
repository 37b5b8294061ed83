//! Tokens. Only the hash of a secret is ever stored.

use trapline_core::{
    Timestamp, TokenId,
    catalog::{NewToken, Token},
    ports::{OffsetPage, Total},
};

use super::{Cold, Turn, counted};
use crate::{
    rows,
    sql::{Conn as _, Value, bound, sql},
};

pub(crate) async fn create<S: Cold>(store: &S, new: &NewToken) -> sqlx::Result<Token> {
    let mut tx = store.begin(Turn::Foreground).await?;
    let now = store.store_time(&mut tx).await?.0;
    let (role, project) = (new.role.as_str(), new.project_id.map(|p| p.0));
    let (hash, end) = (new.hash.as_slice(), new.expires_at.map(|t| t.0));
    let values: [&dyn Value<'_>; 7] = [&new.name, &role, &project, &new.prefix, &hash, &now, &end];
    let token = tx.one(sql!("tokens/create.sql"), &values, rows::token).await?;
    S::commit(tx).await?;
    Ok(token)
}

pub(crate) async fn by_hash<S: Cold>(store: &S, hash: &[u8; 32]) -> sqlx::Result<Option<Token>> {
    let mut conn = store.worker_reader().await?;
    conn.find(sql!("tokens/by_hash.sql"), &[&hash.as_slice()], rows::token)
        .await
}

pub(crate) async fn page<S: Cold>(store: &S, page: OffsetPage) -> sqlx::Result<Total<Token>> {
    let mut conn = store.reader().await?;
    let count = counted(&mut *conn, sql!("tokens/count.sql"), &[]).await?;
    let values: [&dyn Value<'_>; 2] = [&bound(page.limit), &bound(page.offset)];
    let rows = conn.list(sql!("tokens/page.sql"), &values, rows::token).await?;
    Ok(Total { rows, count })
}

/// Nodes note the same tokens at a time, so each goes by their numbers.
pub(crate) async fn note_uses<S: Cold>(store: &S, uses: &[(TokenId, Timestamp)]) -> sqlx::Result<()> {
    let mut sorted = uses.to_vec();
    sorted.sort_unstable();
    let mut tx = store.begin(Turn::Background).await?;
    for (id, at) in sorted {
        tx.run(sql!("tokens/note_use.sql"), &[&id.0, &at.0]).await?;
    }
    S::commit(tx).await
}

pub(crate) async fn delete<S: Cold>(store: &S, id: TokenId) -> sqlx::Result<bool> {
    let mut tx = store.begin(Turn::Foreground).await?;
    // Its workers can't ask any more, and whose they were is not known from here on.
    tx.run(sql!(each "tokens/forget_workers.sql"), &[&id.0]).await?;
    let gone = tx.run(sql!("tokens/delete.sql"), &[&id.0]).await?;
    S::commit(tx).await?;
    Ok(gone > 0)
}
