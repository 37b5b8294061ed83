//! The settings of the health check.

use std::time::Duration;

use serde::Deserialize;

use crate::Error;

/// What happens to the pending tasks of an idle job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdlePolicy {
    /// Nothing but the leases that are over: they end. A job that no worker asks for is waiting, not stalled.
    #[default]
    Wait,
    /// Antenna's rule, for fleets that are always on: every pending task is lost.
    Strict,
}

/// The settings; each has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthPolicy {
    /// How often a tick runs.
    pub health_interval: Duration,
    /// How long a job may be without a worker's result before it is idle.
    pub stalled_after: Duration,
    /// How old a queue must be to be removed if its job has ended.
    pub zombie_after: Duration,
    /// How long reports of ticks are kept.
    pub tick_retention: Duration,
    /// What happens to the pending tasks of an idle job.
    pub idle_policy: IdlePolicy,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self {
            health_interval: Duration::from_secs(60),
            stalled_after: Duration::from_secs(10 * 60),
            zombie_after: Duration::from_secs(60 * 60),
            tick_retention: Duration::from_secs(7 * 24 * 60 * 60),
            idle_policy: IdlePolicy::Wait,
        }
    }
}

impl HealthPolicy {
    /// Checks the settings, each for itself, against each other and against the lease.
    ///
    /// # Errors
    /// One per setting that is wrong, its key as the field.
    pub fn validate(&self, task_ttr: Duration) -> Result<(), Vec<Error>> {
        let mut errors = Vec::new();
        let mut at_least = |key: &'static str, value: Duration, least: Duration, why: &str| {
            if value < least {
                let text = format!("`{key}` is {value:?} and must be at least {least:?}: {why}");
                errors.push(Error::field(key, text));
            }
        };
        let second = Duration::from_secs(1);
        at_least(
            "health_interval",
            self.health_interval,
            second,
            "a tick looks at every running job",
        );
        at_least(
            "stalled_after",
            self.stalled_after,
            task_ttr.max(self.health_interval),
            "a job is not idle while its last lease (`task_ttr`) may live, nor between two ticks (`health_interval`)",
        );
        at_least(
            "zombie_after",
            self.zombie_after,
            self.stalled_after,
            "the queue of a job that is not yet idle (`stalled_after`) is no zombie",
        );
        at_least(
            "tick_retention",
            self.tick_retention,
            self.health_interval * 2,
            "a tick is compared with the one before it (`health_interval`)",
        );
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_each_error_names_its_key() {
        let ttr = Duration::from_secs(300);
        assert!(HealthPolicy::default().validate(ttr).is_ok());
        let zero = HealthPolicy {
            health_interval: Duration::ZERO,
            stalled_after: Duration::from_secs(299),
            zombie_after: Duration::from_secs(298),
            tick_retention: Duration::ZERO,
            ..HealthPolicy::default()
        };
        let keys: Vec<_> = zero
            .validate(ttr)
            .unwrap_err()
            .iter()
            .map(|e| e.field.unwrap())
            .collect();
        assert_eq!(keys, ["health_interval", "stalled_after", "zombie_after"]);
        let short = HealthPolicy {
            tick_retention: Duration::from_secs(60),
            ..HealthPolicy::default()
        };
        assert!(
            short.validate(ttr).unwrap_err()[0]
                .message
                .contains("`tick_retention`")
        );
    }
}
