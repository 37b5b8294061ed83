//! Redis or Valkey, as the progress uses it. Losing it loses nothing, so little here is a failure.

use std::{collections::HashMap, time::Duration};

use ::redis::{AsyncConnectionConfig, Client, IntoConnectionInfo as _, RedisError, cmd};
use trapline_core::{Clock, Error, Result, Timestamp, doctor, doctor::Check};

use super::{asked, version};

/// The oldest version with RESP3, on which hints come.
const OLDEST: (u64, u64, u64) = (6, 0, 0);
const TIMEOUT: Duration = Duration::from_secs(2);

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Every field of `INFO`.
    pub info: HashMap<String, String>,
    /// This machine's clock before the server's, the server's, this machine's after it.
    pub clocks: (Timestamp, Timestamp, Timestamp),
}

impl Facts {
    fn text(&self, field: &str) -> &str {
        self.info.get(field).map_or("", String::as_str)
    }

    fn number(&self, field: &str) -> u64 {
        self.text(field).parse().unwrap_or_default()
    }
}

/// Asks and judges.
pub async fn examine(url: &str, clock: &dyn Clock) -> Vec<Check> {
    let advice = "start it, or correct `progress`; until then live counts and hints are missing, and jobs land all the same";
    match asked("redis.server", ask(url, clock), advice).await {
        Ok(facts) => judge(&facts),
        Err(none) => vec![none],
    }
}

async fn ask(url: &str, clock: &dyn Clock) -> Result<Facts> {
    let failed = |e: RedisError| Error::unavailable("Redis can't be asked").with_source(e);
    let info = url
        .into_connection_info()
        .map_err(|e| Error::invalid("the URL of Redis is malformed").with_source(e))?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(TIMEOUT));
    let client = Client::open(info).map_err(failed)?;
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .map_err(failed)?;
    let text: String = cmd("INFO").query_async(&mut connection).await.map_err(failed)?;
    let before = clock.now();
    let (s, us): (i64, i64) = cmd("TIME").query_async(&mut connection).await.map_err(failed)?;
    let theirs = Timestamp(s.saturating_mul(1_000_000).saturating_add(us));
    Ok(Facts {
        info: fields(&text),
        clocks: (before, theirs, clock.now()),
    })
}

fn fields(info: &str) -> HashMap<String, String> {
    info.lines()
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(field, value)| (field.to_owned(), value.to_owned()))
        .collect()
}

fn judge(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![release(facts), eviction(facts), persistence(facts)];
    if facts.text("cluster_enabled") == "1" {
        checks.push(Check::fail(
            "redis.mode",
            "Redis Cluster",
            "give a single server, or one behind Sentinel's address: a job's keys must lie on one",
        ));
    }
    if matches!(facts.text("role"), "slave" | "replica") {
        checks.push(Check::fail(
            "redis.role",
            "a replica, which can't be written",
            "give the address of the primary",
        ));
    }
    let (before, theirs, after) = facts.clocks;
    checks.push(doctor::clock("redis.clock", before, theirs, after));
    checks
}

fn release(facts: &Facts) -> Check {
    let redis = facts.text("redis_version");
    let seen = match facts.text("valkey_version") {
        "" => format!("Redis {redis}"),
        valkey => format!("Valkey {valkey}"),
    };
    let old = Check::fail("redis.version", &seen, "use Redis 6 or newer, or Valkey");
    Check::that(version(redis) >= OLDEST, Check::ok("redis.version", &seen), old)
}

/// All our keys have a time to live, so `volatile-*` may take them too.
fn eviction(facts: &Facts) -> Check {
    let (most, policy) = (facts.number("maxmemory"), facts.text("maxmemory_policy"));
    let seen = format!("maxmemory {most}, {policy}");
    let advice = "set `maxmemory-policy noeviction`, or give Trapline a server of its own: what is evicted is missing from the \
                  live counts until it is projected again";
    let evicts = most > 0 && policy != "noeviction";
    Check::that(
        !evicts,
        Check::ok("redis.eviction", &seen),
        Check::warn("redis.eviction", &seen, advice),
    )
}

/// Never a warning: whatever it loses is rebuilt from the store.
fn persistence(facts: &Facts) -> Check {
    let seen = match facts.text("aof_enabled") {
        "1" => "append-only file on; it is not needed, as losing Redis loses nothing",
        _ => "append-only file off; that is fine, as losing Redis loses nothing",
    };
    Check::ok("redis.persistence", seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapline_core::doctor::Verdict;

    fn judged(info: &str) -> HashMap<&'static str, Verdict> {
        let facts = Facts {
            info: fields(info),
            clocks: Default::default(),
        };
        judge(&facts).into_iter().map(|c| (c.name, c.verdict)).collect()
    }

    #[test]
    fn a_plain_server_is_fine_whatever_it_persists() {
        for aof in ["0", "1"] {
            let all = judged(&format!(
                "# Server\r\nredis_version:7.0.15\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\nrole:master\r\n\
                 cluster_enabled:0\r\naof_enabled:{aof}\r\n"
            ));
            assert!(all.values().all(|v| *v == Verdict::Ok), "{all:?}");
        }
    }

    #[test]
    fn eviction_is_warned_of_only_where_memory_is_bounded_and_keys_may_go() {
        for (most, policy, verdict) in [
            ("10", "allkeys-lru", Verdict::Warn),
            ("10", "volatile-ttl", Verdict::Warn),
            ("10", "noeviction", Verdict::Ok),
            ("0", "allkeys-lru", Verdict::Ok),
        ] {
            let all = judged(&format!(
                "redis_version:7\nmaxmemory:{most}\nmaxmemory_policy:{policy}"
            ));
            assert_eq!(all["redis.eviction"], verdict, "{most} {policy}");
        }
    }

    #[test]
    fn what_can_not_be_worked_with_fails() {
        assert_eq!(judged("redis_version:5.0.14")["redis.version"], Verdict::Fail);
        assert_eq!(judged("redis_version:6.0.16")["redis.version"], Verdict::Ok);
        let valkey = judged("redis_version:7.2.4\nvalkey_version:8.1.0");
        assert_eq!(valkey["redis.version"], Verdict::Ok);
        assert_eq!(judged("cluster_enabled:1")["redis.mode"], Verdict::Fail);
        assert_eq!(judged("role:slave")["redis.role"], Verdict::Fail);
    }
}
