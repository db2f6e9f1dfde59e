//! Facts of all kinds, and what is made of them.

use super::*;

fn socket(local: &str, state: State) -> PortSocket {
    PortSocket {
        local: local.parse().unwrap(),
        peer: None,
        interface: None,
        state,
        uid: Some(0),
        only_ipv6: None,
        processes: Vec::new(),
        no_process: Some(NoProcess::Elsewhere),
        cgroups: Vec::new(),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn facts(transport: Transport, address: &str, sockets: Vec<PortSocket>) -> BindFacts {
    let rules = PortRules {
        first_unprivileged: Port::new(1024),
        is_privileged: false,
        ephemeral: PortRange::new(32768, 60999).unwrap(),
        reserved: PortSet::from([Port::new(8443), Port::new(50000)]),
        ipv6_only: false,
    };
    BindFacts { transport, address: address.parse().unwrap(), sockets, rules }
}

#[test]
fn a_free_port_has_no_findings() {
    assert_eq!(facts(Transport::Tcp, "0.0.0.0:8080", vec![]).findings(), []);
}

#[test]
fn addresses_collide_as_they_do_in_the_kernel() {
    for (wanted, held, only_ipv6, collides) in [
        ("127.0.0.1", "127.0.0.1:80", None, true),
        ("127.0.0.1", "127.0.0.2:80", None, false),
        ("127.0.0.1", "0.0.0.0:80", None, true),
        ("0.0.0.0", "127.0.0.1:80", None, true),
        ("127.0.0.1", "[::]:80", Some(false), true),
        ("127.0.0.1", "[::]:80", Some(true), false),
        ("127.0.0.1", "[::1]:80", Some(false), false),
        ("127.0.0.1", "[::ffff:127.0.0.1]:80", Some(false), true),
        ("::", "127.0.0.1:80", None, true),
        ("::1", "127.0.0.1:80", None, false),
        ("::1", "[::]:80", Some(true), true),
    ] {
        let held = PortSocket { only_ipv6, ..socket(held, State::Listen) };
        let facts = facts(Transport::Tcp, &SocketAddr::new(ip(wanted), 80).to_string(), vec![]);
        assert_eq!(facts.collides(&held), collides, "{wanted} {held:?}");
    }
    // Where `[::]` leaves IPv4 alone (`net.ipv6.bindv6only`).
    let mut facts = facts(Transport::Tcp, "[::]:80", vec![]);
    facts.rules.ipv6_only = true;
    assert!(!facts.collides(&socket("127.0.0.1:80", State::Listen)));
    assert!(facts.collides(&socket("[::1]:80", State::Listen)));
}

#[test]
fn interfaces_that_differ_keep_sockets_apart() {
    let held = |interface| PortSocket { interface, ..socket("[::]:80", State::Listen) };
    for (wanted, interface, collides) in [
        ("[fe80::7%2]:80", Some(3), false),
        ("[fe80::7%3]:80", Some(3), true),
        ("[fe80::7%2]:80", None, true),
        ("[::]:80", Some(3), true),
        ("0.0.0.0:80", Some(3), true),
    ] {
        let facts = facts(Transport::Tcp, wanted, vec![]);
        assert_eq!(facts.collides(&held(interface)), collides, "{wanted} {interface:?}");
    }
}

#[test]
fn connections_of_ipv6_that_take_ipv4_are_in_the_way_of_all_of_ipv4() {
    let connection = PortSocket {
        peer: Some("[::1]:49698".parse().unwrap()),
        ..socket("[::1]:80", State::Established)
    };
    let listener = |only_ipv6| PortSocket { only_ipv6, ..socket("[::]:80", State::Listen) };
    for (wanted, listener, collides) in [
        ("0.0.0.0:80", None, true),
        ("127.0.0.6:80", None, true),
        ("127.0.0.1:80", None, false),
        ("[::2]:80", None, false),
        ("0.0.0.0:80", Some(listener(Some(false))), true),
        ("0.0.0.0:80", Some(listener(Some(true))), false),
    ] {
        let facts = facts(Transport::Tcp, wanted, listener.into_iter().collect());
        assert_eq!(facts.collides(&connection), collides, "{facts:?}");
    }
}

#[test]
fn a_listener_blocks_and_connections_stand_back_for_reuse() {
    let sockets = vec![
        socket("127.0.0.1:8080", State::TimeWait),
        socket("127.0.0.1:8080", State::Established),
        socket("127.0.0.1:8080", State::TimeWait),
        socket("127.0.0.1:8080", State::Listen),
        socket("127.0.0.9:8080", State::Listen),
    ];
    let findings = facts(Transport::Tcp, "127.0.0.1:8080", sockets.clone()).findings();
    let connections = BindFinding::Connections { time_wait: 2, others: vec![sockets[1].clone()] };
    assert_eq!(findings, [BindFinding::Held(sockets[3].clone()), connections]);
    assert_eq!(
        findings.iter().map(BindFinding::blocks).collect::<Vec<_>>(),
        [Blocks::Always, Blocks::WithoutReuse]
    );
}

#[test]
fn a_udp_socket_blocks_in_every_state() {
    let sockets = vec![socket("127.0.0.1:53", State::Established)];
    let findings = facts(Transport::Udp, "127.0.0.1:53", sockets.clone()).findings();
    assert!(findings.contains(&BindFinding::Held(sockets[0].clone())));
}

#[test]
fn what_the_system_says_of_ports() {
    let findings = |address| facts(Transport::Tcp, address, vec![]).findings();
    let first_unprivileged = Port::new(1024);
    assert_eq!(findings("127.0.0.1:80"), [BindFinding::Privileged { first_unprivileged }]);
    // Port 0 asks for any.
    assert_eq!(findings("127.0.0.1:0"), []);
    // Reserved in the range of outgoing connections, and outside of it.
    for address in ["127.0.0.1:50000", "127.0.0.1:8443"] {
        assert_eq!(findings(address), [BindFinding::Reserved], "{address}");
    }
    let range = PortRange::new(32768, 60999).unwrap();
    assert_eq!(findings("127.0.0.1:50001"), [BindFinding::Ephemeral { range }]);
    let mut privileged = facts(Transport::Tcp, "127.0.0.1:80", vec![]);
    privileged.rules.is_privileged = true;
    assert_eq!(privileged.findings(), []);
}
