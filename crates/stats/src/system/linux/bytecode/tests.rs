//! Programs run and audited as the kernel does, against the query itself.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use ports_core::PortRange;
use proptest::prelude::*;

use super::*;
use crate::system::row::Row;
use crate::system::{Protocol, State};

struct Operation {
    code: u8,
    yes: usize,
    no: usize,
}

fn operation(program: &[u8], at: usize) -> Operation {
    let [code, yes, no_0, no_1] = *program[at..].first_chunk().unwrap();
    Operation { code, yes: yes.into(), no: u16::from_ne_bytes([no_0, no_1]).into() }
}

/// Whether a program lets a socket through.
fn run(program: &[u8], local: SocketAddr, peer: SocketAddr) -> bool {
    let mut at = 0;
    while at < program.len() {
        let Operation { code, yes, no } = operation(program, at);
        let bound = || u16::from_ne_bytes(*program[at + 6..].first_chunk().unwrap());
        let is_address = |end: SocketAddr| match (program[at + 4], end.ip().to_canonical()) {
            (IPV4, IpAddr::V4(ip)) => program[at + 12..at + 16] == ip.octets(),
            (IPV6, _) => match end.ip() {
                IpAddr::V6(ip) => program[at + 12..at + 28] == ip.octets(),
                IpAddr::V4(_) => false,
            },
            _ => false,
        };
        let holds = match code {
            JUMP => false,
            LOCAL_AT_LEAST => local.port() >= bound(),
            LOCAL_AT_MOST => local.port() <= bound(),
            PEER_AT_LEAST => peer.port() >= bound(),
            PEER_AT_MOST => peer.port() <= bound(),
            LOCAL_ADDRESS => is_address(local),
            PEER_ADDRESS => is_address(peer),
            other => panic!("operation {other}"),
        };
        at += if holds { yes } else { no };
    }
    at == program.len()
}

/// The rules of `inet_diag_bc_audit`.
fn audit(program: &[u8]) {
    let mut chain = vec![];
    let mut at = 0;
    while at < program.len() {
        chain.push(at);
        at += operation(program, at).yes;
    }
    assert_eq!(at, program.len());
    chain.push(at);
    for &at in &chain[..chain.len() - 1] {
        let Operation { yes, no, .. } = operation(program, at);
        assert!(yes >= OPERATION && yes % 4 == 0);
        assert!(no >= OPERATION && no % 4 == 0);
        let target = at + no;
        assert!(target == program.len() + OPERATION || chain.contains(&target), "jump to {target}");
    }
}

fn matches(query: &Query, local: SocketAddr, peer: SocketAddr) -> bool {
    query.matches(&Row::new(Protocol::Tcp, State::Established, (local, peer)))
}

fn ip() -> impl Strategy<Value = IpAddr> {
    let v4 = (0_u8..3).prop_map(|last| Ipv4Addr::new(127, 0, 0, last));
    prop_oneof![
        v4.clone().prop_map(IpAddr::V4),
        v4.prop_map(|ip| IpAddr::V6(ip.to_ipv6_mapped())),
        (0_u16..2).prop_map(|last| IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, last))),
    ]
}

fn end() -> impl Strategy<Value = SocketAddr> {
    (ip(), 0_u16..12).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn ports() -> impl Strategy<Value = Option<PortSet>> {
    let ranges = prop::collection::vec((0_u16..12, 0_u16..4), 1..4);
    prop::option::of(ranges.prop_map(|ranges| {
        ranges
            .into_iter()
            .map(|(first, more)| PortRange::new(first, first + more).unwrap())
            .collect()
    }))
}

proptest! {
    #[test]
    fn programs_let_through_what_the_query_asks_for(
        local in ports(), peer in ports(), either in ports(), address in prop::option::of(ip()),
        sockets in prop::collection::vec((end(), end()), 1..20),
    ) {
        let mut query = Query::tcp();
        if let Some(ports) = local {
            query = query.local_ports(ports);
        }
        if let Some(ports) = peer {
            query = query.peer_ports(ports);
        }
        if let Some(ports) = either {
            query = query.ports(ports);
        }
        if let Some(address) = address {
            query = query.address(address);
        }
        let program = compile(&query, None);
        if let Some(program) = &program {
            audit(program);
        }
        for (local, peer) in sockets {
            let passes = program.as_ref().is_none_or(|program| run(program, local, peer));
            let matches = matches(&query, local, peer);
            // That there is no peer is not for the kernel to test.
            let has_peer = peer.port() != 0 || !peer.ip().is_unspecified();
            prop_assert!(passes == matches || (passes && !has_peer), "{} {}", local, peer);
        }
    }
}

#[test]
fn a_socket_is_in_one_half() {
    let programs =
        [Half::Lower, Half::Upper].map(|half| compile(&Query::tcp(), Some(half)).unwrap());
    for program in &programs {
        audit(program);
    }
    let ports = [0, 443, Half::MIDDLE - 1, Half::MIDDLE, u16::MAX];
    for (local, peer) in ports.iter().flat_map(|local| ports.map(|peer| (*local, peer))) {
        let end = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let [lower, upper] = [0, 1].map(|half| run(&programs[half], end(local), end(peer)));
        assert_eq!((lower, upper), (local.max(peer) < Half::MIDDLE, !lower), "{local} {peer}");
    }
}

#[test]
fn nothing_to_test_is_no_program() {
    assert_eq!(compile(&Query::all(), None), None);
    // Ports that are none cannot be told to the kernel, and neither can very many.
    assert_eq!(compile(&Query::tcp().ports(PortSet::new()), None), None);
    let odd = (1..=99).step_by(2).map(ports_core::Port::new).collect();
    assert_eq!(compile(&Query::tcp().local_ports(odd), None), None);
}

#[test]
fn the_longest_program_has_jumps_that_fit() {
    let ranges = (0..MOST_RANGES as u16).map(|n| PortRange::new(n * 4, n * 4 + 1).unwrap());
    let ports: PortSet = ranges.collect();
    let query = Query::tcp().local_ports(ports.clone()).peer_ports(ports.clone()).ports(ports);
    let program = compile(&query.address(Ipv6Addr::LOCALHOST.into()), None).unwrap();
    audit(&program);
    assert!(program.len() < usize::from(u16::MAX) / 2);
}
