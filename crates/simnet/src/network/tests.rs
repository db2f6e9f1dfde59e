//! The whole model at virtual time: each behaviour's answer, byte by byte where it matters.

use std::fmt::Write as _;

use etherparse::{
    IcmpEchoHeader, Icmpv4Type, Icmpv6Type, NetSlice, PacketBuilder, SlicedPacket, TransportSlice,
};

use super::*;
use crate::{HostRule, Loss, Path, PortRule, Probability};

const MS: Duration = Duration::from_millis(1);
const SCANNER: &str = "10.79.0.1";
const SCANNER6: &str = "fd79::1";

fn network(toml: &str) -> Network {
    Network::from_toml(toml).unwrap()
}

fn ip(source: IpAddr, destination: IpAddr) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            PacketBuilder::ipv4(source.octets(), destination.octets(), 64)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            PacketBuilder::ipv6(source.octets(), destination.octets(), 64)
        }
        _ => panic!("two families"),
    }
}

fn to(host: &str) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    let host: IpAddr = host.parse().unwrap();
    let scanner = if host.is_ipv4() { SCANNER } else { SCANNER6 };
    ip(scanner.parse().unwrap(), host)
}

fn syn(host: &str, port: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    to(host).tcp(40_000, port, 100, 1024).syn().write_to_vec(&mut packet, &[]).unwrap();
    packet
}

fn udp(host: &str, port: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    to(host).udp(40_000, port).write_to_vec(&mut packet, payload).unwrap();
    packet
}

fn ping(host: &str) -> Vec<u8> {
    let (mut packet, echo) = (Vec::new(), IcmpEchoHeader { id: 7, seq: 9 });
    if host.contains(':') {
        to(host).icmpv6(Icmpv6Type::EchoRequest(echo)).write_to_vec(&mut packet, b"abc").unwrap();
    } else {
        to(host).icmpv4(Icmpv4Type::EchoRequest(echo)).write_to_vec(&mut packet, b"abc").unwrap();
    }
    packet
}

/// One line for a packet: who, what, and the checksums' verdict.
fn shown(packet: &[u8]) -> String {
    let sliced = SlicedPacket::from_ip(packet).unwrap();
    let (source, ttl) = match &sliced.net {
        Some(NetSlice::Ipv4(ip)) => (IpAddr::from(ip.header().source()), ip.header().ttl()),
        Some(NetSlice::Ipv6(ip)) => (IpAddr::from(ip.header().source()), ip.header().hop_limit()),
        _ => panic!("no IP"),
    };
    let mut line = format!("{source} ttl {ttl} ");
    match sliced.transport.unwrap() {
        TransportSlice::Tcp(tcp) => {
            let flags = [(tcp.syn(), "S"), (tcp.ack(), "A"), (tcp.rst(), "R"), (tcp.fin(), "F")];
            let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, f)| *f).collect();
            write!(line, "tcp {} {flags} ack {}", tcp.source_port(), tcp.acknowledgment_number())
                .unwrap();
        }
        TransportSlice::Udp(udp) => {
            write!(line, "udp {} {:?}", udp.source_port(), udp.payload()).unwrap();
        }
        TransportSlice::Icmpv4(icmp) => {
            write!(
                line,
                "icmp {}/{} {} bytes",
                icmp.type_u8(),
                icmp.code_u8(),
                icmp.payload().len()
            )
            .unwrap();
        }
        TransportSlice::Icmpv6(icmp) => {
            write!(
                line,
                "icmp6 {}/{} {} bytes",
                icmp.type_u8(),
                icmp.code_u8(),
                icmp.payload().len()
            )
            .unwrap();
        }
        TransportSlice::Igmp(_) => panic!("nobody sends that"),
    }
    // Our own parser verifies what we wrote, but for ICMP errors, which it does not look into.
    assert!(!matches!(Query::parse(packet), Err(Refusal::Checksum)), "{line}");
    line
}

/// Every answer, with the milliseconds from `start` to when it was due.
fn answers(network: &mut Network, start: Instant) -> Vec<(u128, String)> {
    let mut answers = Vec::new();
    while let Some(due) = network.poll_timeout() {
        let answer = network.poll_answer(due).unwrap();
        answers.push(((answer.due - start).as_millis(), shown(answer.packet)));
    }
    answers
}

fn asked(network: &mut Network, packet: &[u8]) -> String {
    let now = Instant::now();
    network.packet(now, packet);
    let answers = answers(network, now);
    answers.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("; ")
}

