//! The scenarios.

use std::time::Duration;

use simnet::Transport;

use super::scenario::{Case, Link, Method, Network, Scenario, Slow, Tolerance};
use super::truth::Truth;

const ALL_PORTS: &str = "1-65535";
const THERE: &[&str] = &["10.77.0.2"];
/// Packets that get lost each way, of a hundred.
const LOSS_5: &str = "
    chain input { type filter hook input priority 0; numgen random mod 100 < 5 drop; }
    chain output { type filter hook output priority 0; numgen random mod 100 < 5 drop; }";
const LOSS_10: &str = "
    chain input { type filter hook input priority 0; numgen random mod 100 < 10 drop; }
    chain output { type filter hook output priority 0; numgen random mod 100 < 10 drop; }";
const LIMIT_300: &str = "
    chain input { type filter hook input priority 0;
        tcp flags syn limit rate over 300/second burst 5 packets drop; }";
const DROP_OTHERS: &str = "
    chain input { type filter hook input priority 0; meta l4proto tcp tcp dport != { OPEN } drop; }";
const PROHIBIT_OTHERS: &str = "
    chain input { type filter hook input priority 0;
        meta l4proto tcp tcp dport != { OPEN } reject with icmp type admin-prohibited; }";
/// Not by a route: the kernel limits the errors of those, for the whole machine.
const NOBODY_BEHIND: &str = "
    chain prerouting { type filter hook prerouting priority 0;
        ip daddr 10.88.0.0/16 reject with icmp type host-unreachable; }";

/// Every case, in the order they run.
pub(super) fn cases() -> Vec<Case> {
    let methods: fn(&Scenario) -> &'static [Method] = |scenario| match scenario.transport {
        Transport::Tcp => &[Method::Connect, Method::Syn],
        Transport::Udp => &[Method::Udp],
    };
    let of = |scenario: Scenario| {
        methods(&scenario).iter().map(move |method| Case { scenario, method: *method })
    };
    links().into_iter().chain(simulated()).flat_map(of).collect()
}

/// Where packets are lost at random: a scan asks until it expects to miss a thousandth of an open port.
/// It misses two less than once in a million times.
const ONE_LOST: Tolerance = Tolerance { missed: 1, ..Tolerance::OTHERS };
/// Of a scan that could ask nothing.
const FAILED: i32 = 4;

const fn link(name: &'static str, about: &'static str, link: Link) -> Scenario {
    Scenario {
        name,
        about,
        network: Network::Link(link),
        targets: THERE,
        ports: ALL_PORTS,
        transport: Transport::Tcp,
        arguments: &[],
        tolerance: Tolerance::NONE,
        exit: 0,
        patience: Duration::from_mins(2),
        slow: Slow::None,
    }
}

fn links() -> Vec<Scenario> {
    let host = Link::new(200);
    let lossy = |firewall| Link { firewall, ..host };
    let dead = Truth::Unaskable("neighbour-unresolved");
    vec![
        link("closed", "200 ports open, the rest closed", host),
        Scenario {
            tolerance: ONE_LOST,
            ..link("loss-5", "the same, 5 % of the packets lost each way", lossy(LOSS_5))
        },
        Scenario {
            tolerance: ONE_LOST,
            ..link("loss-10", "the same, 10 % lost each way", lossy(LOSS_10))
        },
        Scenario {
            ports: "1-1000",
            ..link(
                "limited",
                "14 of 1,000 ports open, behind a limit of 300 questions a second",
                // Every 71st of all 65,535.
                Link { firewall: LIMIT_300, ..Link::new(912) },
            )
        },
        Scenario {
            slow: Slow::Connect,
            ..link(
                "silent",
                "20 ports open, the rest silently dropped",
                Link { others: Truth::Silent, firewall: DROP_OTHERS, ..Link::new(20) },
            )
        },
        Scenario {
            ports: "1-16384",
            ..link(
                "prohibited",
                "20 ports open, the rest rejected as prohibited",
                Link {
                    others: Truth::Filtered("admin-prohibited"),
                    firewall: PROHIBIT_OTHERS,
                    ..Link::new(20)
                },
            )
        },
        Scenario {
            targets: &["10.88.0.1", "10.88.0.2"],
            ports: "1-500",
            ..link(
                "unreachable",
                "hosts that a router says are unreachable",
                Link {
                    others: Truth::Filtered("host-unreachable"),
                    firewall: NOBODY_BEHIND,
                    here: &["route add 10.88.0.0/16 via 10.77.0.2"],
                    ..Link::new(1)
                },
            )
        },
        Scenario {
            targets: &["10.77.0.9", "10.77.0.10"],
            exit: FAILED,
            ports: "1-100",
            ..link(
                "dead-neighbour",
                "addresses on the link that nobody has",
                Link { others: dead, ..Link::new(1) },
            )
        },
        Scenario {
            targets: &["fd77::9", "fd77::10"],
            exit: FAILED,
            ports: "1-100",
            ..link("dead-neighbour-v6", "the same over IPv6", Link { others: dead, ..Link::new(1) })
        },
        Scenario {
            targets: &["10.90.0.1", "10.90.0.2"],
            exit: FAILED,
            ports: "1-100",
            ..link(
                "dead-gateway",
                "hosts behind a gateway that nobody is",
                Link {
                    others: dead,
                    here: &["route add 10.90.0.0/16 via 10.77.0.9"],
                    ..Link::new(1)
                },
            )
        },
    ]
}

