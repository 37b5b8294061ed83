//! How often an address may try: a bucket that refills at an even pace, for so many addresses and no more.
//!
//! By hand, because `governor` can neither bound the number of its keys nor say what they are without adding a try.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use trapline_core::Clock;

/// Addresses that are remembered one by one; the others are counted as one.
const ADDRESSES_MAX: usize = 1 << 16;
/// Addresses that may try again as if they never had are forgotten no more often than this.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// A rate for each address.
pub(super) struct Rate {
    clock: Arc<dyn Clock>,
    /// What one try costs.
    pace: Duration,
    /// Tries at once.
    burst: u32,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// When each would be as good as new, on the monotonic clock.
    fresh_at: HashMap<IpAddr, Duration>,
    tidied: Duration,
}

/// When an address that is as good as new at `fresh_at` will be so after one more try, or how long it must wait for that try.
fn after_a_try(
    fresh_at: Option<Duration>,
    now: Duration,
    pace: Duration,
    burst: u32,
) -> Result<Duration, Duration> {
    let next = fresh_at.unwrap_or(now).max(now) + pace;
    match next.saturating_sub(pace * burst).saturating_sub(now) {
        Duration::ZERO => Ok(next),
        wait => Err(wait),
    }
}

/// IPv6 addresses are limited by their network.
fn key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Rate {
    pub(super) fn new(per_minute: u32, burst: u32, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            pace: Duration::from_secs(60) / per_minute.max(1),
            burst: burst.max(1),
            seen: Mutex::default(),
        }
    }

    /// Counts a try, or says how long to wait for the next one.
    pub(super) fn take(&self, address: IpAddr) -> Result<(), Duration> {
        let now = self.clock.monotonic();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = key(address);
        if seen.fresh_at.len() >= ADDRESSES_MAX && !seen.fresh_at.contains_key(&key) {
            if now.saturating_sub(seen.tidied) >= TIDY_EVERY {
                seen.tidied = now;
                seen.fresh_at.retain(|_, fresh_at| *fresh_at > now);
            }
            if seen.fresh_at.len() >= ADDRESSES_MAX {
                key = Ipv6Addr::UNSPECIFIED.into();
            }
        }
        let next = after_a_try(seen.fresh_at.get(&key).copied(), now, self.pace, self.burst)?;
        seen.fresh_at.insert(key, next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use trapline_testkit::ManualClock;

    use super::*;

    fn v4(n: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(n).into()
    }

    #[test]
    fn a_burst_is_let_through_and_then_one_at_a_time() {
        let clock = ManualClock::new();
        let rate = Rate::new(10, 20, Arc::new(clock.clone()));
        for _ in 0..20 {
            rate.take(v4(1)).unwrap();
        }
        assert_eq!(rate.take(v4(1)), Err(Duration::from_secs(6)));
        rate.take(v4(2)).unwrap();
        clock.advance(Duration::from_secs(6));
        rate.take(v4(1)).unwrap();
        assert_eq!(rate.take(v4(1)), Err(Duration::from_secs(6)));
        clock.advance(Duration::from_secs(120));
        for _ in 0..20 {
            rate.take(v4(1)).unwrap();
        }
        rate.take(v4(1)).unwrap_err();
    }

    #[test]
    fn neighbours_in_an_ipv6_network_are_one_and_so_are_two_spellings_of_an_ipv4() {
        let rate = Rate::new(10, 1, Arc::new(ManualClock::new()));
        rate.take("2001:db8::1".parse().unwrap()).unwrap();
        rate.take("2001:db8::ffff:1".parse().unwrap()).unwrap_err();
        rate.take("2001:db8:0:1::1".parse().unwrap()).unwrap();
        rate.take("10.0.0.1".parse().unwrap()).unwrap();
        rate.take("::ffff:10.0.0.1".parse().unwrap()).unwrap_err();
    }

    #[test]
    fn a_flood_of_addresses_takes_no_more_memory_and_is_slowed_as_one() {
        let clock = ManualClock::new();
        let rate = Rate::new(10, 1, Arc::new(clock.clone()));
        let max = u32::try_from(ADDRESSES_MAX).unwrap();
        for n in 0..max {
            rate.take(v4(n)).unwrap();
        }
        rate.take(v4(max)).unwrap();
        rate.take(v4(max + 1)).unwrap_err();
        assert!(rate.seen.lock().unwrap().fresh_at.len() <= ADDRESSES_MAX + 1);
        clock.advance(Duration::from_secs(60));
        rate.take(v4(max + 1)).unwrap();
        assert_eq!(rate.seen.lock().unwrap().fresh_at.len(), 1);
    }
}
