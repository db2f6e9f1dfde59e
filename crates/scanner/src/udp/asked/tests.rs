//! What is kept of ports and hosts; and whole scans of simulated hosts that limit their ICMP errors, at virtual time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ports_core::{Port, PortSet, Transport};

use super::*;
use crate::engine::{Engine, EngineConfig, EngineEvent, Reply, Silence};
use crate::permutation::mix;
use crate::plan::ScanPlan;
use crate::state::{PortReport, PortState, Reason, Tally};
use crate::target::AddressSet;
use crate::udp::question::questions;
use crate::udp::{MAX_IN_FLIGHT, MIN_TIMEOUT};

const FIRST_HOST: [u8; 4] = [10, 0, 0, 1];

fn engine(now: Instant, hosts: u8, ports: &str, network: Network) -> Engine {
    let [a, b, c, d] = FIRST_HOST;
    let last = IpAddr::from([a, b, c, d + hosts - 1]);
    let targets = AddressSet::from_range(FIRST_HOST.into(), last);
    let ports: PortSet = ports.parse().unwrap();
    let plan = ScanPlan::new(&targets, &ports, Transport::Udp, 1).unwrap();
    let len = plan.len();
    let config = EngineConfig {
        max_in_flight: MAX_IN_FLIGHT,
        min_timeout: MIN_TIMEOUT,
        retries: network.retries,
        ..EngineConfig::default()
    };
    let mut engine = Engine::new(now, Arc::new(plan), config);
    engine.ask_in_turn(network.questions);
    engine.add_work(0..len);
    engine
}

/// The limit of Linux: a token a second, six at most.
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        self.tokens = (self.tokens + (now - self.filled).as_secs_f64()).min(6.0);
        self.filled = now;
        let full = self.tokens >= 1.0;
        self.tokens -= f64::from(u8::from(full));
        full
    }
}

/// How a scan goes, and through what.
#[derive(Clone, Copy)]
struct Network {
    limited: bool,
    loss_percent: u64,
    /// Between a probe and its answer.
    round_trip: Duration,
    retries: Option<u16>,
    questions: fn(Port) -> u32,
}

const PLAIN: Network = Network {
    limited: false,
    loss_percent: 0,
    round_trip: Duration::from_millis(20),
    retries: None,
    questions: |port| questions(port).len() as u32,
};
const LIMITED: Network = Network { limited: true, ..PLAIN };

/// What a simulated host does with the attempt at a port.
type Host = fn(port: u16, attempt: u32) -> Option<Reply>;

struct Outcome {
    reports: BTreeMap<SocketAddr, PortReport>,
    tally: Tally,
    elapsed: Duration,
}

impl Outcome {
    fn count(&self, reason: Reason) -> usize {
        self.reports.values().filter(|report| report.reason == reason).count()
    }
}

fn simulate(hosts: u8, ports: &str, network: Network, host: Host) -> Outcome {
    let start = Instant::now();
    let mut engine = engine(start, hosts, ports, network);
    let (mut now, mut asked) = (start, Asked::default());
    let mut buckets: HashMap<IpAddr, Bucket> = HashMap::new();
    let mut replies: BinaryHeap<Reverse<(Instant, u64)>> = BinaryHeap::new();
    let mut sent: HashMap<u64, (Probe, Reply)> = HashMap::new();
    let mut reports = BTreeMap::new();
    for serial in 0.. {
        engine.handle_silence(now, |target| {
            asked.note_silence(target);
            let limited = asked.is_limited(target.ip());
            Silence::Remote(if limited { Reason::IcmpRateLimited } else { Reason::NoResponse })
        });
        while engine.poll_expired().is_some() {}
        while let Some(event) = engine.poll_event() {
            if let EngineEvent::Port { report, .. } = event {
                let target = SocketAddr::new(report.address, report.port.number());
                asked.end(target);
                assert!(reports.insert(target, report).is_none(), "two verdicts");
            }
        }
        if engine.is_idle() {
            break;
        }
        if let Some(probe) = engine.poll_probe(now) {
            asked.ask(&probe, engine.group_of(probe.id).unwrap());
            let mut reply = host(probe.target.port(), probe.id.attempt());
            if reply == Some(Reply::PortUnreachable) && network.limited {
                let full = Bucket { tokens: 6.0, filled: start };
                let bucket = buckets.entry(probe.target.ip()).or_insert(full);
                reply = reply.filter(|_| bucket.take(now));
            }
            let lost = mix(serial) % 100 < network.loss_percent;
            if let Some(reply) = reply.filter(|_| !lost) {
                replies.push(Reverse((now + network.round_trip, serial)));
                sent.insert(serial, (probe, reply));
            }
            continue;
        }
        let arrival = replies.peek().map(|Reverse((at, _))| *at);
        now = [arrival, engine.poll_timeout()].into_iter().flatten().min().unwrap().max(now);
        while let Some(Reverse((at, serial))) = replies.peek().copied()
            && at <= now
        {
            replies.pop();
            let (probe, reply) = sent.remove(&serial).unwrap();
            let Probe { id, target } = probe;
            if engine.find(id.index(), target, id.attempt()).is_none() {
                continue;
            }
            asked.note_answer(target, id.attempt(), reply == Reply::PortUnreachable);
            engine.handle_reply(now, id, reply);
        }
        assert!(serial < 10_000_000, "the scan does not come to an end");
    }
    assert!(asked.ports.is_empty());
    asked.forget_groups_before(engine.oldest_group() + 1);
    assert!(asked.hosts.is_empty(), "what is kept of a host lives as long as its ports");
    Outcome { reports, tally: engine.tally(), elapsed: now - start }
}

