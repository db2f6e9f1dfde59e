//! Recall, packets and time of the engine on networks of every kind, as one table.

use std::net::SocketAddr;
use std::time::Duration;

use super::EngineConfig;
use super::model::{Behaviour, MS, Network, Work, head, line, simulate};
use crate::permutation::mix;
use crate::state::PortState;

/// As the raw prober has it.
fn raw() -> EngineConfig {
    EngineConfig { late_answers: true, max_in_flight: 131_072, ..EngineConfig::default() }
}

fn one_host() -> Work {
    Work { targets: "192.0.2.1", ports: "1-65535", config: raw() }
}

fn some_hosts() -> Work {
    Work { targets: "198.18.0.0/20", ports: "1-10", config: raw() }
}

/// 200 open, the rest closed.
fn open_200(target: SocketAddr) -> Behaviour {
    if target.port() % 327 == 1 && target.port() / 327 < 200 {
        Behaviour::Open
    } else {
        Behaviour::Closed
    }
}

/// 20 open, the rest silent.
fn open_20(target: SocketAddr) -> Behaviour {
    if target.port() % 3_277 == 1 { Behaviour::Open } else { Behaviour::Silent }
}

/// 14 open of 1,000, the rest closed.
fn open_14(target: SocketAddr) -> Behaviour {
    if target.port() % 72 == 1 { Behaviour::Open } else { Behaviour::Closed }
}

/// The same with a silent rest.
fn open_14_dropped(target: SocketAddr) -> Behaviour {
    if target.port() % 72 == 1 { Behaviour::Open } else { Behaviour::Silent }
}

/// Like [`open_200`], and a filter that says so in front of half of the rest.
fn prohibited(target: SocketAddr) -> Behaviour {
    match open_200(target) {
        Behaviour::Closed if target.port().is_multiple_of(2) => Behaviour::Prohibited,
        behaviour => behaviour,
    }
}

fn all_open(_: SocketAddr) -> Behaviour {
    Behaviour::Open
}

fn all_silent(_: SocketAddr) -> Behaviour {
    Behaviour::Silent
}

fn host_number(target: SocketAddr) -> u64 {
    match target.ip() {
        std::net::IpAddr::V4(ip) => u64::from(u32::from(ip)),
        std::net::IpAddr::V6(_) => 0,
    }
}

/// One host of 16 is up, with one open port in ten.
fn sparse(target: SocketAddr) -> Behaviour {
    match (mix(host_number(target)) % 16, target.port()) {
        (0, 1) => Behaviour::Open,
        (0, _) => Behaviour::Closed,
        _ => Behaviour::Silent,
    }
}

/// Every tenth host is 50 times as far as the others.
fn near_and_far(target: SocketAddr) -> Duration {
    if host_number(target).is_multiple_of(10) { 500 * MS } else { 10 * MS }
}

fn table() -> String {
    let mut table = head();
    let mut add = |name: &str, work: &Work, network: &Network| {
        table += &line(name, work, network);
    };
    let lan = Network { delay: |_| MS, ..Network::new(open_200) };
    let one = one_host();
    add("200 open, rest closed", &one, &lan);
    for (name, loss) in [("1 %", 0.01), ("5 %", 0.05), ("10 %", 0.1), ("20 %", 0.2)] {
        let network = Network { loss, ..lan.clone() };
        add(&format!("the same, {name} loss each way"), &one, &network);
    }
    let bursts = Some((30 * MS, 0.000_02));
    add("the same, bursts of loss of 30 ms", &one, &Network { bursts, ..lan.clone() });
    let far = Network { delay: |_| 250 * MS, ..lan.clone() };
    add("the same, 250 ms away", &one, &far);
    add("the same, 250 ms away, 5 % loss", &one, &Network { loss: 0.05, ..far });
    let jitter = Network { delay: |_| 20 * MS, jitter: 180 * MS, ..lan.clone() };
    add("the same, 20 to 200 ms, reordered", &one, &jitter);
    add("the same, half of the answers twice", &one, &Network { duplicates: 0.5, ..lan.clone() });
    let narrow = Network { limit: Some((10_000.0, 100.0)), ..lan.clone() };
    add("the same, a path of 10,000 probes/s", &one, &narrow);
    add("the same, 10,000 probes/s and 5 % loss", &one, &Network { loss: 0.05, ..narrow });
    add("the same, 2,000 resets/s", &one, &Network { resets: Some(2_000.0), ..lan.clone() });
    let few = Work { ports: "1-5000", ..one_host() };
    let limit = Some((300.0, 100.0));
    add("5,000 ports, a path of 300 probes/s", &few, &Network { limit, ..lan.clone() });
    limited(&mut add);
    add(
        "4,096 hosts x 10 ports, 1 of 16 up, 2,000/s",
        &some_hosts(),
        &Network { limit: Some((2_000.0, 100.0)), ..Network::new(sparse) },
    );
    let filter = Network { behaviour: prohibited, ..lan.clone() };
    add("half of the closed ones prohibited, 5 % loss", &one, &Network { loss: 0.05, ..filter });
    let dropped = Network { behaviour: open_20, ..lan.clone() };
    add("20 open, rest silent", &one, &dropped);
    add("20 open, rest silent, 5 % loss", &one, &Network { loss: 0.05, ..dropped.clone() });
    add("20 open, rest silent, 20 % loss", &one, &Network { loss: 0.2, ..dropped });
    add("silent", &one, &Network { behaviour: all_silent, ..lan.clone() });
    add("a middlebox that answers everything", &one, &Network { behaviour: all_open, ..lan });
    let hosts = some_hosts();
    let wide = Network::new(sparse);
    add("4,096 hosts, 1 of 16 up", &hosts, &wide);
    add("the same, 5 % loss", &hosts, &Network { loss: 0.05, ..wide.clone() });
    let apart = Network { delay: near_and_far, ..wide.clone() };
    add("the same, every tenth host 500 ms away", &hosts, &apart);
    let thousand = Work { targets: "198.18.0.0/24", ports: "1-1000", config: raw() };
    add("256 hosts x 1,000 ports, 1 of 16 up", &thousand, &wide);
    add("256 hosts x 1,000 ports, 2 % loss", &thousand, &Network { loss: 0.02, ..wide });
    table
}

