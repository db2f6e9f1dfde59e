//! Rate limits, as hosts and routers put on their resets and ICMP messages.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde::Deserialize;

/// So many in a second, and so many at once after a pause: a token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Answers in a second, in the long run.
    pub per_second: u32,
    /// Answers at once, after silence.
    pub burst: u32,
}

/// How a host or router limits the ICMP errors it sends.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IcmpLimit {
    /// To each address that is told.
    pub per_destination: Option<RateLimit>,
    /// To all together.
    pub total: Option<RateLimit>,
}

impl IcmpLimit {
    /// No limit.
    pub const NONE: Self = Self { per_destination: None, total: None };
    /// What Linux does: `icmp_ratelimit` and `XRLIM_BURST_FACTOR`, `icmp_msgs_per_sec` and
    /// `icmp_msgs_burst` (Documentation/networking/ip-sysctl.rst, net/ipv4/inetpeer.c).
    pub const LINUX: Self = Self {
        per_destination: Some(RateLimit { per_second: 1, burst: 6 }),
        total: Some(RateLimit { per_second: 1000, burst: 50 }),
    };
}

impl Default for IcmpLimit {
    fn default() -> Self {
        Self::LINUX
    }
}

/// What is limited: the sender, and whom it tells, where that counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Resets(IpAddr),
    Icmp(IpAddr),
    IcmpTo(IpAddr, IpAddr),
}

/// The buckets in use. A full bucket is as good as none, so those are forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    buckets: HashMap<Key, Bucket>,
    swept: Option<Instant>,
    unlimited: u64,
}

impl Limiter {
    /// No more buckets are kept, about 20 MB.
    const MOST_BUCKETS: usize = 1 << 18;
    /// A full table is searched for buckets to forget no more often: that takes milliseconds.
    const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

    /// Whether `host` may send a reset now.
    pub(crate) fn allows_reset(&mut self, now: Instant, host: IpAddr, limit: RateLimit) -> bool {
        self.allows(now, &[(Key::Resets(host), limit)])
    }

    /// Whether `sender` may send an ICMP error to `destination` now.
    pub(crate) fn allows_icmp(
        &mut self,
        now: Instant,
        sender: IpAddr,
        destination: IpAddr,
        limit: IcmpLimit,
    ) -> bool {
        let total = limit.total.map(|limit| (Key::Icmp(sender), limit));
        let each = limit.per_destination.map(|limit| (Key::IcmpTo(sender, destination), limit));
        match (total, each) {
            (Some(total), Some(each)) => self.allows(now, &[total, each]),
            (Some(one), None) | (None, Some(one)) => self.allows(now, &[one]),
            (None, None) => true,
        }
    }

    /// How many answers went out unlimited because no bucket could be kept for them.
    pub(crate) const fn unlimited(&self) -> u64 {
        self.unlimited
    }

    /// Takes a token of each bucket, or none of any.
    fn allows(&mut self, now: Instant, wanted: &[(Key, RateLimit)]) -> bool {
        let new = wanted.iter().filter(|(key, _)| !self.buckets.contains_key(key)).count();
        if new > 0 && !self.has_room(now, new) {
            self.unlimited += 1;
            return true;
        }
        let all = wanted.iter().all(|(key, limit)| {
            self.buckets.entry(*key).or_insert_with(|| Bucket::new(now, *limit)).has_token(now)
        });
        if all {
            for (key, _) in wanted {
                if let Some(bucket) = self.buckets.get_mut(key) {
                    bucket.tokens -= 1.0;
                }
            }
        }
        all
    }

    fn has_room(&mut self, now: Instant, new: usize) -> bool {
        let most = Self::MOST_BUCKETS - new;
        let rested = |swept| now.saturating_duration_since(swept) >= Self::SWEEP_INTERVAL;
        if self.buckets.len() > most && self.swept.is_none_or(rested) {
            self.swept = Some(now);
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        self.buckets.len() <= most
    }
}

#[derive(Clone, Debug)]
struct Bucket {
    limit: RateLimit,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new(now: Instant, limit: RateLimit) -> Self {
        Self { limit, tokens: f64::from(limit.burst), filled: now }
    }

    fn has_token(&mut self, now: Instant) -> bool {
        self.tokens = self.tokens_at(now);
        // Packets come in the order they were sent, their arrival times need not.
        self.filled = self.filled.max(now);
        self.tokens >= 1.0
    }

    fn is_full(&self, now: Instant) -> bool {
        self.tokens_at(now) >= f64::from(self.limit.burst)
    }

    fn tokens_at(&self, now: Instant) -> f64 {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64();
        f64::from(self.limit.per_second)
            .mul_add(gained, self.tokens)
            .min(f64::from(self.limit.burst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn destination(number: u8) -> IpAddr {
        IpAddr::from([10, 1, 0, number])
    }

    #[test]
    fn linux_sends_six_at_once_then_one_a_second() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        let mut sent_at = |ms: u64| {
            let now = start + Duration::from_millis(ms);
            (0..20)
                .filter(|_| limiter.allows_icmp(now, SENDER, destination(1), IcmpLimit::LINUX))
                .count()
        };
        assert_eq!([0, 500, 1000, 1999, 2000, 60_000].map(&mut sent_at), [6, 0, 1, 0, 1, 6]);
    }

    #[test]
    fn the_total_holds_over_all_destinations() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        let sent = (0..=255)
            .filter(|n| limiter.allows_icmp(now, SENDER, destination(*n), IcmpLimit::LINUX))
            .count();
        assert_eq!(sent, 50);
        // What the total refused took no token of the destination's own.
        let later = now + Duration::from_secs(1);
        let again = (0..6)
            .filter(|_| limiter.allows_icmp(later, SENDER, destination(200), IcmpLimit::LINUX))
            .count();
        assert_eq!(again, 6);
    }

    #[test]
    fn resets_are_limited_by_host() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        let limit = RateLimit { per_second: 100, burst: 10 };
        let mut sent = |host| (0..50).filter(|_| limiter.allows_reset(now, host, limit)).count();
        assert_eq!((sent(SENDER), sent(destination(1)), sent(SENDER)), (10, 10, 0));
    }

    #[test]
    fn a_full_table_forgets_what_it_can_and_counts_the_rest() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        let limit = RateLimit { per_second: 1, burst: 1 };
        let host = |n: u32| IpAddr::from(n.to_be_bytes());
        let most = u32::try_from(Limiter::MOST_BUCKETS).unwrap();
        assert!((0..most).all(|n| limiter.allows_reset(now, host(n), limit)));
        assert!(limiter.allows_reset(now, host(most), limit) && limiter.unlimited() == 1);
        let later = now + Duration::from_secs(2);
        assert!(limiter.allows_reset(later, host(most), limit));
        assert!(!limiter.allows_reset(later, host(most), limit));
        assert_eq!((limiter.buckets.len(), limiter.unlimited()), (1, 1));
    }
}