const ZOO: &str = r#"
    router = "10.80.255.254"
    router6 = "fd80::ffff"
    [[hosts]]
    prefix = "10.80.0.0/24"
    tcp = { open = "22,80-82", silent = "81", prohibited = "82" }
    udp = { open = "53", silent = "123", prohibited = "161" }
    [[hosts]]
    prefix = "10.80.1.0/24"
    up = 0.0
    down = "host-unreachable"
    [[hosts]]
    prefix = "10.80.2.0/24"
    ttl = 50
    tcp = { others = "answer" }
    udp = { others = "silent" }
    ping = "silent"
    [[hosts]]
    prefix = "10.80.3.0/24"
    tcp = { others = "port-unreachable" }
    [[hosts]]
    prefix = "fd80::/64"
    tcp = { open = "22", prohibited = "25" }
    udp = { open = "53" }
    [[hosts]]
    prefix = "fd80:0:0:1::/64"
    up = 0.0
    down = "host-unreachable"
"#;

#[test]
fn every_behaviour_has_its_answer() {
    let mut zoo = network(ZOO);
    for (packet, answer) in [
        (syn("10.80.0.9", 22), "10.80.0.9 ttl 64 tcp 22 SA ack 101"),
        (syn("10.80.0.9", 23), "10.80.0.9 ttl 64 tcp 23 AR ack 101"),
        (syn("10.80.0.9", 81), ""),
        (syn("10.80.0.9", 82), "10.80.255.254 ttl 64 icmp 3/13 40 bytes"),
        (udp("10.80.0.9", 53, b"hi"), "10.80.0.9 ttl 64 udp 53 [104, 105]"),
        (udp("10.80.0.9", 54, b"hi"), "10.80.0.9 ttl 64 icmp 3/3 30 bytes"),
        (udp("10.80.0.9", 123, b"hi"), ""),
        (udp("10.80.0.9", 161, b"hi"), "10.80.255.254 ttl 64 icmp 3/13 30 bytes"),
        (ping("10.80.0.9"), "10.80.0.9 ttl 64 icmp 0/0 3 bytes"),
        (syn("10.80.1.9", 22), "10.80.255.254 ttl 64 icmp 3/1 40 bytes"),
        (ping("10.80.1.9"), "10.80.255.254 ttl 64 icmp 3/1 31 bytes"),
        (syn("10.80.2.9", 7), "10.80.2.9 ttl 50 tcp 7 SA ack 101"),
        (udp("10.80.2.9", 7, b""), ""),
        (ping("10.80.2.9"), ""),
        (syn("10.80.3.9", 7), "10.80.3.9 ttl 64 icmp 3/3 40 bytes"),
        (syn("fd80::9", 22), "fd80::9 ttl 64 tcp 22 SA ack 101"),
        (syn("fd80::9", 23), "fd80::9 ttl 64 tcp 23 AR ack 101"),
        (syn("fd80::9", 25), "fd80::ffff ttl 64 icmp6 1/1 60 bytes"),
        (udp("fd80::9", 53, b"hi"), "fd80::9 ttl 64 udp 53 [104, 105]"),
        (udp("fd80::9", 54, b"hi"), "fd80::9 ttl 64 icmp6 1/4 50 bytes"),
        (ping("fd80::9"), "fd80::9 ttl 64 icmp6 129/0 3 bytes"),
        (syn("fd80:0:0:1::9", 22), "fd80::ffff ttl 64 icmp6 1/3 60 bytes"),
        (syn("10.81.0.1", 22), ""),
    ] {
        assert_eq!(asked(&mut zoo, &packet), answer, "{:?}", Query::parse(&packet));
    }
    let Counts { received, no_host, silent, answered, delivered, .. } = zoo.counts();
    assert_eq!((received, no_host, silent, answered, delivered), (23, 1, 4, 18, 18));
}

#[test]
fn a_long_packet_is_quoted_in_part() {
    let mut zoo = network(ZOO);
    let long = vec![7; 1400];
    let answer = asked(&mut zoo, &udp("10.80.0.9", 54, &long));
    assert_eq!(answer, "10.80.0.9 ttl 64 icmp 3/3 548 bytes");
    let answer = asked(&mut zoo, &udp("fd80::9", 54, &long));
    assert_eq!(answer, "fd80::9 ttl 64 icmp6 1/4 1232 bytes");
    let answer = asked(&mut zoo, &udp("10.80.0.9", 53, &long));
    assert!(answer.starts_with("10.80.0.9 ttl 64 udp 53 [7, 7"));
}

