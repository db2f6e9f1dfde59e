//! The engine against a simulated network, at virtual time.

use super::model::{Behaviour, MS, Network, Outcome, Work, simulate as run};
use std::net::IpAddr;

use super::*;
use crate::state::PortState;
use crate::target::AddressSet;
use ports_core::{PortSet, Transport};

fn engine(ports: &str, config: EngineConfig, start: Instant) -> Engine {
    let targets = AddressSet::from(IpAddr::from([192, 0, 2, 1]));
    let ports: PortSet = ports.parse().unwrap();
    let plan = ScanPlan::new(&targets, &ports, Transport::Tcp, 1).unwrap();
    let mut engine = Engine::new(start, Arc::new(plan), config);
    engine.add_work(0..ports.len() as u64);
    engine
}

fn simulate(ports: &'static str, config: EngineConfig, network: Network) -> Outcome {
    run(&Work { targets: "192.0.2.1", ports, config }, network)
}

fn count(outcome: &Outcome, state: PortState) -> usize {
    outcome.count(state)
}

fn every_tenth_open(target: SocketAddr) -> Behaviour {
    if target.port().is_multiple_of(10) { Behaviour::Open } else { Behaviour::Closed }
}

#[test]
fn a_clean_network_is_seen_as_it_is() {
    let network = Network::new(every_tenth_open);
    let outcome = simulate("1-1000", EngineConfig::default(), network);
    assert_eq!(count(&outcome, PortState::Open), 100);
    assert_eq!(count(&outcome, PortState::Closed), 900);
    assert_eq!((outcome.sent, outcome.reports.len(), outcome.hosts_up), (1000, 1000, 1));
    assert!(outcome.reports.values().all(|report| report.rtt == Some(10 * MS)));
    assert!(outcome.elapsed < Duration::from_secs(1), "{:?}", outcome.elapsed);
}

#[test]
fn what_is_lost_is_asked_again() {
    let config = EngineConfig { retries: Some(9), ..EngineConfig::default() };
    let network = Network { loss: 0.1, seed: 7, ..Network::new(every_tenth_open) };
    let outcome = simulate("1-5000", config, network);
    assert_eq!(count(&outcome, PortState::Open), 500);
    assert_eq!(count(&outcome, PortState::Closed), 4500);
    assert!(outcome.sent > 5000);
}

#[test]
fn silence_is_filtered_after_all_attempts_and_no_earlier() {
    for (retries, attempts) in [(Some(0), 1), (Some(1), 2), (None, 2)] {
        let config = EngineConfig { retries, timeout: 500 * MS, ..EngineConfig::default() };
        let network = Network::new(|_| Behaviour::Silent);
        let outcome = simulate("1-100", config, network);
        assert_eq!(count(&outcome, PortState::Filtered), 100);
        let all = |report: &PortReport| report.attempts == attempts && report.rtt.is_none();
        assert!(outcome.reports.values().all(all));
        assert_eq!((outcome.sent, outcome.hosts_up), (100 * u64::from(attempts), 0));
        let least = 500 * MS * attempts;
        assert!((least..least + 200 * MS).contains(&outcome.elapsed), "{:?}", outcome.elapsed);
    }
}

/// Defect 7 of the reference: one port at a time, 65,535 filtered ports took nine hours.
#[test]
fn defect_7_a_silent_host_takes_seconds() {
    let network = Network::new(|_| Behaviour::Silent);
    let outcome = simulate("1-65535", EngineConfig::default(), network);
    assert_eq!(count(&outcome, PortState::Filtered), 65_535);
    // Three attempts at 8,192 in flight for 0.9 s each.
    assert!(outcome.elapsed < Duration::from_secs(25), "{:?}", outcome.elapsed);
}

#[test]
fn the_timeout_follows_the_round_trip_time() {
    fn half_silent(target: SocketAddr) -> Behaviour {
        if target.port().is_multiple_of(2) { Behaviour::Silent } else { Behaviour::Closed }
    }
    let network = Network { delay: |_| 2 * MS, ..Network::new(half_silent) };
    let config = EngineConfig { max_in_flight: 10, ..EngineConfig::default() };
    let outcome = simulate("1-100", config, network);
    assert_eq!(count(&outcome, PortState::Filtered), 50);
    // 150 waits, 10 at a time: all but the first few at the 100 ms floor instead of 900 ms.
    assert!(outcome.elapsed < Duration::from_secs(8), "{:?}", outcome.elapsed);
}