/// Every hundredth port answers, with a datagram, its second question only; the others are closed.
fn one_of_a_hundred(port: u16, attempt: u32) -> Option<Reply> {
    match port % 100 {
        17 if attempt.is_multiple_of(2) => Some(Reply::Datagram),
        17 => None,
        _ => Some(Reply::PortUnreachable),
    }
}

#[test]
fn a_limited_host_takes_seconds_and_every_service_is_found() {
    let outcome = simulate(1, "30000-30999", LIMITED, one_of_a_hundred);
    assert_eq!((outcome.tally.open, outcome.tally.probes), (10, 1_000));
    assert!(outcome.tally.closed >= 6);
    assert_eq!(outcome.count(Reason::NoResponse), 0);
    assert!(outcome.elapsed < Duration::from_secs(20), "{:?}", outcome.elapsed);
}

#[test]
fn many_limited_hosts_take_no_longer_than_one() {
    let one = simulate(1, "30000-30099", LIMITED, one_of_a_hundred);
    let many = simulate(64, "30000-30099", LIMITED, one_of_a_hundred);
    assert_eq!((one.tally.open, many.tally.open), (1, 64));
    assert_eq!(many.count(Reason::NoResponse), 0);
    assert!(many.elapsed.as_secs_f64() <= 1.3 * one.elapsed.as_secs_f64(), "{:?}", many.elapsed);
}

#[test]
fn loss_is_made_up_for() {
    let outcome =
        simulate(4, "30000-30999", Network { loss_percent: 5, ..LIMITED }, one_of_a_hundred);
    assert_eq!(outcome.tally.open, 40);
}

/// A filter that lets a few ports through is no limit, whatever is lost.
#[test]
fn a_filter_is_not_taken_for_a_limit() {
    for loss_percent in [0, 2] {
        let few = |port: u16, _| port.is_multiple_of(150).then_some(Reply::PortUnreachable);
        let outcome = simulate(1, "30000-30999", Network { loss_percent, ..PLAIN }, few);
        assert_eq!(outcome.count(Reason::IcmpRateLimited), 0, "{loss_percent} % loss");
        assert_eq!((outcome.tally.closed, outcome.tally.open_filtered), (7, 993));
    }
}

/// Most probes are in flight whenever one is given up: that nothing was heard of them says nothing yet.
#[test]
fn what_is_in_flight_is_not_silent() {
    let all = |_, _| Some(Reply::PortUnreachable);
    let round_trip = EngineConfig::DEFAULT_TIMEOUT.mul_f64(0.95);
    let far = Network { loss_percent: 1, round_trip, retries: Some(0), questions: |_| 1, ..PLAIN };
    let outcome = simulate(1, "1-20000", far, all);
    assert_eq!(outcome.count(Reason::IcmpRateLimited), 0);
    assert_eq!(outcome.tally.closed + outcome.count(Reason::NoResponse) as u64, 20_000);
    assert!(outcome.count(Reason::NoResponse) > 0, "some are lost");
}

#[test]
fn a_host_without_a_limit_is_closed_at_once() {
    let outcome = simulate(1, "30000-30999", PLAIN, |_, _| Some(Reply::PortUnreachable));
    assert_eq!((outcome.tally.closed, outcome.tally.sent), (1_000, 1_000));
    assert!(outcome.reports.values().all(|report| report.state() == PortState::Closed));
    assert!(outcome.reports.values().all(|report| report.rtt == Some(PLAIN.round_trip)));
}

const GROUP: u64 = 7;

/// The first probes of ports of one host, entered as asked.
fn ask(ports: &str) -> (Asked, HashMap<u16, Probe>) {
    let now = Instant::now();
    let mut engine = engine(now, 1, ports, PLAIN);
    let mut asked = Asked::default();
    let probes = std::iter::from_fn(|| engine.poll_probe(now));
    let probes: HashMap<_, _> = probes.map(|probe| (probe.target.port(), probe)).collect();
    for probe in probes.values() {
        asked.ask(probe, GROUP);
    }
    (asked, probes)
}

#[test]
fn a_port_is_under_way_until_its_verdict() {
    let (mut asked, probes) = ask("53,161");
    let dns = probes[&53];
    assert_eq!(asked.latest(dns.target), Some(dns.id));
    assert_eq!(asked.latest(SocketAddr::new(dns.target.ip(), 54)), None);
    asked.end(dns.target);
    assert_eq!(asked.latest(dns.target), None);
}

/// Each time all of a host's ports are judged that were asked so far, it has none under way.
#[test]
fn a_host_is_remembered_until_its_group_is_done() {
    let (mut asked, probes) = ask("30000-30099");
    let host = IpAddr::from(FIRST_HOST);
    for probe in probes.values() {
        let place = asked.ports[&probe.target].place;
        if place <= 6 {
            asked.note_answer(probe.target, 1, true);
        } else {
            asked.note_silence(probe.target);
        }
        asked.end(probe.target);
    }
    assert!(asked.is_limited(host));
    asked.forget_groups_before(GROUP);
    assert!(asked.is_limited(host), "the group before is done");
    asked.forget_groups_before(GROUP + 1);
    assert!(asked.hosts.is_empty());
}

#[test]
fn a_missing_neighbour_is_knocked_for_once_a_second() {
    let (mut asked, probes) = ask("53");
    let (host, now) = (probes[&53].target.ip(), Instant::now());
    assert!(asked.may_knock(now, host));
    assert!(!asked.may_knock(now + KNOCK / 2, host));
    assert!(asked.may_knock(now + KNOCK, host));
    assert!(!asked.may_knock(now + KNOCK, host));
}