/// 1,000 hosts with ports of every kind, bad paths both ways, one probe each 100 microseconds.
fn rough(seed: u64) -> (Vec<(u128, String)>, Counts) {
    let path = r"{ delay_ms = 20, jitter_ms = 8, duplicate = 0.02, reorder = 0.05, reorder_ms = 15,
        loss = { good_to_bad = 0.02, bad_to_good = 0.3, good = 0.01, bad = 0.9 } }";
    let mut network = network(&format!(
        r#"
        seed = {seed}
        [[hosts]]
        prefix = "10.80.0.0/22"
        up = 0.8
        down = "host-unreachable"
        tcp = {{ open = "1-4", open_share = 0.5, silent = "5" }}
        reset_limit = {{ per_second = 1, burst = 1 }}
        path = {path}
        "#
    ));
    let start = Instant::now();
    for number in 0..4000_u32 {
        let [.., high, low] = number.to_be_bytes();
        let host = format!("10.80.{}.{low}", high % 4);
        let port = 1 + (number / 500) as u16;
        network.packet(start + Duration::from_micros(100) * number, &syn(&host, port));
    }
    let answers = answers(&mut network, start);
    (answers, network.counts())
}

#[test]
fn the_same_seed_gives_the_same_answers_and_another_gives_others() {
    let (first, second, other) = (rough(1), rough(1), rough(2));
    assert_eq!(first, second);
    assert_ne!(first.0, other.0);
    assert!(first.0.windows(2).all(|pair| pair[0].0 <= pair[1].0), "in the order they are due");
}

#[test]
fn every_packet_is_accounted_for() {
    let counts = rough(1).1;
    let Counts { received, lost_there, duplicated_there, silent, limited, .. } = counts;
    let Counts { answered, lost_back, duplicated_back, delivered, .. } = counts;
    assert_eq!(received - lost_there + duplicated_there, silent + limited + answered);
    assert_eq!(answered - lost_back + duplicated_back, delivered);
    assert_eq!(received, 4000);
    for (name, count) in [
        ("lost there", lost_there),
        ("lost back", lost_back),
        ("duplicated there", duplicated_there),
        ("duplicated back", duplicated_back),
        ("silent", silent),
        ("limited", limited),
    ] {
        assert!(count > 0, "{name}: {counts:?}");
    }
}

#[test]
fn the_truth_agrees_with_the_answers() {
    let mut network = network(
        r#"
        seed = 3
        [[hosts]]
        prefix = "10.80.0.0/24"
        up = 0.7
        tcp = { open = "1-10", open_share = 0.3 }
        "#,
    );
    let (mut open, mut closed, mut silent) = (0, 0, 0);
    for low in 0..=255_u8 {
        for port in 1..=10 {
            let host = format!("10.80.0.{low}");
            let answer = asked(&mut network, &syn(&host, port));
            let truth = network.behaviour(Transport::Tcp, host.parse().unwrap(), port);
            match truth {
                Behaviour::Answer => open += u32::from(answer.contains(" SA ")),
                Behaviour::Refuse => closed += u32::from(answer.contains(" AR ")),
                Behaviour::Silent => silent += u32::from(answer.is_empty()),
                other => panic!("nothing does {other:?} here"),
            }
        }
    }
    assert_eq!(open + closed + silent, 2560, "answers agree with the truth");
    // 30 %, 70 % of them up; 30 % of hosts down.
    assert!((440..640).contains(&open), "{open}");
    assert!((640..900).contains(&silent) && silent % 10 == 0, "{silent}");
}

#[test]
fn delay_is_paid_each_way() {
    let rule = HostRule::new("10.80.0.0/24".parse().unwrap());
    let (there, back) = (Path::PERFECT.delay(30 * MS), Path::PERFECT.delay(5 * MS));
    let mut network = Network::builder().hosts(rule.path(there).path_back(back)).build().unwrap();
    let start = Instant::now();
    network.packet(start, &syn("10.80.0.1", 80));
    assert_eq!(network.poll_timeout(), Some(start + 35 * MS));
    assert_eq!(network.poll_answer(start + 34 * MS), None);
    assert!(network.poll_answer(start + 35 * MS).is_some());
    assert_eq!(network.poll_timeout(), None);
}