const fn sim(name: &'static str, about: &'static str, toml: &'static str) -> Scenario {
    Scenario { network: Network::Simulated(toml), ..link(name, about, Link::new(1)) }
}

fn simulated() -> Vec<Scenario> {
    vec![
        Scenario {
            targets: &["10.80.0.0/20"],
            ports: "22,80,443,1000-1006",
            tolerance: ONE_LOST,
            ..sim("wide", "4,096 hosts, 50 ms away with jitter, 2 % loss each way", WIDE)
        },
        Scenario {
            targets: &["10.80.0.0/22"],
            ports: "22,80,443,1000-1006",
            tolerance: ONE_LOST,
            ..sim("bursts", "1,024 hosts, loss in bursts, reordering, duplicates", BURSTS)
        },
        Scenario {
            targets: &["10.80.0.1"],
            ports: "1-2000",
            tolerance: Tolerance::OTHERS,
            ..sim("reset-limit", "a host that sends at most 200 resets a second", RESET_LIMIT)
        },
        Scenario {
            targets: &["10.80.0.0/26"],
            ports: "1-1000",
            ..sim("middlebox", "a middlebox that answers for every host and port", MIDDLEBOX)
        },
        Scenario {
            targets: &["10.80.0.0/24"],
            ports: "1-100",
            // What the router is too busy to say looks like silence.
            tolerance: Tolerance::OTHERS,
            ..sim("router", "hosts down behind a router that limits its ICMP", ROUTER)
        },
        Scenario {
            targets: &["10.80.0.0/26"],
            ports: "1-100",
            transport: Transport::Udp,
            // What a host is too busy to refuse looks like silence.
            tolerance: Tolerance::OTHERS,
            ..sim("udp", "64 hosts, 100 UDP ports each, ICMP limited as Linux does", UDP)
        },
        Scenario {
            targets: &["fd80::/118"],
            ports: "22,80,443,1000-1006",
            ..sim("v6", "1,024 IPv6 hosts, 20 ms away", V6)
        },
        Scenario {
            targets: &["10.80.0.0/16"],
            ports: "80",
            slow: Slow::Connect,
            tolerance: Tolerance::OTHERS,
            ..sim("many", "65,536 hosts, one port, half of them up", MANY)
        },
    ]
}

const WIDE: &str = r#"
    seed = 11
    [[hosts]]
    prefix = "10.80.0.0/20"
    tcp = { open = "22,80,443", open_share = 0.3 }
    path = { delay_ms = 25, jitter_ms = 5, loss = 0.02 }
"#;
const BURSTS: &str = r#"
    seed = 12
    [[hosts]]
    prefix = "10.80.0.0/22"
    tcp = { open = "22,80,443", open_share = 0.3 }
    [hosts.path]
    delay_ms = 10
    jitter_ms = 2
    duplicate = 0.01
    reorder = 0.02
    reorder_ms = 8
    loss = { good_to_bad = 0.005, bad_to_good = 0.25, bad = 1.0 }
"#;
const RESET_LIMIT: &str = r#"
    [[hosts]]
    prefix = "10.80.0.0/24"
    tcp = { open = "22,80,443,1900-1909" }
    reset_limit = { per_second = 200, burst = 200 }
    path = { delay_ms = 2 }
"#;
const MIDDLEBOX: &str = r#"
    [[hosts]]
    prefix = "10.80.0.0/24"
    tcp = { others = "answer" }
    path = { delay_ms = 2 }
"#;
const ROUTER: &str = r#"
    seed = 13
    router = "10.80.255.254"
    [[hosts]]
    prefix = "10.80.0.0/24"
    up = 0.5
    down = "host-unreachable"
    tcp = { open = "22,80" }
    path = { delay_ms = 5 }
"#;
const UDP: &str = r#"
    seed = 14
    [[hosts]]
    prefix = "10.80.0.0/26"
    udp = { open = "7,53,69", open_share = 0.5, silent = "13,37" }
    path = { delay_ms = 5 }
"#;
const V6: &str = r#"
    seed = 15
    [[hosts]]
    prefix = "fd80::/64"
    tcp = { open = "22,80,443", open_share = 0.3 }
    path = { delay_ms = 10, jitter_ms = 1 }
"#;
const MANY: &str = r#"
    seed = 16
    [[hosts]]
    prefix = "10.80.0.0/16"
    up = 0.5
    tcp = { open = "80", open_share = 0.5 }
    path = { delay_ms = 10, jitter_ms = 2 }
"#;
