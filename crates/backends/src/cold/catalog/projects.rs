//! Projects. A store has always one: id 1, "Default", so that a first job needs nothing else.

use trapline_core::{
    ProjectId,
    catalog::{Project, ProjectEdit, ProjectSettings},
    ports::{OffsetPage, Total},
};

use super::{Cold, Turn, counted};
use crate::{
    rows,
    sql::{Conn as _, Value, bound, sql},
};

pub(crate) async fn create<S: Cold>(
    store: &S,
    name: &str,
    description: &str,
    settings: &ProjectSettings,
) -> sqlx::Result<Project> {
    let zone = &settings.time_zone;
    let settings = serde_json::to_string(settings).expect("settings serialise");
    let mut tx = store.begin(Turn::Foreground).await?;
    let now = store.store_time(&mut tx).await?.0;
    let values: [&dyn Value<'_>; 5] = [&name, &description, &settings, &now, zone];
    let project = tx
        .one(sql!("projects/create.sql"), &values, rows::project)
        .await?;
    S::commit(tx).await?;
    Ok(project)
}

/// Locks the row, then changes the settings that are given. The summaries of its jobs count by the half-hours of its zone, so those
/// that are done are looked at again.
pub(crate) async fn edit<S: Cold>(
    store: &S,
    id: ProjectId,
    edit: &ProjectEdit,
) -> sqlx::Result<Option<Project>> {
    let mut tx = store.begin(Turn::Foreground).await?;
    let now = store.store_time(&mut tx).await?.0;
    let values: [&dyn Value<'_>; 4] = [&id.0, &edit.name, &edit.description, &now];
    let found = tx.find(sql!("projects/edit.sql"), &values, rows::project).await?;
    let Some(mut project) = found else {
        return Ok(None);
    };
    let before = project.settings;
    project.settings = edit.settings(&before);
    let settings = serde_json::to_string(&project.settings).expect("settings serialise");
    let values: [&dyn Value<'_>; 3] = [&id.0, &settings, &project.settings.time_zone];
    tx.run(sql!("projects/save_settings.sql"), &values).await?;
    if project.settings.time_zone != before.time_zone {
        tx.run(sql!("summary/reopen.sql"), &[&id.0]).await?;
    }
    S::commit(tx).await?;
    Ok(Some(project))
}

pub(crate) async fn page<S: Cold>(
    store: &S,
    only: Option<ProjectId>,
    page: OffsetPage,
) -> sqlx::Result<Total<Project>> {
    let only = only.map(|p| p.0);
    let mut conn = store.reader().await?;
    let count = counted(&mut *conn, sql!("projects/count.sql"), &[&only]).await?;
    let values: [&dyn Value<'_>; 3] = [&only, &bound(page.limit), &bound(page.offset)];
    let rows = conn
        .list(sql!("projects/page.sql"), &values, rows::project)
        .await?;
    Ok(Total { rows, count })
}

pub(crate) async fn find<S: Cold>(store: &S, id: ProjectId) -> sqlx::Result<Option<Project>> {
    let mut conn = store.reader().await?;
    conn.find(sql!("projects/find.sql"), &[&id.0], rows::project)
        .await
}