#[test]
fn limits_hold_back_what_is_too_much() {
    let mut network = network(
        r#"
        [[hosts]]
        prefix = "10.80.0.0/24"
        reset_limit = { per_second = 200, burst = 5 }
        "#,
    );
    let start = Instant::now();
    for port in 1..=100 {
        network.packet(start, &syn("10.80.0.1", port));
        network.packet(start, &udp("10.80.0.2", port, b""));
    }
    network.packet(start + Duration::from_secs(1), &udp("10.80.0.2", 1, b""));
    let lines: Vec<_> = answers(&mut network, start).into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines.iter().filter(|line| line.contains(" AR ")).count(), 5);
    assert_eq!(lines.iter().filter(|line| line.contains("icmp 3/3")).count(), 7);
    assert_eq!(network.counts().limited, 95 + 94);
}

#[test]
fn a_connection_gets_through_its_handshake_and_its_end() {
    let mut zoo = network(ZOO);
    let now = Instant::now();
    zoo.packet(now, &syn("10.80.0.9", 22));
    let answer = zoo.poll_answer(now).unwrap().packet.to_vec();
    let initial = u32::from_be_bytes(answer[24..28].try_into().unwrap());
    let mut segment = |sequence, fin, acknowledgment: u32, payload: &[u8]| {
        let mut packet = Vec::new();
        let tcp = to("10.80.0.9").tcp(40_000, 22, sequence, 1024).ack(acknowledgment);
        let tcp = if fin { tcp.fin() } else { tcp };
        tcp.write_to_vec(&mut packet, payload).unwrap();
        asked(&mut zoo, &packet)
    };
    let next = initial.wrapping_add(1);
    assert_eq!(segment(101, false, next, b""), "");
    assert_eq!(segment(101, false, next, b"hello"), "10.80.0.9 ttl 64 tcp 22 A ack 106");
    let end = "10.80.0.9 ttl 64 tcp 22 AF ack 107";
    assert_eq!(segment(106, true, next, b""), end);
    assert_eq!(segment(107, false, next.wrapping_add(1), b""), "");
    let reset = "10.80.0.9 ttl 64 tcp 22 R ack 0";
    assert_eq!(segment(107, false, next.wrapping_add(9), b""), reset);
}

#[test]
fn what_does_not_fit_into_the_queue_is_dropped_and_counted() {
    let rule = HostRule::new("10.80.0.0/24".parse().unwrap()).path(Path::PERFECT.delay(MS));
    let mut network = Network::builder().hosts(rule).most_queued(3).build().unwrap();
    let start = Instant::now();
    for port in 1..=5 {
        network.packet(start, &syn("10.80.0.1", port));
    }
    assert_eq!(answers(&mut network, start).len(), 3);
    assert_eq!((network.counts().overflowed, network.counts().delivered), (2, 3));
}

#[test]
fn damaged_packets_are_dropped_and_counted() {
    let mut zoo = network(ZOO);
    let mut packet = syn("10.80.0.9", 22);
    packet[36] ^= 1;
    assert_eq!(asked(&mut zoo, &packet), "");
    assert_eq!(asked(&mut zoo, &packet[..30]), "");
    let Counts { bad_checksum, unreadable, answered, .. } = zoo.counts();
    assert_eq!((bad_checksum, unreadable, answered), (1, 1, 0));
}

#[test]
fn a_network_that_could_not_answer_is_refused() {
    assert!(matches!(Network::builder().build(), Err(BuildError::NoHosts)));
    let rule = || HostRule::new("10.80.0.0/24".parse().unwrap());
    let no_queue = Network::builder().hosts(rule()).most_queued(0).build();
    assert!(matches!(no_queue, Err(BuildError::NoQueue)));
    for text in ["hosts = 1", "[[hosts]]", "sed = 1", "[[hosts]]\nprefix = \"10.0.0.0/8\"\nup = 2"]
    {
        assert!(matches!(Network::from_toml(text), Err(BuildError::Toml(_))), "{text}");
    }
}

#[test]
fn toml_and_builder_make_the_same_network() {
    let loss = Loss::bursts(Probability::new(0.1).unwrap(), Probability::new(0.5).unwrap());
    let rule = HostRule::new("fd80::/64".parse().unwrap())
        .tcp(PortRule::new().open("22".parse().unwrap()).others(Behaviour::Silent))
        .icmp_limit(IcmpLimit::NONE)
        .path(Path::PERFECT.delay(5 * MS).loss(loss));
    let from_toml: HostRule = toml::from_str(
        r#"
        prefix = "fd80::/64"
        tcp = { open = "22", others = "silent" }
        icmp_limit = {}
        path = { delay_ms = 5, loss = { good_to_bad = 0.1, bad_to_good = 0.5, bad = 1.0 } }
        "#,
    )
    .unwrap();
    assert_eq!(rule, from_toml);
}
