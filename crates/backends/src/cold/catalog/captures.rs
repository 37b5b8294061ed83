//! Captures and their sets. A capture is unique by (project, URL as given); a set only refers to it.

use trapline_core::{
    CaptureId, CollectionId, ProjectId, Result,
    catalog::{
        Added, Capture, CaptureFacts, CaptureScope, Collection, CollectionProgress, Files, Learnt, NewCapture,
    },
    ports::{OffsetPage, Total},
};

use super::{Cold, Turn, counted, retried, write};
use crate::{
    rows::{self, Columns as _},
    sql::{Conn, List, Value, bound, first, sql},
};

/// Captures of a set of which is counted at once what jobs have processed: some ten milliseconds.
const PROGRESS_SLICE: i64 = 5_000;

/// A capture, or what was learnt of one, as the statements read it from JSON.
#[derive(serde::Serialize)]
struct Listed<'a> {
    id: Option<i64>,
    url: Option<&'a str>,
    taken_at: Option<i64>,
    taken_offset: Option<i16>,
    width: Option<i64>,
    height: Option<i64>,
    camera: Option<&'a str>,
    file_size: Option<i64>,
    file_modified: Option<i64>,
    file_digest: Option<&'a str>,
}

impl<'a> Listed<'a> {
    fn new(id: Option<CaptureId>, url: Option<&'a str>, facts: &'a CaptureFacts) -> Self {
        let file = facts.file.as_ref();
        Self {
            id: id.map(|id| id.0),
            url,
            taken_at: facts.taken_at.map(|t| t.at.0),
            taken_offset: facts.taken_at.and_then(|t| t.offset_minutes),
            width: facts.width,
            height: facts.height,
            camera: facts.camera.as_deref(),
            file_size: file.map(|f| f.size),
            file_modified: file.map(|f| f.modified.0),
            file_digest: file.and_then(|f| f.digest.as_deref()),
        }
    }

    fn json(all: impl Iterator<Item = Self>) -> String {
        serde_json::to_string(&all.collect::<Vec<_>>()).expect("numbers and strings serialise")
    }
}

