//! Jobs by their names or by when they ended, of which a bounded number is looked at.
//!
//! First the places of jobs are read from an index, then the jobs that have them: of a statement that did both, a database might
//! find the jobs by another index, and sort all of them.

use std::collections::{BTreeSet, HashMap};

use trapline_core::{
    JobId,
    ports::{Job, JobGroup, JobsFrom, RecentJobs, RecentQuery},
};

use super::{
    Cold, RowOf,
    listed::{BY_STATUS, narrow, of_status},
    parts::Parts,
    recent::{OF_SETS, RUNNING, among, filter, full},
};
use crate::{
    rows::Columns as _,
    sql::{Column, Conn, Sql, Value, bound, first, sql},
};

/// An order: the statement of places, and how it is gone through.
pub(super) struct Order {
    places: Sql,
    /// What the place is in conditions.
    by: Sql,
    /// Beyond a place or a number, and the direction.
    beyond: &'static str,
    direction: &'static str,
}

pub(super) const BY_NAME: Order = Order {
    places: sql!(each "jobs/by_name.sql"),
    by: Sql {
        sqlite: "lower(j.name)",
        postgres: "lower(j.name COLLATE \"C\")",
    },
    beyond: ">",
    direction: "ASC",
};

pub(super) const BY_END: Order = Order {
    places: sql!("jobs/by_end.sql"),
    by: Sql {
        sqlite: "j.finished_at",
        postgres: "j.finished_at",
    },
    beyond: "<",
    direction: "DESC",
};

/// From where places are read.
enum Part<'a, K> {
    All,
    /// Of the jobs that have this place, those beyond one of them.
    Same(&'a K, JobId),
    /// Those beyond this place.
    Beyond(&'a K),
}

/// A page in an order, after a place and a job that has it; `from` makes a place of what is read.
pub(super) async fn page<S, K>(
    store: &S,
    of: &RecentQuery,
    order: &Order,
    after: Option<(K, JobId)>,
    from: fn((K, JobId)) -> JobsFrom,
) -> sqlx::Result<RecentJobs>
where
    S: Cold,
    K: Column + for<'q> Value<'q> + Clone + Send + Sync,
{
    let mut conn = store.reader().await?;
    let is_listed = of.sets.is_some() || of.among.is_some();
    let is_narrowed = is_listed || of.search.is_some() || of.pipeline.is_some() || of.group.is_some();
    let most = match of.group {
        Some(JobGroup::Running) => u64::MAX - 1,
        _ if is_narrowed => of.examined_max,
        _ => of.limit,
    };
    let mut found = Vec::new();
    if let Some((place, id)) = &after {
        found = places::<S, K>(&mut conn, of, order, &Part::Same(place, *id), most + 1).await?;
    }
    let left = (most + 1).saturating_sub(found.len() as u64);
    let rest = after.as_ref().map_or(Part::All, |(place, _)| Part::Beyond(place));
    found.extend(places::<S, K>(&mut conn, of, order, &rest, left).await?);
    let is_more = found.len() as u64 > most;
    found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let last = found.last().cloned();
    if is_narrowed {
        let matching = matching::<S>(&mut conn, of, &found).await?;
        found.retain(|(_, id)| matching.contains(id));
    }
    let limit = usize::try_from(of.limit).unwrap_or(usize::MAX);
    let is_full = found.len() > limit || (is_more && !is_narrowed);
    found.truncate(limit);
    let end = if is_full {
        found.last().cloned()
    } else {
        last.filter(|_| is_more)
    };
    Ok(RecentJobs {
        rows: jobs::<S, K>(&mut conn, of, &found).await?,
        next: end.map(from),
        stopped: !is_full && is_more,
    })
}

async fn places<S: Cold, K: Column + for<'q> Value<'q> + Clone + Send + Sync>(
    conn: &mut S::Conn,
    of: &RecentQuery,
    order: &Order,
    part: &Part<'_, K>,
    limit: u64,
) -> sqlx::Result<Vec<(K, JobId)>> {
    let mut query = Parts::<S::Conn>::new(order.places);
    let (by, beyond, direction) = (<S::Conn as Conn>::text(order.by), order.beyond, order.direction);
    if let Some(project) = of.project {
        query.add(" AND j.project_id = $", project.0);
    }
    match *part {
        Part::All => {}
        Part::Same(place, id) => {
            query.add(&format!(" AND {by} = $"), place.clone());
            query.add(&format!(" AND j.id {beyond} $"), id.0);
        }
        Part::Beyond(place) => query.add(&format!(" AND {by} {beyond} $"), place.clone()),
    }
    if of.group == Some(JobGroup::Running) {
        query.push(<S::Conn as Conn>::text(RUNNING));
    }
    let first = match part {
        Part::Same(..) => String::new(),
        Part::All | Part::Beyond(_) => format!("{by} {direction}, "),
    };
    query.push(&format!(" ORDER BY {first}j.id {direction}"));
    query.add(" LIMIT $", bound(limit));
    let rows = query.rows(conn).await?;
    rows.iter()
        .map(|row: &RowOf<S>| Ok((row.col("place")?, JobId(row.col("id")?))))
        .collect()
}

/// Which of these jobs are asked for.
async fn matching<S: Cold>(
    conn: &mut S::Conn,
    of: &RecentQuery,
    found: &[(impl Sync, JobId)],
) -> sqlx::Result<BTreeSet<JobId>> {
    let filter = filter(of);
    let mut query = Parts::<S::Conn>::new(sql!("jobs/matching.sql"));
    among(&mut query, found.iter().map(|(_, id)| id.0).collect());
    if let Some(jobs) = &of.among {
        among(&mut query, jobs.iter().map(|job| job.0).collect());
    }
    if let Some(sets) = &of.sets {
        let ids: Vec<i64> = sets.iter().map(|set| set.0).collect();
        query.add(<S::Conn as Conn>::text(OF_SETS), crate::sql::List(ids));
    }
    of_status(&mut query, BY_STATUS, &filter.status);
    narrow(&mut query, &filter);
    let rows = query.rows(conn).await?;
    rows.iter().map(|row| first(row).map(JobId)).collect()
}

/// The jobs of a page, in its order.
async fn jobs<S: Cold, K: Sync>(
    conn: &mut S::Conn,
    of: &RecentQuery,
    found: &[(K, JobId)],
) -> sqlx::Result<Vec<Job>> {
    let rows = full::<S>(conn, of, found.iter().map(|(_, id)| id.0).collect()).await?;
    let mut by_id: HashMap<JobId, Job> = rows.into_iter().map(|job| (job.id, job)).collect();
    Ok(found.iter().filter_map(|(_, id)| by_id.remove(id)).collect())
}
