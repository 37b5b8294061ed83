//! What a sweep remembers and tells of workers that died (RULES.md A6); `core` decides, this carries it out.

use std::collections::{BTreeMap, HashMap};

use sqlx::SqliteConnection;
use trapline_core::{
    GrantId, JobId, Timestamp, WorkerId,
    death::{self, EndedGrant, GrantEnd},
};

use super::{counts, json, sweep::DueGrant};

/// What became of the grants whose leases are over, by grant.
pub(super) type Ends = BTreeMap<i64, GrantEnd>;

/// Decides on the grants of a slice, and remembers which deaths were charged.
pub(super) async fn judge(conn: &mut SqliteConnection, due: &[DueGrant]) -> sqlx::Result<Ends> {
    let mut charged = HashMap::new();
    let mut grants = Vec::new();
    for grant in due {
        if let Some(until) = grant.charged_until {
            charged.insert(grant.worker, until);
        }
        if let Some(ended_at) = grant.ended_at {
            grants.push(EndedGrant {
                grant: GrantId(grant.id),
                worker: grant.worker,
                granted_at: grant.granted_at,
                ended_at,
                answered: grant.answered,
                alive: grant.again.is_some(),
            });
        }
    }
    let before = charged.clone();
    let ends = death::judge(&grants, &mut charged);
    let changed: Vec<(WorkerId, i64)> = charged
        .into_iter()
        .filter(|(worker, until)| before.get(worker) != Some(until))
        .map(|(worker, until)| (worker, until.0))
        .collect();
    if !changed.is_empty() {
        sqlx::query("UPDATE workers SET charged_until = e.value->>1 FROM json_each(?1) e WHERE workers.id = e.value->>0")
            .bind(json(&changed))
            .execute(conn)
            .await?;
    }
    Ok(grants.iter().map(|g| g.grant.0).zip(ends).collect())
}

/// A line in the job's log for each grant that died or was held ahead, with how many of its tasks that concerns.
pub(super) async fn tell(
    conn: &mut SqliteConnection,
    due: &[DueGrant],
    ends: &Ends,
    tasks: &HashMap<i64, usize>,
    now: Timestamp,
) -> sqlx::Result<()> {
    for grant in due {
        let (Some(end), Some(n)) = (ends.get(&grant.id), tasks.get(&grant.id)) else {
            continue;
        };
        let (level, line) = match end {
            GrantEnd::Strike => continue,
            GrantEnd::Charged => (
                "WARNING",
                format!(
                    "Worker {} answered none of the {n} image(s) that it reserved at {}: taken for dead. A strike each, \
                     and they are suspect, handed out one at a time",
                    grant.name, grant.granted_at
                ),
            ),
            GrantEnd::HeldAhead => (
                "INFO",
                format!(
                    "{n} image(s) that worker {} had reserved at {}, before its older ones were taken for its death, go back",
                    grant.name, grant.granted_at
                ),
            ),
        };
        counts::log_line(conn, JobId(grant.job), level, &line, None, now).await?;
    }
    Ok(())
}
