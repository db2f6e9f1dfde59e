//! A seeded network to try the engine against, at virtual time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ports_core::{PortSet, Transport};

use super::{Engine, EngineConfig, EngineEvent, ProbeId, Reply};
use crate::permutation::mix;
use crate::plan::ScanPlan;
use crate::state::{PortReport, PortState};
use crate::{PortState as State, TargetSpec};

pub(super) const MS: Duration = Duration::from_millis(1);
const END: Duration = Duration::from_hours(1);

/// What a simulated port does with a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    Open,
    Closed,
    Silent,
    Prohibited,
}

/// A network: what its ports do, and what happens on the way there and back.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) behaviour: fn(SocketAddr) -> Behaviour,
    /// There and back together.
    pub(super) delay: fn(SocketAddr) -> Duration,
    /// Added at random; so packets overtake each other.
    pub(super) jitter: Duration,
    /// Part of the packets lost, each way by itself.
    pub(super) loss: f64,
    /// How long the path, once it is bad, loses everything, and how often it turns bad per packet.
    pub(super) bursts: Option<(Duration, f64)>,
    /// Part of the answers that come twice.
    pub(super) duplicates: f64,
    /// Probes a second that get through, and how many of them at once; what is more is dropped.
    pub(super) limit: Option<(f64, f64)>,
    /// Resets a second that a host sends.
    pub(super) resets: Option<f64>,
    /// Of what is random, and of the order of the ports.
    pub(super) seed: u64,
}

impl Network {
    pub(super) fn new(behaviour: fn(SocketAddr) -> Behaviour) -> Self {
        Self {
            behaviour,
            delay: |_| 10 * MS,
            jitter: Duration::ZERO,
            loss: 0.0,
            bursts: None,
            duplicates: 0.0,
            limit: None,
            resets: None,
            seed: 1,
        }
    }
}

/// What is to be scanned, and how.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) targets: &'static str,
    pub(super) ports: &'static str,
    pub(super) config: EngineConfig,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) reports: HashMap<SocketAddr, PortReport>,
    pub(super) hosts_up: usize,
    pub(super) elapsed: Duration,
    pub(super) sent: u64,
    pub(super) most_in_flight: usize,
}

impl Outcome {
    pub(super) fn count(&self, state: PortState) -> usize {
        self.reports.values().filter(|report| report.state() == state).count()
    }
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant, rate: f64, most: f64) -> bool {
        let seconds = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + seconds * rate).min(most);
        self.filled = now;
        let taken = self.tokens >= 1.0;
        self.tokens -= f64::from(u8::from(taken));
        taken
    }
}

struct Run {
    network: Network,
    state: u64,
    bad_until: Instant,
    path: Bucket,
    resets: HashMap<std::net::IpAddr, Bucket>,
    serial: u64,
    arrivals: BinaryHeap<Reverse<(Instant, u64)>>,
    replies: HashMap<u64, (ProbeId, Reply)>,
}