#[test]
fn never_more_in_flight_than_allowed() {
    let network = Network { delay: |_| 50 * MS, ..Network::new(every_tenth_open) };
    let config = EngineConfig { max_in_flight: 7, ..EngineConfig::default() };
    let outcome = simulate("1-500", config, network);
    assert_eq!(outcome.most_in_flight, 7);
    assert_eq!(outcome.reports.len(), 500);
}

#[test]
fn a_ceiling_on_the_rate_is_kept() {
    let network = Network { delay: |_| MS, ..Network::new(every_tenth_open) };
    let config = EngineConfig { rate: Some(1000), ..EngineConfig::default() };
    let outcome = simulate("1-2000", config, network);
    assert!((1990 * MS..2100 * MS).contains(&outcome.elapsed), "{:?}", outcome.elapsed);
}

#[test]
fn a_lack_of_descriptors_narrows_the_window_and_loses_nothing() {
    let start = Instant::now();
    let mut engine = engine("1-50", EngineConfig::default(), start);
    let (mut now, mut held, mut reports) = (start, VecDeque::new(), Vec::new());
    while !engine.is_idle() {
        while let Some(probe) = engine.poll_probe(now) {
            // A machine with room for three sockets.
            if held.len() < 3 {
                held.push_back(probe.id);
            } else {
                engine.handle_local_error(now, probe.id, LocalError::Resources);
            }
        }
        now += MS;
        if let Some(id) = held.pop_front() {
            engine.handle_reply(now, id, Reply::Closed);
        }
        engine.handle_timeout(now, |_| None);
        while let Some(event) = engine.poll_event() {
            if let EngineEvent::Port { report, .. } = event {
                reports.push(report);
            }
        }
    }
    assert_eq!(reports.len(), 50);
    assert!(
        reports.iter().all(|report| report.state() == PortState::Closed && report.attempts == 1)
    );
    assert_eq!(engine.tally().sent, 50);
}

#[test]
fn a_lasting_lack_of_everything_ends_the_scan_with_its_cause() {
    let start = Instant::now();
    let mut engine = engine("1-5000", EngineConfig::default(), start);
    let mut now = start;
    while !engine.is_idle() {
        while let Some(probe) = engine.poll_probe(now) {
            engine.handle_local_error(now, probe.id, LocalError::Resources);
        }
        assert!(engine.paused.len() <= MAX_PAUSED);
        now = engine.poll_timeout().map_or(now, |at| at.max(now));
        assert!(now - start < Duration::from_secs(30));
    }
    let events: Vec<_> = std::iter::from_fn(|| engine.poll_event()).collect();
    assert!(matches!(
        events[..],
        [
            EngineEvent::Port {
                report: PortReport { reason: Reason::NoResources, attempts: 0, .. },
                ..
            },
            EngineEvent::Stalled
        ]
    ));
    assert_eq!((engine.tally().sent, engine.tally().closed), (0, 0));
}

#[test]
fn a_local_failure_is_an_error_with_its_reason() {
    for (error, reason) in [
        (LocalError::NoRoute, Reason::NoRoute),
        (LocalError::NeighbourUnresolved, Reason::NeighbourUnresolved),
        (LocalError::NotPermitted, Reason::NotPermitted),
        (LocalError::InvalidAddress, Reason::InvalidAddress),
    ] {
        let now = Instant::now();
        let mut engine = engine("80", EngineConfig::default(), now);
        let probe = engine.poll_probe(now).unwrap();
        engine.handle_local_error(now, probe.id, error);
        let Some(EngineEvent::Port { report, .. }) = engine.poll_event() else {
            panic!("no verdict")
        };
        assert_eq!((report.reason, report.state()), (reason, PortState::Error));
        assert_eq!((report.attempts, engine.tally().sent), (1, 0), "tried, but nothing left");
        assert!(engine.is_idle());
    }
}

#[test]
fn silence_with_a_local_cause_is_an_error_at_its_last_attempt_only() {
    let mut now = Instant::now();
    let config = EngineConfig { retries: Some(1), ..EngineConfig::default() };
    let mut engine = engine("80", config, now);
    for attempt in 1..=2 {
        assert_eq!(engine.poll_probe(now).unwrap().id.attempt(), attempt);
        assert_eq!(engine.poll_event(), None);
        now += Duration::from_secs(1);
        engine.handle_timeout(now, |_| Some(LocalError::NeighbourUnresolved));
    }
    let Some(EngineEvent::Port { report, .. }) = engine.poll_event() else { panic!("no verdict") };
    assert_eq!((report.reason, report.attempts), (Reason::NeighbourUnresolved, 2));
    assert_eq!(engine.tally().sent, 0, "nothing left for a neighbour that is not there");
}

