//! What hosts do with what reaches them.

use super::packet::{ping, to};
use super::*;

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