impl Run {
    fn random(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (mix(self.state) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn loses(&mut self, now: Instant) -> bool {
        if let Some((length, chance)) = self.network.bursts
            && now >= self.bad_until
            && self.random() < chance
        {
            self.bad_until = now + length;
        }
        now < self.bad_until || self.random() < self.network.loss
    }

    fn probe(&mut self, now: Instant, id: ProbeId, target: SocketAddr) {
        if let Some((rate, burst)) = self.network.limit
            && !self.path.take(now, rate, burst)
        {
            return;
        }
        if self.loses(now) {
            return;
        }
        let reply = match (self.network.behaviour)(target) {
            Behaviour::Open => Reply::Open,
            Behaviour::Closed => Reply::Closed,
            Behaviour::Prohibited => Reply::AdminProhibited,
            Behaviour::Silent => return,
        };
        if let Some(rate) = self.network.resets
            && reply == Reply::Closed
        {
            let full = || Bucket { tokens: rate / 10.0, filled: now };
            if !self.resets.entry(target.ip()).or_insert_with(full).take(now, rate, rate / 10.0) {
                return;
            }
        }
        let copies = 1 + u8::from(self.random() < self.network.duplicates);
        for _ in 0..copies {
            if self.loses(now) {
                continue;
            }
            let jitter = self.network.jitter.mul_f64(self.random());
            let at = now + (self.network.delay)(target) + jitter;
            self.serial += 1;
            self.arrivals.push(Reverse((at, self.serial)));
            self.replies.insert(self.serial, (id, reply));
        }
    }
}

/// Runs an engine until it is idle, jumping from one moment at which something happens to the next.
pub(super) fn simulate(work: &Work, network: Network) -> Outcome {
    let start = Instant::now();
    let targets = work.targets.parse::<TargetSpec>().unwrap().addresses().unwrap();
    let ports: PortSet = work.ports.parse().unwrap();
    let plan = ScanPlan::new(&targets, &ports, Transport::Tcp, network.seed).unwrap();
    let len = plan.len();
    let mut engine = Engine::new(start, Arc::new(plan), work.config);
    engine.add_work(0..len);
    let burst = network.limit.map_or(0.0, |(_, burst)| burst);
    let full = Bucket { tokens: burst, filled: start };
    let mut run = Run {
        state: network.seed,
        network,
        bad_until: start,
        path: full,
        resets: HashMap::new(),
        serial: 0,
        arrivals: BinaryHeap::new(),
        replies: HashMap::new(),
    };
    let mut outcome = Outcome {
        reports: HashMap::new(),
        hosts_up: 0,
        elapsed: Duration::ZERO,
        sent: 0,
        most_in_flight: 0,
    };
    let mut now = start;
    loop {
        engine.handle_timeout(now, |_| None);
        while engine.poll_expired().is_some() {}
        while let Some(event) = engine.poll_event() {
            match event {
                EngineEvent::Port { report, .. } => {
                    let target = SocketAddr::new(report.address, report.port.number());
                    assert!(outcome.reports.insert(target, report).is_none(), "two verdicts");
                }
                EngineEvent::HostUp { .. } => outcome.hosts_up += 1,
                EngineEvent::Stalled => panic!("nothing to stall on"),
            }
        }
        if engine.is_idle() {
            break;
        }
        if let Some(probe) = engine.poll_probe(now) {
            outcome.most_in_flight = outcome.most_in_flight.max(engine.outstanding);
            run.probe(now, probe.id, probe.target);
            continue;
        }
        let arrival = run.arrivals.peek().map(|Reverse((at, _))| *at);
        now = [arrival, engine.poll_timeout()].into_iter().flatten().min().unwrap().max(now);
        while let Some(Reverse((at, serial))) = run.arrivals.peek().copied()
            && at <= now
        {
            run.arrivals.pop();
            let (id, reply) = run.replies.remove(&serial).unwrap();
            engine.handle_reply(now, id, reply);
        }
        assert!(now - start < END, "the engine does not come to an end");
    }
    outcome.elapsed = now - start;
    outcome.sent = engine.tally().sent;
    assert_eq!(outcome.reports.len() as u64, len, "a port without a verdict");
    outcome
}

/// One line of the table of scenarios.
pub(super) fn line(name: &str, work: &Work, network: &Network) -> String {
    let outcome = simulate(work, network.clone());
    let is = |target: &SocketAddr, behaviour| (network.behaviour)(*target) == behaviour;
    let count = |wanted: Behaviour, state: State| {
        let right = |(target, report): &(&SocketAddr, &PortReport)| {
            report.state() == state && is(target, wanted)
        };
        outcome.reports.iter().filter(right).count()
    };
    let all = |wanted| outcome.reports.keys().filter(|target| is(target, wanted)).count();
    let found = count(Behaviour::Open, State::Open);
    format!(
        "{name:<44} {:>6}/{:<6} {:>5} {:>6}/{:<6} {:>8} {:>7.2} {:>7.1}\n",
        found,
        all(Behaviour::Open),
        outcome.count(State::Open) - found,
        count(Behaviour::Closed, State::Closed),
        all(Behaviour::Closed),
        outcome.sent,
        outcome.sent as f64 / outcome.reports.len() as f64,
        outcome.elapsed.as_secs_f64(),
    )
}

/// The head of the table.
pub(super) fn head() -> String {
    format!(
        "{:<44} {:>6}/{:<6} {:>5} {:>6}/{:<6} {:>8} {:>7} {:>7}\n",
        "scenario", "found", "open", "false", "seen", "closed", "packets", "a port", "seconds"
    )
}
