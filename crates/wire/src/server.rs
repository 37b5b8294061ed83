//! The server itself: probes, tokens, callers, and what the chaos tools ask.

use serde::{Deserialize, Serialize};

use crate::{Null, Time, Word};

/// `GET /healthz`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Health {
    /// Always `ok`.
    pub status: Word,
    /// The version of the server.
    pub version: Word,
    /// Whether `X-Forwarded-For` came from a proxy that is not trusted; left out if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forwarded_headers_ignored: bool,
}

/// `GET /readyz`: 200 if ready, else 503. A dependency is `ok` or `unavailable`.
#[derive(Debug, Serialize)]
pub struct Ready {
    /// Whether tasks can be reserved and results settled, which takes the store alone.
    pub ready: bool,
    /// The store.
    pub store: Word,
    /// The queue.
    pub queue: Word,
    /// The live counts.
    pub progress: Word,
    /// The age of the last tick of the health check, in seconds.
    pub last_tick_age_seconds: Option<u64>,
}

/// A token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Token {
    /// Its number.
    pub id: i64,
    /// The name that people see.
    pub name: String,
    /// `viewer`, `worker`, `operator` or `admin`.
    pub role: Word,
    /// The project that it is bound to.
    pub project_id: Option<i64>,
    /// The first 8 characters of the secret.
    pub prefix: String,
    /// The time of creation.
    pub created_at: Time,
    /// The time from which it is no longer valid.
    pub expires_at: Option<Time>,
    /// The time of its last use, to some minutes.
    pub used_at: Option<Time>,
    /// The secret; only in the answer that makes the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// `POST /tokens/`.
#[derive(Debug, Serialize)]
pub struct NewToken<'a> {
    /// The name that people see.
    pub name: &'a str,
    /// The role.
    pub role: &'a str,
    /// The project to which it is bound.
    pub project_id: Option<i64>,
    /// The time from which it is no longer valid.
    pub expires_at: Option<Time>,
}

/// `POST /tokens/{id}/link/`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInLink {
    /// Where a browser is signed in, once.
    pub url: String,
    /// The time from which it no longer works.
    pub expires_at: Time,
}

/// `POST /auth/token/login/`.
#[derive(Debug, Serialize)]
pub struct Login {
    /// The token that was given as the password.
    pub auth_token: String,
}

/// `GET /users/me/`: the caller's token, as a user of Antenna's.
#[derive(Debug, Default, Serialize)]
pub struct User {
    /// The token's number; 0 for `--admin-token`.
    pub id: i64,
    /// The token's name.
    pub name: String,
    /// This user's URL.
    pub details: String,
    /// Always null.
    pub image: Null,
    /// Always empty.
    pub identifications: Vec<Null>,
    /// Always empty.
    pub email: String,
    /// Always empty.
    pub user_permissions: Vec<Word>,
    /// The token's role.
    pub role: Word,
    /// The project that the token is bound to.
    pub project_id: Option<i64>,
}

/// `GET /chaos/`.
#[derive(Debug, Serialize)]
pub struct ChaosAllowed {
    /// Always true: elsewhere there is no such path.
    pub allowed: bool,
}

/// The answer to `POST /chaos/flush/`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flushed {
    /// `queue` or `progress`.
    pub what: String,
    /// How many jobs it held something of.
    pub jobs: u64,
}

/// The answer to `POST /chaos/job/` and `POST /chaos/reserve/`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChaosJob {
    /// The job.
    pub job_id: i64,
    /// The images that were taken; only after a reservation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Vec<String>>,
}