#[test]
fn a_port_that_met_our_own_socket_is_put_off_without_a_verdict() {
    let now = Instant::now();
    let mut engine = engine("80,81", EngineConfig::default(), now);
    let probe = engine.poll_probe(now).unwrap();
    engine.handle_local_error(now, probe.id, LocalError::OwnSocket);
    let other = engine.poll_probe(now).unwrap();
    engine.handle_reply(now, other.id, Reply::Closed);
    assert!(engine.is_idle());
    let deferred = engine.take_deferred();
    assert_eq!((deferred.len(), engine.tally().probes, engine.tally().sent), (1, 1, 1));
    engine.add_work(deferred[0]..deferred[0] + 1);
    let again = engine.poll_probe(now).unwrap();
    assert_eq!((again.target, again.id.attempt()), (probe.target, 1));
}

#[test]
fn an_answer_to_an_earlier_attempt_counts_and_a_second_one_does_not() {
    let start = Instant::now();
    let mut engine = engine("80", EngineConfig::default(), start);
    let first = engine.poll_probe(start).unwrap();
    let later = start + Duration::from_secs(1);
    engine.handle_timeout(later, |_| None);
    assert_eq!(engine.poll_expired(), Some(first.id));
    let second = engine.poll_probe(later).unwrap();
    assert_eq!((second.id.attempt(), second.id.index()), (2, first.id.index()));
    assert_eq!(engine.find(first.id.index(), first.target, 1), Some(first.id));
    assert_eq!(engine.find(first.id.index(), first.target, 3), None, "not asked that often");
    assert_eq!(engine.find(first.id.index(), "192.0.2.1:81".parse().unwrap(), 1), None);
    engine.handle_reply(later + MS, first.id, Reply::Open);
    engine.handle_reply(later + MS, second.id, Reply::Closed);
    let reports: Vec<_> = std::iter::from_fn(|| engine.poll_event()).collect();
    let rtt = Some(Duration::from_secs(1) + MS);
    assert!(matches!(
        reports[..],
        [
            EngineEvent::HostUp { .. },
            EngineEvent::Port { report: PortReport { reason: Reason::SynAck, rtt: found, .. }, .. }
        ] if found == rtt
    ));
    assert!(engine.is_idle() && engine.find(first.id.index(), first.target, 1).is_none());
}

#[test]
fn an_unreachable_host_is_asked_again_before_it_is_the_verdict() {
    let ask = |second: Option<Reply>| {
        let mut now = Instant::now();
        let mut engine = engine("80", EngineConfig::default(), now);
        let first = engine.poll_probe(now).unwrap();
        engine.handle_reply(now, first.id, Reply::HostUnreachable);
        assert_eq!((engine.poll_event(), engine.is_idle()), (None, false));
        for _ in 0..5 {
            now += Duration::from_secs(1);
            engine.handle_timeout(now, |_| None);
            if let (Some(probe), Some(reply)) = (engine.poll_probe(now), second) {
                engine.handle_reply(now, probe.id, reply);
            }
        }
        let reports = std::iter::from_fn(|| engine.poll_event());
        let reasons = reports.filter_map(|event| match event {
            EngineEvent::Port { report, .. } => Some(report.reason),
            _ => None,
        });
        reasons.collect::<Vec<_>>()
    };
    assert_eq!(ask(None), [Reason::HostUnreachable]);
    assert_eq!(ask(Some(Reply::Open)), [Reason::SynAck]);
}

/// At ten a second the first question times out long before the last port had its own.
#[test]
fn where_there_are_many_questions_every_port_is_asked_the_first_one_first() {
    let start = Instant::now();
    let mut now = start;
    let mut engine = engine("1-50", EngineConfig { rate: Some(10), ..Default::default() }, now);
    engine.ask_in_turn(|_| 3);
    let mut attempts = Vec::new();
    while attempts.len() < 60 {
        now += 10 * MS;
        engine.handle_timeout(now, |_| None);
        attempts
            .extend(std::iter::from_fn(|| engine.poll_probe(now)).map(|probe| probe.id.attempt()));
    }
    assert!(attempts[..50].iter().all(|attempt| *attempt == 1), "{attempts:?}");
    assert!(attempts[50..].iter().all(|attempt| *attempt == 2), "{attempts:?}");
}
