//! TCP, UDP and raw sockets in netlink messages (`linux/inet_diag.h`).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use sockets_sys::{Attributes, NetlinkRequest};

use super::Family;
use super::bytecode::{self, Half};
use crate::system::details::{Details, SocketMemory, TcpDetails, Traffic};
use crate::system::row::Row;
use crate::system::{Protocol, Query, Snapshot, State, StateSet};

const IPV4: u8 = 2;
const IPV6: u8 = 10;
/// `struct inet_diag_req_v2`: eight bytes, and the addresses of a socket, which a dump leaves 0.
const REQUEST: usize = 56;
/// `struct inet_diag_req`: four bytes, the addresses, the states, and a word.
const OLD_REQUEST: usize = 60;
/// `struct inet_diag_msg`
pub(super) const MESSAGE: usize = 72;
/// `INET_DIAG_NOCOOKIE`, twice.
const NO_COOKIE: u64 = u64::MAX;

/// The kinds of attributes (`INET_DIAG_*`). Bit N - 1 of a request asks for attribute N.
mod attribute {
    pub(super) const REQUEST_BYTECODE: u16 = 1;
    pub(super) const TCP_INFO: u16 = 2;
    pub(super) const MEMORY: u16 = 7;
    pub(super) const ONLY_IPV6: u16 = 11;
    pub(super) const CGROUP: u16 = 21;
}
const TRAFFIC: u8 = 1 << (attribute::TCP_INFO - 1);
const DETAILS: u8 = TRAFFIC | 1 << (attribute::MEMORY - 1);

const fn extensions(query: &Query) -> u8 {
    if query.wants_details() {
        DETAILS
    } else if query.wants_only_traffic() {
        TRAFFIC
    } else {
        0
    }
}

const fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Udp => 17,
        Protocol::Raw => 255,
        _ => 6,
    }
}

/// Asks for all sockets of a protocol and family that the kernel can tell to be wanted, or for half
/// of them.
pub(super) fn question(
    request: &mut NetlinkRequest,
    protocol: Protocol,
    family: Family,
    query: &Query,
    half: Option<Half>,
) {
    let mut states = query.wants_states();
    if protocol == Protocol::Tcp {
        // There is none, but to ask for it costs a walk through all connections.
        states = states.without(State::Unconnected);
    }
    let states = states.kernel_bits().to_ne_bytes();
    match family {
        Family::Both => {
            let mut body = [0; OLD_REQUEST];
            body[3] = extensions(query);
            body[52..56].copy_from_slice(&states);
            request.body(&body);
        }
        Family::Ipv4 | Family::Ipv6 => {
            let mut body = [0; REQUEST];
            body[0] = if family == Family::Ipv6 { IPV6 } else { IPV4 };
            body[1] = number(protocol);
            body[2] = extensions(query);
            body[4..8].copy_from_slice(&states);
            request.body(&body);
        }
    }
    if let Some(program) = bytecode::compile(query, half) {
        request.attribute(attribute::REQUEST_BYTECODE, &program);
    }
}

/// Asks for the one socket that `row` showed.
pub(super) fn question_of(request: &mut NetlinkRequest, row: &Row, query: &Query) {
    let mut body = [0; REQUEST];
    body[0] = if row.local.is_ipv6() { IPV6 } else { IPV4 };
    body[1] = number(row.protocol);
    body[2] = extensions(query);
    body[4..8].copy_from_slice(&StateSet::ALL.kernel_bits().to_ne_bytes());
    // `struct inet_diag_sockid`
    for (end, port, address) in [(row.local, 8, 12), (row.peer, 10, 28)] {
        body[port..port + 2].copy_from_slice(&end.port().to_be_bytes());
        match end {
            SocketAddr::V4(end) => body[address..address + 4].copy_from_slice(&end.ip().octets()),
            SocketAddr::V6(end) => body[address..address + 16].copy_from_slice(&end.ip().octets()),
        }
    }
    body[44..48].copy_from_slice(&row.interface.to_ne_bytes());
    let [low, high] = [row.cookie as u32, (row.cookie >> 32) as u32];
    body[48..52].copy_from_slice(&low.to_ne_bytes());
    body[52..56].copy_from_slice(&high.to_ne_bytes());
    request.body(&body);
}

/// Adds the socket of a message, where the query asks for it.
pub(super) fn read(protocol: Protocol, payload: &[u8], query: &Query, snapshot: &mut Snapshot) {
    let Some((mut row, attributes)) = header(protocol, payload) else {
        snapshot.coverage.malformed += 1;
        return;
    };
    if !query.matches(&row) {
        return;
    }
    let mut details = Details::default();
    for attribute in attributes {
        match attribute.kind {
            attribute::CGROUP => {
                let id = attribute.payload.first_chunk().map(|id| u64::from_ne_bytes(*id));
                row.cgroup = id.unwrap_or_default();
            }
            attribute::ONLY_IPV6 => {
                row.only_ipv6 = attribute.payload.first().map(|value| *value != 0);
            }
            // A listening socket's is about nothing (`tcp_get_info`).
            attribute::TCP_INFO if row.state != State::Listen && protocol == Protocol::Tcp => {
                if query.wants_only_traffic() {
                    if let Some(traffic) = Traffic::read(attribute.payload) {
                        row.traffic = snapshot.traffic.len() as u32;
                        snapshot.traffic.push(traffic);
                    }
                } else {
                    details.tcp = TcpDetails::read(attribute.payload);
                }
            }
            attribute::MEMORY => details.memory = Some(SocketMemory::read(attribute.payload)),
            _ => {}
        }
    }
    if details != Details::default() {
        row.details = snapshot.details.len() as u32;
        snapshot.details.push(details);
    }
    snapshot.rows.push(row);
}

/// The fixed part of a message, and the attributes behind it.
pub(super) fn header(protocol: Protocol, payload: &[u8]) -> Option<(Row, Attributes<'_>)> {
    let (header, rest) = payload.split_first_chunk::<MESSAGE>()?;
    let word = |at: usize| {
        u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    let end = |port: usize, address: usize| -> Option<SocketAddr> {
        let port = u16::from_be_bytes([header[port], header[port + 1]]);
        let bytes: &[u8; 16] = header.get(address..)?.first_chunk()?;
        match header[0] {
            IPV4 => {
                let [a, b, c, d, ..] = *bytes;
                Some(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port).into())
            }
            IPV6 => Some(SocketAddrV6::new(Ipv6Addr::from(*bytes), port, 0, 0).into()),
            _ => None,
        }
    };
    let mut state = State::from_kernel(header[1])?;
    if protocol == Protocol::Tcp && state == State::Unconnected {
        // A TCP socket without a state is in no table but that of bound ports.
        state = State::Bound;
    }
    let mut row = Row::new(protocol, state, (end(4, 8)?, end(6, 24)?));
    row.timer = header[2];
    row.retransmits = header[3];
    row.interface = word(40);
    row.cookie = Some(long(44)).filter(|cookie| *cookie != NO_COOKIE).unwrap_or_default();
    row.expires = word(52);
    row.receive_queue = word(56);
    row.send_queue = word(60);
    row.uid = word(64);
    row.inode = word(68).into();
    row.forget_user_of_nobody();
    Some((row, Attributes::new(rest)))
}
