//! The model itself: packets in, answers out, each at its time. No clock, no socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::IcmpLimit;
use crate::answer::{Answer, Header};
use crate::behaviour::{Behaviour, Transport};
use crate::builder::{BuildError, NetworkBuilder};
use crate::counts::Counts;
use crate::limit::Limiter;
use crate::path::{Copies, Direction};
use crate::query::{Query, Refusal};
use crate::random::Random;
use crate::reaction::{Reaction, Sender, reaction};
use crate::rule::HostRule;
use crate::schedule::Schedule;

/// A simulated network: give it the scanner's packets, take out the answers when they are due.
///
/// The same seed and the same packets at the same times give the same answers.
#[derive(Debug)]
pub struct Network {
    seed: u64,
    zones: Vec<Zone>,
    router: Router,
    random: Random,
    limiter: Limiter,
    schedule: Schedule,
    counts: Counts,
    buffer: Vec<u8>,
}

/// The hosts of one rule, and the state of the paths to them.
#[derive(Debug)]
struct Zone {
    rule: HostRule,
    there: Direction,
    back: Direction,
}

/// Whose word it is that a host cannot be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Router {
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
    pub(crate) limit: IcmpLimit,
}

/// An answer that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DueAnswer<'a> {
    /// When it was due.
    pub due: Instant,
    /// The packet, from its IP header on.
    pub packet: &'a [u8],
}

impl Network {
    /// A network with nothing in it yet.
    pub fn builder() -> NetworkBuilder {
        NetworkBuilder::default()
    }

    /// The network that this TOML describes; see the [crate's page](crate#toml).
    ///
    /// # Errors
    ///
    /// [`BuildError`] where the text is no TOML, has unknown or wrong fields, or no hosts.
    pub fn from_toml(text: &str) -> Result<Self, BuildError> {
        NetworkBuilder::from_toml(text)?.build()
    }

    pub(crate) fn new(seed: u64, rules: Vec<HostRule>, router: Router, schedule: Schedule) -> Self {
        let zone = |rule: HostRule| {
            let (there, back) = rule.paths();
            Zone { rule, there: Direction::new(there), back: Direction::new(back) }
        };
        Self {
            seed,
            zones: rules.into_iter().map(zone).collect(),
            router,
            random: Random::new(seed),
            limiter: Limiter::default(),
            schedule,
            counts: Counts::default(),
            buffer: Vec::new(),
        }
    }

    /// Takes one packet of the scanner's, from its IP header on, and puts its answers on their way.
    ///
    /// What a host does is decided now, for the time at which the packet reaches it.
    pub fn packet(&mut self, now: Instant, packet: &[u8]) {
        self.counts.received += 1;
        let query = match Query::parse(packet) {
            Ok(query) => query,
            Err(Refusal::Unreadable) => return self.counts.unreadable += 1,
            Err(Refusal::Checksum) => return self.counts.bad_checksum += 1,
        };
        let Some(index) = self.zone_of(query.destination) else {
            return self.counts.no_host += 1;
        };
        let copies = self.zones[index].there.carry(&mut self.random);
        count_copies(copies, &mut self.counts.lost_there, &mut self.counts.duplicated_there);
        for delay in copies.into_iter().flatten() {
            self.arrive(now + delay, index, &query);
        }
    }

    /// Takes out the next answer that is due by `now`, if there is one.
    #[must_use]
    pub fn poll_answer(&mut self, now: Instant) -> Option<DueAnswer<'_>> {
        let (due, packet) = self.schedule.take(now)?;
        self.counts.delivered += 1;
        Some(DueAnswer { due, packet })
    }

    /// When the next answer is due; `None` while nothing is under way.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.schedule.next()
    }

    /// What happened so far.
    pub const fn counts(&self) -> Counts {
        Counts { unlimited: self.limiter.unlimited(), ..self.counts }
    }

    /// The truth on one port: what it does, apart from loss and limits. Addresses outside the
    /// network are silent.
    pub fn behaviour(&self, transport: Transport, host: IpAddr, port: u16) -> Behaviour {
        self.zone_of(host).map_or(Behaviour::Silent, |index| {
            self.zones[index].rule.behaviour(self.seed, transport, host, port)
        })
    }

    /// The first rule that covers an address counts.
    fn zone_of(&self, address: IpAddr) -> Option<usize> {
        self.zones.iter().position(|zone| zone.rule.contains(address))
    }

    /// A copy of the packet is there.
    fn arrive(&mut self, now: Instant, index: usize, query: &Query<'_>) {
        let Zone { rule, back, .. } = &mut self.zones[index];
        let Some(Reaction { sender, answer }) = reaction(rule, self.seed, query) else {
            return self.counts.silent += 1;
        };
        let (reset_limit, host_icmp_limit) = rule.limits();
        let (source, ttl, icmp_limit) = match sender {
            Sender::Host => (query.destination, rule.answer_ttl(), host_icmp_limit),
            Sender::Router => self.router.sender(query.destination),
        };
        let allowed = match (&answer, reset_limit) {
            (Answer::Unreachable { .. }, _) => {
                self.limiter.allows_icmp(now, source, query.source, icmp_limit)
            }
            (Answer::Tcp(segment), Some(limit)) if segment.flags.rst => {
                self.limiter.allows_reset(now, source, limit)
            }
            _ => true,
        };
        if !allowed {
            return self.counts.limited += 1;
        }
        let header = Header { source, destination: query.source, ttl };
        if !answer.write(&header, &mut self.buffer) {
            return self.counts.too_large += 1;
        }
        self.counts.answered += 1;
        let copies = back.carry(&mut self.random);
        count_copies(copies, &mut self.counts.lost_back, &mut self.counts.duplicated_back);
        for delay in copies.into_iter().flatten() {
            if !self.schedule.put(now + delay, &self.buffer) {
                self.counts.overflowed += 1;
            }
        }
    }
}

impl Router {
    fn sender(&self, host: IpAddr) -> (IpAddr, u8, IcmpLimit) {
        let address = match host {
            IpAddr::V4(_) => self.v4.into(),
            IpAddr::V6(_) => self.v6.into(),
        };
        (address, HostRule::DEFAULT_TTL, self.limit)
    }
}

fn count_copies(copies: Copies, lost: &mut u64, duplicated: &mut u64) {
    *lost += u64::from(copies == [None::<Duration>; 2]);
    *duplicated += u64::from(copies[1].is_some());
}

#[cfg(test)]
mod tests;