pub(crate) async fn create_set<S: Cold>(
    store: &S,
    project: ProjectId,
    name: &str,
) -> sqlx::Result<Collection> {
    let mut tx = store.begin(Turn::Foreground).await?;
    let now = store.store_time(&mut tx).await?.0;
    let values: [&dyn Value<'_>; 3] = [&project.0, &name, &now];
    let set = tx
        .one(sql!("catalog/create_collection.sql"), &values, rows::collection)
        .await?;
    S::commit(tx).await?;
    Ok(set)
}

pub(crate) async fn sets<S: Cold>(
    store: &S,
    project: Option<ProjectId>,
    page: OffsetPage,
) -> sqlx::Result<Total<Collection>> {
    let project = project.map(|p| p.0);
    let mut conn = store.reader().await?;
    let count = counted(&mut *conn, sql!("catalog/count_collections.sql"), &[&project]).await?;
    let values: [&dyn Value<'_>; 3] = [&project, &bound(page.limit), &bound(page.offset)];
    let rows = conn
        .list(sql!("catalog/collections.sql"), &values, rows::collection)
        .await?;
    Ok(Total { rows, count })
}

pub(crate) async fn recent_sets<S: Cold>(
    store: &S,
    project: Option<ProjectId>,
    before: Option<CollectionId>,
    (limit, count_max): (u64, u64),
) -> sqlx::Result<Vec<Collection>> {
    let before = before.map_or(i64::MAX, |set| set.0);
    let (limit, count_max) = (bound(limit), bound(count_max));
    let mut conn = store.reader().await?;
    match project {
        None => {
            let sql = sql!("catalog/recent_sets.sql");
            conn.list(sql, &[&before, &limit, &count_max], rows::collection)
                .await
        }
        Some(project) => {
            let sql = sql!("catalog/recent_sets_of_project.sql");
            let values: [&dyn Value<'_>; 4] = [&before, &limit, &count_max, &project.0];
            conn.list(sql, &values, rows::collection).await
        }
    }
}

pub(crate) async fn set<S: Cold>(
    store: &S,
    id: CollectionId,
    count_max: u64,
) -> sqlx::Result<Option<Collection>> {
    let mut conn = store.reader().await?;
    let values: [&dyn Value<'_>; 2] = [&id.0, &bound(count_max)];
    conn.find(sql!("catalog/collection.sql"), &values, rows::collection)
        .await
}

/// What jobs have processed of sets. Each slice has a connection for itself: of a set of a million captures all of them together
/// take seconds, which nobody else waits for.
pub(crate) async fn progress<S: Cold>(store: &S, sets: &[CollectionId]) -> Result<Vec<CollectionProgress>> {
    let mut all = Vec::with_capacity(sets.len());
    for set in sets {
        let (mut whole, mut after) = (CollectionProgress::none(*set), Some(i64::MIN));
        while let Some(from) = after {
            let (slice, last) = store.aside(next_progress(store, *set, from)).await?;
            whole.processed += slice.processed;
            whole.with_detections += slice.with_detections;
            after = last;
        }
        all.push(whole);
    }
    Ok(all)
}

/// The same of the next captures of a set; the last of them, if there may be more.
async fn next_progress<S: Cold>(
    store: &S,
    set: CollectionId,
    after: i64,
) -> sqlx::Result<(CollectionProgress, Option<i64>)> {
    let values: [&dyn Value<'_>; 3] = [&set.0, &after, &PROGRESS_SLICE];
    let mut conn = store.reader().await?;
    conn.one(sql!(each "catalog/collection_progress.sql"), &values, |row| {
        let (captures, last): (i64, Option<i64>) = (row.col("captures")?, row.col("last")?);
        let progress = CollectionProgress {
            collection: set,
            processed: row.unsigned("processed")?,
            with_detections: row.unsigned("with_detections")?,
        };
        Ok((progress, last.filter(|_| captures == PROGRESS_SLICE)))
    })
    .await
}

pub(crate) async fn of_set<S: Cold>(
    store: &S,
    set: CollectionId,
    after: CaptureId,
    limit: u64,
) -> sqlx::Result<Vec<CaptureId>> {
    let mut conn = store.reader().await?;
    let values: [&dyn Value<'_>; 4] = [&set.0, &after.0, &i64::MAX, &bound(limit)];
    let ids: Vec<i64> = conn.list(sql!("collect/captures.sql"), &values, first).await?;
    Ok(ids.into_iter().map(CaptureId).collect())
}

pub(crate) async fn known<S: Cold>(
    store: &S,
    project: ProjectId,
    urls: &[String],
) -> sqlx::Result<Vec<CaptureId>> {
    let mut conn = store.reader().await?;
    let sql = sql!(each "catalog/known_captures.sql");
    let ids: Vec<i64> = conn.list(sql, &[&project.0, &List(urls)], first).await?;
    Ok(ids.into_iter().map(CaptureId).collect())
}

pub(crate) async fn count_processed<S: Cold>(
    store: &S,
    captures: &[CaptureId],
    fingerprint: &str,
) -> sqlx::Result<u64> {
    let ids: Vec<i64> = captures.iter().map(|c| c.0).collect();
    let mut conn = store.worker_reader().await?;
    let sql = sql!(each "catalog/count_processed.sql");
    counted(&mut *conn, sql, &[&List(&ids), &fingerprint]).await
}

/// Adds a slice; `None` if there is no such set.
pub(crate) async fn add<S: Cold>(
    store: &S,
    set: CollectionId,
    captures: &[NewCapture],
) -> sqlx::Result<Option<Added>> {
    if captures.is_empty() {
        return Ok(Some(Added::default()));
    }
    let list = Listed::json(captures.iter().map(|c| Listed::new(None, Some(&c.url), &c.facts)));
    let added = retried::<S, _>(|| Box::pin(add_once(store, set.0, &list))).await?;
    let Some(added) = added else {
        return Ok(None);
    };
    store.filled(added);
    // A URL that comes again in one call was there when its second line was read; so the two numbers always
    // add up to what was given, wherever a caller cuts its slices.
    Ok(Some(Added {
        added,
        already_there: captures.len() as u64 - added,
    }))
}

/// How many the set did not have; `None` if there is no such set.
async fn add_once<S: Cold>(store: &S, set: i64, list: &str) -> sqlx::Result<Option<u64>> {
    let mut tx = store.begin(Turn::Background).await?;
    let project = tx
        .find(
            sql!(each "catalog/project_of_collection.sql"),
            &[&set],
            first::<i64>,
        )
        .await?;
    let Some(project) = project else { return Ok(None) };
    tx.run(sql!(each "catalog/add_captures.sql"), &[&project, &list])
        .await?;
    let named = tx
        .run(
            sql!(each "catalog/add_to_collection.sql"),
            &[&set, &project, &list],
        )
        .await?;
    let unnamed: Vec<i64> = tx
        .list(
            sql!(each "catalog/add_captures_without_url.sql"),
            &[&project, &list],
            first,
        )
        .await?;
    if !unnamed.is_empty() {
        tx.run(
            sql!(each "catalog/add_ids_to_collection.sql"),
            &[&set, &List(&unnamed)],
        )
        .await?;
    }
    let added = named + unnamed.len() as u64;
    if added > 0 {
        let now = store.store_time(&mut tx).await?.0;
        tx.run(sql!("catalog/touch_collection.sql"), &[&set, &now])
            .await?;
    }
    S::commit(tx).await?;
    Ok(Some(added))
}

pub(crate) async fn merge<S: Cold>(store: &S, into: CollectionId, from: CollectionId) -> sqlx::Result<()> {
    let sql = sql!("catalog/merge_collection.sql");
    let added = write(store, Turn::Background, sql, &[&into.0, &from.0]).await?;
    store.filled(added);
    Ok(())
}

pub(crate) async fn delete_set<S: Cold>(store: &S, id: CollectionId) -> sqlx::Result<bool> {
    let mut tx = store.begin(Turn::Background).await?;
    tx.rows(sql!(each "catalog/lock_collection.sql"), &[&id.0])
        .await?;
    tx.run(sql!("catalog/empty_collection.sql"), &[&id.0]).await?;
    let gone = tx.run(sql!("catalog/delete_collection.sql"), &[&id.0]).await?;
    S::commit(tx).await?;
    Ok(gone > 0)
}

pub(crate) async fn find<S: Cold>(store: &S, id: CaptureId) -> sqlx::Result<Option<Capture>> {
    let mut conn = store.reader().await?;
    conn.find(sql!("catalog/capture.sql"), &[&id.0], rows::capture)
        .await
}

pub(crate) async fn page<S: Cold>(
    store: &S,
    of: CaptureScope,
    after: CaptureId,
    limit: u64,
) -> sqlx::Result<Vec<Capture>> {
    let (sql, id) = match of {
        CaptureScope::Project(project) => (sql!("catalog/captures.sql"), project.0),
        CaptureScope::Collection(set) => (sql!("catalog/captures_of_collection.sql"), set.0),
        CaptureScope::Job(job) => (sql!(each "catalog/captures_of_job.sql"), job.0),
    };
    let mut conn = store.reader().await?;
    conn.list(sql, &[&id, &after.0, &bound(limit)], rows::capture)
        .await
}

pub(crate) async fn of_files<S: Cold>(
    store: &S,
    project: ProjectId,
    files: Files<'_>,
) -> sqlx::Result<Vec<Capture>> {
    let (urls, sizes);
    let (sql, list): (_, &dyn Value<'_>) = match files {
        Files::At(each) => {
            urls = List(each);
            (sql!(each "catalog/captures_at.sql"), &urls)
        }
        Files::OfSizes(each) => {
            sizes = List(each);
            (sql!(each "catalog/captures_of_sizes.sql"), &sizes)
        }
    };
    let mut conn = store.reader().await?;
    conn.list(sql, &[&project.0, list], rows::capture).await
}

pub(crate) async fn describe<S: Cold>(store: &S, learnt: &[Learnt]) -> sqlx::Result<()> {
    let each = learnt.iter();
    let list = Listed::json(each.map(|l| Listed::new(Some(l.capture), l.url.as_deref(), &l.facts)));
    let sql = sql!(each "catalog/describe_captures.sql");
    write(store, Turn::Background, sql, &[&list]).await.map(drop)
}
