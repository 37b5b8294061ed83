//! Drafts of the web interface, and the sets that they are of.

use trapline_core::{CollectionId, Timestamp, catalog::Draft};

use super::{Cold, Turn, write};
use crate::{
    rows,
    sql::{Conn as _, Value, first, sql},
};

pub(crate) async fn save<S: Cold>(store: &S, draft: &Draft) -> sqlx::Result<()> {
    let (name, report) = (draft.name.as_str(), draft.report.as_str());
    let values: [&dyn Value<'_>; 4] = [&draft.set.0, &name, &report, &draft.created_at.0];
    write(store, Turn::Foreground, sql!("catalog/save_draft.sql"), &values)
        .await
        .map(drop)
}

pub(crate) async fn find<S: Cold>(store: &S, set: CollectionId) -> sqlx::Result<Option<Draft>> {
    let mut conn = store.reader().await?;
    conn.find(sql!("catalog/draft.sql"), &[&set.0], rows::draft).await
}

pub(crate) async fn end<S: Cold>(store: &S, set: CollectionId, name: &str) -> sqlx::Result<bool> {
    let mut tx = store.begin(Turn::Foreground).await?;
    let ended = tx.run(sql!("catalog/end_draft.sql"), &[&set.0]).await? > 0;
    if ended {
        tx.run(sql!("catalog/name_collection.sql"), &[&set.0, &name])
            .await?;
    }
    S::commit(tx).await?;
    Ok(ended)
}

pub(crate) async fn forget<S: Cold>(store: &S, before: Timestamp) -> sqlx::Result<bool> {
    let mut tx = store.begin(Turn::Background).await?;
    let old = tx
        .find(sql!("catalog/old_draft.sql"), &[&before.0], first::<i64>)
        .await?;
    let Some(set) = old else { return Ok(false) };
    tx.rows(sql!(each "catalog/lock_collection.sql"), &[&set]).await?;
    for sql in [
        sql!("catalog/end_draft.sql"),
        sql!("catalog/empty_collection.sql"),
        sql!("catalog/delete_collection.sql"),
    ] {
        tx.run(sql, &[&set]).await?;
    }
    S::commit(tx).await?;
    Ok(true)
}
