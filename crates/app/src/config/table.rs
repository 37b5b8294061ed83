//! The table of settings: the only place that knows a key's name, variables, bounds and how it is shown.

use trapline_core::health::IdlePolicy;

use super::{
    ADMIN_TOKEN_MIN, Config, Database, LogFormat,
    urls::without_secrets,
    values::{boolean, bytes, count, number, projection, seconds},
    without_password,
};

/// One key.
pub struct Setting {
    /// In `trapline.toml` and for `--set`.
    pub key: &'static str,
    /// Variables of the environment; the first that is set counts.
    pub env: &'static [&'static str],
    /// What it is, for people.
    pub about: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    pub(super) set: fn(&mut Config, &str) -> Result<(), String>,
    pub(super) show: fn(&Config) -> String,
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key)
    }
}

const fn setting(
    key: &'static str,
    env: &'static [&'static str],
    about: &'static str,
    set: fn(&mut Config, &str) -> Result<(), String>,
    show: fn(&Config) -> String,
) -> Setting {
    Setting {
        key,
        env,
        about,
        secret: false,
        set,
        show,
    }
}

/// Every setting.
pub const SETTINGS: &[Setting] = &[
    setting(
        "listen",
        &["TRAPLINE_LISTEN"],
        "host:port to listen on; port 0 takes a free one",
        |c, v| {
            let port = v
                .rsplit_once(':')
                .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
            match port {
                Some((host, _)) if !host.is_empty() => c.listen = v.to_owned(),
                _ => return Err("is not host:port".to_owned()),
            }
            Ok(())
        },
        |c| c.listen.clone(),
    ),
    setting(
        "database",
        &["TRAPLINE_DATABASE", "DATABASE_URL"],
        "a path, sqlite:PATH or postgres://…",
        |c, v| {
            Database::parse(v).map_err(|e| e.message)?;
            c.database = v.to_owned();
            Ok(())
        },
        |c| without_password(&c.database),
    ),
    setting(
        "queue",
        &["TRAPLINE_QUEUE", "NATS_URL"],
        "embedded: or nats://…",
        |c, v| projection(v, &["nats", "tls"]).map(|v| c.queue = v),
        |c| without_secrets(&c.queue),
    ),
    setting(
        "progress",
        &["TRAPLINE_PROGRESS", "REDIS_URL"],
        "embedded: or redis://…",
        |c, v| projection(v, &["redis", "rediss"]).map(|v| c.progress = v),
        |c| without_password(&c.progress),
    ),
    Setting {
        key: "admin_token",
        env: &["TRAPLINE_ADMIN_TOKEN"],
        about: "an admin token of this process, never stored",
        secret: true,
        set: |c, v| {
            if v.chars().count() < ADMIN_TOKEN_MIN || !v.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(format!(
                    "must have at least {ADMIN_TOKEN_MIN} visible ASCII characters"
                ));
            }
            c.admin_token = Some(v.to_owned());
            Ok(())
        },
        show: |c| c.admin_token.clone().unwrap_or_default(),
    },
    setting(
        "task_ttr",
        &["TRAPLINE_TASK_TTR", "NATS_TASK_TTR"],
        "seconds that a lease lasts",
        |c, v| seconds(v, 1, 86_400).map(|v| c.task_ttr = v),
        |c| c.task_ttr.as_secs().to_string(),
    ),
    setting(
        "max_deliver",
        &["TRAPLINE_MAX_DELIVER", "NATS_MAX_DELIVER"],
        "strikes after which a task is lost",
        |c, v| number(v, 1, 100).map(|v| c.max_deliver = v.cast_signed()),
        |c| c.max_deliver.to_string(),
    ),
    setting(
        "max_ack_pending",
        &["TRAPLINE_MAX_ACK_PENDING", "NATS_MAX_ACK_PENDING"],
        "candidates of a job that a broker may have out at a time",
        |c, v| number(v, 1, 1_000_000).map(|v| c.max_ack_pending = v),
        |c| c.max_ack_pending.to_string(),
    ),
    setting(
        "queue_replicas",
        &["TRAPLINE_QUEUE_REPLICAS", "NATS_STREAM_REPLICAS"],
        "copies of each job's stream in a cluster of NATS servers: 1, 3 or 5",
        |c, v| {
            c.queue_replicas = match v {
                "1" => 1,
                "3" => 3,
                "5" => 5,
                _ => return Err("must be 1, 3 or 5".to_owned()),
            };
            Ok(())
        },
        |c| c.queue_replicas.to_string(),
    ),
    setting(
        "max_projected_jobs",
        &["TRAPLINE_MAX_PROJECTED_JOBS"],
        "jobs that have a stream in NATS at once, others are handed out from the store; unset: 1000, or 300 with replicas",
        |c, v| {
            let jobs = number(v, 1, 100_000)?;
            c.max_projected_jobs = usize::try_from(jobs).ok();
            Ok(())
        },
        |c| c.max_projected_jobs.map_or_else(String::new, |n| n.to_string()),
    ),
    setting(
        "queue_credentials",
        &["TRAPLINE_QUEUE_CREDENTIALS", "NATS_CREDS"],
        "file with the user and key for NATS, as `nsc` writes it; TLS is by `tls://` in `queue`",
        |c, v| {
            c.queue_credentials = Some(v.into());
            Ok(())
        },
        |c| {
            c.queue_credentials
                .as_deref()
                .map_or_else(String::new, |p| p.display().to_string())
        },
    ),
    setting(
        "files",
        &["TRAPLINE_FILES"],
        "folder whose photographs a signed-in person may see, if captures are files of this machine, as those of `trapline run`",
        |c, v| {
            c.files = Some(v.into());
            Ok(())
        },
        |c| {
            c.files
                .as_deref()
                .map_or_else(String::new, |p| p.display().to_string())
        },
    ),
    setting(
        "settle_wait",
        &["TRAPLINE_SETTLE_WAIT"],
        "seconds that a result waits for the store",
        |c, v| seconds(v, 1, 300).map(|v| c.settle_wait = v),
        |c| c.settle_wait.as_secs().to_string(),
    ),
    setting(
        "thumbnails_bytes_max",
        &["TRAPLINE_THUMBNAILS_BYTES_MAX"],
        "bytes of thumbnails that are kept, the oldest jobs' go first; 0 keeps none",
        |c, v| number(v, 0, 1 << 50).map(|v| c.thumbnails_bytes_max = v),
        |c| c.thumbnails_bytes_max.to_string(),
    ),
    setting(
        "allow_chaos",
        &["TRAPLINE_ALLOW_CHAOS"],
        "`true` lets an admin wipe projections and take tasks that no worker answers",
        |c, v| boolean(v).map(|v| c.allow_chaos = v),
        |c| c.allow_chaos.to_string(),
    ),
    setting(
        "health_interval",
        &["TRAPLINE_HEALTH_INTERVAL"],
        "seconds between two health checks",
        |c, v| seconds(v, 1, 86_400).map(|v| c.health.health_interval = v),
        |c| c.health.health_interval.as_secs().to_string(),
    ),
    setting(
        "stalled_after",
        &["TRAPLINE_STALLED_AFTER"],
        "seconds without a worker's result after which a job is idle",
        |c, v| seconds(v, 1, 30 * 86_400).map(|v| c.health.stalled_after = v),
        |c| c.health.stalled_after.as_secs().to_string(),
    ),
    setting(
        "zombie_after",
        &["TRAPLINE_ZOMBIE_AFTER"],
        "seconds after which a queue of no running job is removed",
        |c, v| seconds(v, 1, 365 * 86_400).map(|v| c.health.zombie_after = v),
        |c| c.health.zombie_after.as_secs().to_string(),
    ),
    setting(
        "tick_retention",
        &["TRAPLINE_TICK_RETENTION"],
        "seconds that reports of health checks are kept",
        |c, v| seconds(v, 1, 365 * 86_400).map(|v| c.health.tick_retention = v),
        |c| c.health.tick_retention.as_secs().to_string(),
    ),
    setting(
        "idle_policy",
        &["TRAPLINE_IDLE_POLICY"],
        "`wait`: a job that nobody asks for waits; `strict`: every pending task of an idle job is lost",
        |c, v| {
            c.health.idle_policy = match v {
                "wait" => IdlePolicy::Wait,
                "strict" => IdlePolicy::Strict,
                _ => return Err("is neither `wait` nor `strict`".to_owned()),
            };
            Ok(())
        },
        |c| match c.health.idle_policy {
            IdlePolicy::Wait => "wait".to_owned(),
            IdlePolicy::Strict => "strict".to_owned(),
        },
    ),
    setting(
        "json_bytes_max",
        &["TRAPLINE_JSON_BYTES_MAX"],
        "bytes of a JSON body other than those below",
        |c, v| bytes(v).map(|v| c.limits.json_bytes = v),
        |c| c.limits.json_bytes.to_string(),
    ),
    setting(
        "large_json_bytes_max",
        &["TRAPLINE_LARGE_JSON_BYTES_MAX"],
        "bytes of a JSON body that makes or changes a job, registers pipelines or names leases",
        |c, v| bytes(v).map(|v| c.limits.large_json_bytes = v),
        |c| c.limits.large_json_bytes.to_string(),
    ),
    setting(
        "result_bytes_max",
        &["TRAPLINE_RESULT_BYTES_MAX"],
        "bytes of a post of results",
        |c, v| bytes(v).map(|v| c.limits.result_bytes = v),
        |c| c.limits.result_bytes.to_string(),
    ),
    setting(
        "item_bytes_max",
        &["TRAPLINE_ITEM_BYTES_MAX"],
        "bytes of one result",
        |c, v| bytes(v).map(|v| c.limits.item_bytes = v),
        |c| c.limits.item_bytes.to_string(),
    ),
    setting(
        "body_idle_timeout",
        &["TRAPLINE_BODY_IDLE_TIMEOUT"],
        "seconds in which something of a body must arrive",
        |c, v| seconds(v, 1, 86_400).map(|v| c.limits.body_idle_timeout = v),
        |c| c.limits.body_idle_timeout.as_secs().to_string(),
    ),
    setting(
        "json_body_timeout",
        &["TRAPLINE_JSON_BODY_TIMEOUT"],
        "seconds in which a whole JSON body must arrive",
        |c, v| seconds(v, 1, 86_400).map(|v| c.limits.json_body_timeout = v),
        |c| c.limits.json_body_timeout.as_secs().to_string(),
    ),
    setting(
        "result_body_timeout",
        &["TRAPLINE_RESULT_BODY_TIMEOUT"],
        "seconds in which a whole post of results must arrive; uploads of captures have no such limit",
        |c, v| seconds(v, 1, 86_400).map(|v| c.limits.result_body_timeout = v),
        |c| c.limits.result_body_timeout.as_secs().to_string(),
    ),
    setting(
        "body_memory_max",
        &["TRAPLINE_BODY_MEMORY_MAX"],
        "bytes of memory that all bodies in flight may take; one token gets a quarter",
        |c, v| number(v, 1 << 20, 1 << 40).map(|v| c.limits.body_memory = count(v)),
        |c| c.limits.body_memory.to_string(),
    ),
    setting(
        "body_memory_wait",
        &["TRAPLINE_BODY_MEMORY_WAIT"],
        "seconds that a request waits for its part of `body_memory_max`",
        |c, v| seconds(v, 1, 3_600).map(|v| c.limits.body_memory_wait = v),
        |c| c.limits.body_memory_wait.as_secs().to_string(),
    ),
    setting(
        "login_per_minute",
        &["TRAPLINE_LOGIN_PER_MINUTE"],
        "logins of an address, and tokens of it that are not valid after the first 20; a valid token is never refused for them",
        |c, v| {
            number(v, 1, 1_000_000).map(|v| c.limits.login_per_minute = u32::try_from(v).unwrap_or(u32::MAX))
        },
        |c| c.limits.login_per_minute.to_string(),
    ),
    setting(
        "trusted_proxies",
        &["TRAPLINE_TRUSTED_PROXIES"],
        "addresses and networks of proxies whose `X-Forwarded-*` is believed, by commas; none by default",
        |c, v| v.parse().map(|v| c.trusted_proxies = v),
        |c| c.trusted_proxies.to_string(),
    ),
    setting(
        "public_url",
        &["TRAPLINE_PUBLIC_URL"],
        "where people find the pages, as https://trapline.example: they answer to no other name; unset: to any, on a loopback \
         address to those of this machine",
        |c, v| v.parse().map(|v| c.public_url = Some(v)),
        |c| {
            c.public_url
                .as_ref()
                .map_or_else(String::new, ToString::to_string)
        },
    ),
    setting(
        "connections_max",
        &["TRAPLINE_CONNECTIONS_MAX"],
        "connections at once; more are closed as they come",
        |c, v| number(v, 1, 1_000_000).map(|v| c.connections.connections_max = count(v)),
        |c| c.connections.connections_max.to_string(),
    ),
    setting(
        "header_timeout",
        &["TRAPLINE_HEADER_TIMEOUT"],
        "seconds in which the head of a request must arrive",
        |c, v| seconds(v, 1, 3_600).map(|v| c.connections.header_timeout = v),
        |c| c.connections.header_timeout.as_secs().to_string(),
    ),
    setting(
        "idle_timeout",
        &["TRAPLINE_IDLE_TIMEOUT"],
        "seconds that a connection is kept between two requests; longer than proxies and clients keep theirs",
        |c, v| seconds(v, 1, 86_400).map(|v| c.connections.idle_timeout = v),
        |c| c.connections.idle_timeout.as_secs().to_string(),
    ),
    setting(
        "write_timeout",
        &["TRAPLINE_WRITE_TIMEOUT"],
        "seconds that a client may take nothing of its answer",
        |c, v| seconds(v, 1, 86_400).map(|v| c.connections.write_timeout = v),
        |c| c.connections.write_timeout.as_secs().to_string(),
    ),
    setting(
        "drain_seconds",
        &["TRAPLINE_DRAIN_SECONDS"],
        "seconds that a graceful stop may take",
        |c, v| seconds(v, 1, 3_600).map(|v| c.drain = v),
        |c| c.drain.as_secs().to_string(),
    ),
    setting(
        "log",
        &["TRAPLINE_LOG", "RUST_LOG"],
        "which lines are logged: `info`, `warn,trapline_engine=debug`",
        |c, v| {
            v.parse::<tracing_subscriber::EnvFilter>()
                .map_err(|e| format!("is not a valid log filter: {e}"))?;
            c.log = v.to_owned();
            Ok(())
        },
        |c| c.log.clone(),
    ),
    setting(
        "log_format",
        &["TRAPLINE_LOG_FORMAT"],
        "`text` or `json`",
        |c, v| {
            c.log_format = match v {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err("is neither `text` nor `json`".to_owned()),
            };
            Ok(())
        },
        |c| match c.log_format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        },
    ),
];
