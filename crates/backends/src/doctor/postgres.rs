//! PostgreSQL, the truth: what could lose a commit that was answered, and what keeps nodes from working.

use std::{collections::HashMap, time::Duration};

use sqlx::{Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};
use trapline_core::{Clock, Error, Result, Timestamp, doctor, doctor::Check};

use super::{RECENT_STEP, asked, stepped};
use crate::postgres::{PostgresOptions, known_migrations};

/// The oldest version whose statements we use.
const OLDEST: u64 = 150_000;
const TIMEOUT: Duration = Duration::from_secs(2);

/// One row each: what `pg_settings` says.
const SETTINGS: &str = include_str!("../postgres/sql/doctor/settings.sql");
const STATE: &str = include_str!("../postgres/sql/doctor/state.sql");

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Settings by name.
    pub settings: HashMap<String, String>,
    /// It replays another server's log, and can't be written.
    pub standby: bool,
    /// Connections that are not ours.
    pub others: i64,
    /// Whether our user may make tables.
    pub may_create: bool,
    /// The migrations that were applied, and whether each succeeded; none if nobody has migrated.
    pub migrations: Vec<(i64, bool)>,
    /// The last step of the store's clock, if it was lately.
    pub step: Option<(i64, i64, i64)>,
    /// This machine's clock before the server's, the server's, this machine's after it.
    pub clocks: (Timestamp, Timestamp, Timestamp),
}

impl Facts {
    fn text(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_default()
    }
}

/// Asks and judges; `nodes` is how many are to run on it.
pub async fn examine(url: &str, nodes: u64, clock: &dyn Clock) -> Vec<Check> {
    let advice = "start it, or correct `database`; until then nothing is handed out, and results wait";
    match asked("postgres.server", ask(url, clock), advice).await {
        Ok(facts) => judge(&facts, nodes),
        Err(none) => vec![none],
    }
}

async fn ask(url: &str, clock: &dyn Clock) -> Result<Facts> {
    let failed = |e: sqlx::Error| Error::unavailable("PostgreSQL can't be asked").with_source(e);
    let server: PgConnectOptions = url
        .parse()
        .map_err(|e: sqlx::Error| Error::invalid("the database's url can't be read").with_source(e))?;
    let server = server
        .application_name("trapline doctor")
        .options([("default_transaction_read_only", "on")]);
    let connecting = PgConnection::connect_with(&server);
    let mut conn = tokio::time::timeout(TIMEOUT, connecting)
        .await
        .map_err(|_| Error::unavailable("PostgreSQL does not answer"))?
        .map_err(failed)?;
    let settings: Vec<(String, String)> = sqlx::query_as(SETTINGS)
        .fetch_all(&mut conn)
        .await
        .map_err(failed)?;
    let before = clock.now();
    let state = sqlx::query(STATE).fetch_one(&mut conn).await.map_err(failed)?;
    let after = clock.now();
    let migrations = if state.try_get("migrated").map_err(failed)? {
        sqlx::query_as(include_str!("../postgres/sql/doctor/migrations.sql"))
            .fetch_all(&mut conn)
            .await
            .map_err(failed)?
    } else {
        Vec::new()
    };
    let current = migrations
        .iter()
        .map(|(v, _): &(i64, bool)| *v)
        .eq(known_migrations());
    let step = match current {
        true => sqlx::query_as(RECENT_STEP)
            .fetch_optional(&mut conn)
            .await
            .map_err(failed)?,
        false => None,
    };
    let theirs = Timestamp(state.try_get("now").map_err(failed)?);
    Ok(Facts {
        settings: settings.into_iter().collect(),
        standby: state.try_get("standby").map_err(failed)?,
        others: state.try_get("others").map_err(failed)?,
        may_create: state
            .try_get::<Option<bool>, _>("may_create")
            .map_err(failed)?
            .unwrap_or(false),
        migrations,
        step,
        clocks: (before, theirs, after),
    })
}

