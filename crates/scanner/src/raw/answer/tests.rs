//! Tests of what an answer says, and of which probe.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use sockets_raw::wire::{AddressPair, TcpSynTemplate, parse};

use super::*;

const HERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const TARGET: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);
const SEQUENCE: u32 = 0xffff_ffff;

fn probe() -> Vec<u8> {
    let addresses = AddressPair::V4 { source: HERE, destination: TARGET };
    TcpSynTemplate::default().fill(addresses, 40_000, 443, SEQUENCE).to_vec()
}

/// The probe turned round, with other flags.
fn reply(flags: TcpFlags) -> Vec<u8> {
    let addresses = AddressPair::V4 { source: TARGET, destination: HERE };
    let mut packet = TcpSynTemplate::default().fill(addresses, 443, 40_000, 77).to_vec();
    packet[28..32].copy_from_slice(&SEQUENCE.wrapping_add(1).to_be_bytes());
    packet[33] = flags.0;
    packet
}

/// An ICMP error about the probe.
fn icmp(sender: Ipv4Addr, kind: u8, code: u8) -> Vec<u8> {
    let quoted = &probe()[..28];
    let mut packet = vec![0; 20];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&(20 + 8 + quoted.len() as u16).to_be_bytes());
    packet[8..10].copy_from_slice(&[64, 1]);
    packet[12..16].copy_from_slice(&sender.octets());
    packet[16..20].copy_from_slice(&HERE.octets());
    packet.extend([kind, code, 0, 0, 0, 0, 0, 0]);
    packet.extend(quoted);
    packet
}

fn answer(bytes: &[u8]) -> Option<Answer> {
    read(&parse(bytes).unwrap())
}

fn expected(reply: Reply, sender: Ipv4Addr) -> Answer {
    let target = SocketAddr::from((TARGET, 443));
    Answer { target, source_port: 40_000, sequence: SEQUENCE, reply, sender: IpAddr::V4(sender) }
}

#[test]
fn the_target_opens_or_resets() {
    let syn_ack = TcpFlags::SYN.with(TcpFlags::ACK);
    assert_eq!(answer(&reply(syn_ack)), Some(expected(Reply::Open, TARGET)));
    assert_eq!(answer(&reply(syn_ack.with(TcpFlags::ECE))), Some(expected(Reply::Open, TARGET)));
    let reset = TcpFlags::RST.with(TcpFlags::ACK);
    assert_eq!(answer(&reply(reset)), Some(expected(Reply::Closed, TARGET)));
}

#[test]
fn what_acknowledges_no_syn_is_no_answer() {
    for flags in [TcpFlags::SYN, TcpFlags::ACK, TcpFlags::RST, TcpFlags::FIN.with(TcpFlags::ACK)] {
        assert_eq!(answer(&reply(flags)), None, "{flags}");
    }
    assert_eq!(answer(&probe()), None, "our own SYN, as loopback shows it");
}

#[test]
fn errors_name_the_probe_they_are_about() {
    for (code, reply) in [
        (0, Reply::NetworkUnreachable),
        (1, Reply::HostUnreachable),
        (2, Reply::ProtocolUnreachable),
        (3, Reply::PortUnreachable),
        (13, Reply::AdminProhibited),
    ] {
        assert_eq!(answer(&icmp(ROUTER, 3, code)), Some(expected(reply, ROUTER)));
    }
    assert_eq!(answer(&icmp(ROUTER, 11, 0)), None, "a loop says nothing of the target");
    assert_eq!(answer(&icmp(ROUTER, 3, 4)), None, "too large is not unreachable");
}

proptest! {
    #[test]
    fn any_packet_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(packet) = parse(&bytes) {
            read(&packet);
        }
    }
}