/// A limiter or a narrow path in front of few ports.
fn limited(add: &mut impl FnMut(&str, &Work, &Network)) {
    let work = |ports, config| Work { ports, config, ..one_host() };
    let (some, few) = (work("1-1000", raw()), work("1-16", raw()));
    let connects = EngineConfig::default();
    let host = |limit| Network { limit: Some(limit), delay: |_| MS, ..Network::new(open_14) };
    for (rate, burst) in [(100.0, 5.0), (300.0, 1.0), (300.0, 5.0), (300.0, 100.0), (1_000.0, 5.0)]
    {
        let name = format!("1,000 ports, {rate} probes/s, {burst} at once");
        add(&name, &some, &host((rate, burst)));
    }
    let limit = (300.0, 5.0);
    add("the same, 300/s, by connect", &work("1-1000", connects), &host(limit));
    add("the same, 300/s, 5 % loss", &some, &Network { loss: 0.05, ..host(limit) });
    add("the same, 300/s, 200 ms away", &some, &Network { delay: |_| 200 * MS, ..host(limit) });
    let dropped = Network { behaviour: open_14_dropped, ..host(limit) };
    add("the same, 300/s, rest silent", &some, &dropped);
    add("16 ports, 100 probes/s, 1 at once", &few, &host((100.0, 1.0)));
    add("the same, by connect", &work("1-16", connects), &host((100.0, 1.0)));
}

#[test]
fn recall_packets_and_time() {
    insta::assert_snapshot!(table());
}

#[test]
fn a_silent_host_does_not_slow_the_others() {
    fn half(target: SocketAddr) -> Behaviour {
        if host_number(target).is_multiple_of(2) { Behaviour::Silent } else { open_200(target) }
    }
    let time = |targets| {
        let work = Work { targets, ports: "1-4000", config: raw() };
        simulate(&work, Network::new(half)).elapsed
    };
    let (alone, both) = (time("192.0.2.1"), time("192.0.2.0-192.0.2.1"));
    assert!(both < alone + Duration::from_secs(3), "{alone:?} {both:?}");
}

#[test]
fn twenty_seeds_find_every_open_port_through_5_percent_loss() {
    for seed in 1..=20 {
        let network = Network { loss: 0.05, seed, delay: |_| MS, ..Network::new(open_200) };
        let work = Work { ports: "1-16384", ..one_host() };
        let outcome = simulate(&work, network);
        let open = (1..=16_384).filter(|port| open_200(([0; 4], *port).into()) == Behaviour::Open);
        assert_eq!(outcome.count(PortState::Open), open.count(), "seed {seed}");
    }
}

/// Whatever the limit, and wherever in the order of the ports the open ones are.
#[test]
fn fifty_seeds_find_every_open_port_behind_a_limiter() {
    let find_all = |ports: &'static str, config: EngineConfig, limit, seed| {
        let (delay, jitter): (fn(_) -> _, _) = (|_| MS, MS);
        let network = Network { limit: Some(limit), seed, delay, jitter, ..Network::new(open_14) };
        let outcome = simulate(&Work { ports, config, ..one_host() }, network);
        let all = outcome.reports.len();
        let open = outcome.reports.keys().filter(|at| open_14(**at) == Behaviour::Open).count();
        let seen = (outcome.count(PortState::Open), outcome.count(PortState::Closed));
        let late = config.late_answers;
        assert_eq!(seen, (open, all - open), "{ports}, {limit:?}, seed {seed}, late {late}");
    };
    let bursts = [1.0, 5.0, 100.0];
    for config in [raw(), EngineConfig::default()] {
        for rate in [100.0, 300.0, 1_000.0] {
            for seed in 1..=50 {
                let burst = bursts[seed as usize % bursts.len()];
                find_all("1-1000", config, (rate, burst), seed);
                for burst in bursts {
                    find_all("1-16", config, (rate, burst), seed);
                    find_all("1", config, (rate, burst), seed);
                }
            }
        }
    }
}

/// The number of attempts falls while the first ones are waited for.
#[test]
fn slow_hosts_are_not_judged_by_the_times_of_others() {
    fn one_of_16_far(target: SocketAddr) -> Duration {
        if host_number(target).is_multiple_of(16) { 500 * MS } else { MS }
    }
    for rate in [4_000, 6_000, 10_000] {
        let config = EngineConfig { rate: Some(rate), ..raw() };
        let work = Work { targets: "198.18.0.0/18", ports: "1", config };
        let network = Network { delay: one_of_16_far, ..Network::new(|_| Behaviour::Closed) };
        let outcome = simulate(&work, network);
        assert_eq!(outcome.count(PortState::Closed), 1 << 14, "at {rate} probes per second");
    }
}