fn judge(facts: &Facts, nodes: u64) -> Vec<Check> {
    let mut checks = vec![release(facts)];
    checks.extend(durability(facts));
    checks.push(connections(facts, nodes));
    checks.push(schema(facts));
    if facts.standby {
        checks.push(Check::fail(
            "postgres.role",
            "a standby, which can't be written",
            "give the address of the primary",
        ));
    }
    let encoding = facts.text("server_encoding");
    if encoding != "UTF8" {
        let advice =
            "make the database with ENCODING 'UTF8': names and errors that it can't hold are refused";
        checks.push(Check::fail("postgres.encoding", encoding, advice));
    }
    if facts.text("autovacuum") != "on" {
        let advice = "turn it on: every hand-out and settlement leaves a dead row version behind";
        checks.push(Check::warn("postgres.autovacuum", "off", advice));
    }
    let (before, theirs, after) = facts.clocks;
    checks.push(doctor::clock("postgres.clock", before, theirs, after));
    checks.extend(facts.step.map(|step| stepped("postgres.clock_step", step)));
    checks
}

fn release(facts: &Facts) -> Check {
    let seen = format!("PostgreSQL {}", facts.text("server_version"));
    Check::that(
        facts.number("server_version_num") >= OLDEST,
        Check::ok("postgres.version", &seen),
        Check::fail("postgres.version", &seen, "use PostgreSQL 15 or newer"),
    )
}

/// What a power cut may take.
fn durability(facts: &Facts) -> [Check; 3] {
    let commit = facts.text("synchronous_commit");
    let commit = Check::that(
        commit != "off",
        Check::ok("postgres.synchronous_commit", commit),
        Check::warn(
            "postgres.synchronous_commit",
            "off by default; nodes turn it on for their own connections",
            "set `synchronous_commit = on` for the server, the database and the user, so that nothing that is put in between \
             can lose an answered result",
        ),
    );
    let must = |name: &'static str, setting: &str, advice: &str| {
        let seen = facts.text(setting);
        Check::that(
            seen == "on",
            Check::ok(name, seen),
            Check::fail(name, seen, advice),
        )
    };
    [
        commit,
        must(
            "postgres.fsync",
            "fsync",
            "set `fsync = on`: a power cut can lose the whole database",
        ),
        must(
            "postgres.full_page_writes",
            "full_page_writes",
            "set `full_page_writes = on`: a power cut can leave torn pages, which no log repairs",
        ),
    ]
}

fn connections(facts: &Facts, nodes: u64) -> Check {
    let pool = u64::from(PostgresOptions::default().connections);
    let reserved = facts.number("superuser_reserved_connections") + facts.number("reserved_connections");
    let most = facts.number("max_connections").saturating_sub(reserved);
    let wanted = pool.saturating_mul(nodes);
    let others = u64::try_from(facts.others).unwrap_or_default();
    let seen = format!("{nodes} node(s) want {wanted} of {most}, others hold {others}");
    let advice = format!(
        "set `max_connections` to at least {}",
        wanted + others + reserved + 10
    );
    match wanted {
        _ if wanted > most => Check::fail("postgres.connections", seen, advice),
        _ if wanted + others > most => Check::warn("postgres.connections", seen, advice),
        _ => Check::ok("postgres.connections", seen),
    }
}

fn schema(facts: &Facts) -> Check {
    let known = known_migrations();
    let applied: Vec<i64> = facts.migrations.iter().map(|(version, _)| *version).collect();
    if let Some((version, _)) = facts.migrations.iter().find(|(_, success)| !success) {
        let advice = "see what it left behind, repair it and delete its row from `_sqlx_migrations`";
        return Check::fail(
            "postgres.schema",
            format!("migration {version} failed half-way"),
            advice,
        );
    }
    let missing = known.iter().filter(|v| !applied.contains(v)).count();
    let newer = applied.iter().filter(|v| !known.contains(v)).count();
    let seen = format!("{} migration(s) applied", applied.len());
    match (missing, newer) {
        (0, 0) => Check::ok("postgres.schema", seen),
        (0, _) => Check::warn(
            "postgres.schema",
            format!("{seen}, {newer} of a newer version"),
            "an upgrade is under way: bring every node to the newest version",
        ),
        _ if facts.may_create => Check::ok(
            "postgres.schema",
            format!("{seen}; the next node that starts applies {missing} more"),
        ),
        _ => Check::fail(
            "postgres.schema",
            format!("{seen}, {missing} are missing, and this user may not make tables"),
            "grant it CREATE on the schema, or start a node once as a user that has it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapline_core::doctor::Verdict;

    fn sound() -> Facts {
        let settings = [
            ("server_version_num", "150018"),
            ("server_version", "15.18"),
            ("synchronous_commit", "on"),
            ("fsync", "on"),
            ("full_page_writes", "on"),
            ("max_connections", "100"),
            ("superuser_reserved_connections", "3"),
            ("autovacuum", "on"),
            ("server_encoding", "UTF8"),
        ];
        Facts {
            settings: settings.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
            may_create: true,
            migrations: known_migrations().into_iter().map(|v| (v, true)).collect(),
            ..Facts::default()
        }
    }

    /// Of sound facts with one changed, everything that is not ok.
    fn wrong(nodes: u64, change: impl FnOnce(&mut Facts)) -> Vec<(&'static str, Verdict)> {
        let mut facts = sound();
        change(&mut facts);
        let checks = judge(&facts, nodes).into_iter();
        checks
            .filter(|c| c.verdict != Verdict::Ok)
            .inspect(|c| assert!(c.advice.is_some(), "{c:?}"))
            .map(|c| (c.name, c.verdict))
            .collect()
    }

    fn wrong_with(name: &str, value: &str) -> Vec<(&'static str, Verdict)> {
        wrong(1, |f| drop(f.settings.insert(name.to_owned(), value.to_owned())))
    }

    #[test]
    fn a_sound_server_has_nothing_wrong() {
        assert_eq!(wrong(5, |_| {}), []);
        assert_eq!(wrong_with("synchronous_commit", "remote_apply"), []);
    }

    #[test]
    fn what_may_lose_a_commit_is_named() {
        assert_eq!(
            wrong_with("synchronous_commit", "off"),
            [("postgres.synchronous_commit", Verdict::Warn)]
        );
        assert_eq!(wrong_with("fsync", "off"), [("postgres.fsync", Verdict::Fail)]);
        assert_eq!(
            wrong_with("full_page_writes", "off"),
            [("postgres.full_page_writes", Verdict::Fail)]
        );
    }

    #[test]
    fn what_nodes_can_not_work_on_is_named() {
        assert_eq!(
            wrong_with("server_version_num", "140011"),
            [("postgres.version", Verdict::Fail)]
        );
        assert_eq!(
            wrong_with("server_encoding", "LATIN1"),
            [("postgres.encoding", Verdict::Fail)]
        );
        assert_eq!(wrong(1, |f| f.standby = true), [("postgres.role", Verdict::Fail)]);
        assert_eq!(
            wrong_with("autovacuum", "off"),
            [("postgres.autovacuum", Verdict::Warn)]
        );
    }

    #[test]
    fn the_pools_of_all_nodes_must_fit_beside_what_others_hold() {
        assert_eq!(wrong(6, |_| {}), []);
        assert_eq!(
            wrong(6, |f| f.others = 2),
            [("postgres.connections", Verdict::Warn)]
        );
        assert_eq!(wrong(7, |_| {}), [("postgres.connections", Verdict::Fail)]);
    }

    #[test]
    fn a_schema_may_be_older_or_empty_if_a_node_can_migrate_it_and_newer_while_an_upgrade_runs() {
        let schema = |v| vec![("postgres.schema", v)];
        assert_eq!(wrong(1, |f| f.migrations.clear()), []);
        let no_right = wrong(1, |f| {
            f.migrations.clear();
            f.may_create = false;
        });
        assert_eq!(no_right, schema(Verdict::Fail));
        assert_eq!(
            wrong(1, |f| f.migrations.push((9_999, true))),
            schema(Verdict::Warn)
        );
        assert_eq!(wrong(1, |f| f.migrations[0].1 = false), schema(Verdict::Fail));
    }
}
