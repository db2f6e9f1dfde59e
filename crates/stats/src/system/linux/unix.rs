//! UNIX sockets in netlink messages (`linux/unix_diag.h`).

use std::net::{Ipv4Addr, SocketAddr};

use sockets_sys::{Attributes, NetlinkRequest};

use crate::system::address::UnixNames;
use crate::system::number_map::NumberMap;
use crate::system::row::Row;
use crate::system::{Protocol, Query, Snapshot, State, StateSet};

const FAMILY: u8 = 1;
/// `struct unix_diag_req`
const REQUEST: usize = 24;
/// `struct unix_diag_msg`
const MESSAGE: usize = 16;
/// What to show: name, peer, queues, user (`UDIAG_SHOW_*`).
const SHOW: u32 = 0x01 | 0x04 | 0x10 | 0x40;

/// The kinds of attributes (`UNIX_DIAG_*`).
mod attribute {
    pub(super) const NAME: u16 = 0;
    pub(super) const PEER: u16 = 2;
    pub(super) const QUEUES: u16 = 4;
    pub(super) const USER: u16 = 7;
}

/// The address of a row that has names instead.
pub(super) const NOWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Asks for all UNIX sockets in the states wanted.
pub(super) fn question(request: &mut NetlinkRequest, query: &Query) {
    let mut body = [0; REQUEST];
    body[0] = FAMILY;
    body[4..8].copy_from_slice(&query.wants_states().kernel_bits().to_ne_bytes());
    body[12..16].copy_from_slice(&SHOW.to_ne_bytes());
    request.body(&body);
}

/// Asks for the one socket that `row` showed.
pub(super) fn question_of(request: &mut NetlinkRequest, row: &Row) {
    let mut body = [0; REQUEST];
    body[0] = FAMILY;
    body[4..8].copy_from_slice(&StateSet::ALL.kernel_bits().to_ne_bytes());
    body[8..12].copy_from_slice(&(row.inode as u32).to_ne_bytes());
    body[12..16].copy_from_slice(&SHOW.to_ne_bytes());
    let [low, high] = [row.cookie as u32, (row.cookie >> 32) as u32];
    body[16..20].copy_from_slice(&low.to_ne_bytes());
    body[20..24].copy_from_slice(&high.to_ne_bytes());
    request.body(&body);
}

/// Adds the socket of a message, where the query asks for it.
pub(super) fn read(payload: &[u8], query: &Query, snapshot: &mut Snapshot) {
    let Some((mut row, names, attributes)) = header(payload) else {
        snapshot.coverage.malformed += 1;
        return;
    };
    if !query.matches(&row) {
        return;
    }
    let mut names = names;
    for attribute in attributes {
        match attribute.kind {
            attribute::NAME => {
                // A path comes with its zero byte, an abstract name begins with one.
                let name = match attribute.payload {
                    [path @ .., 0] if path.first().is_some_and(|first| *first != 0) => path,
                    name => name,
                };
                let from = snapshot.names.len() as u32;
                snapshot.names.extend_from_slice(name);
                names.local = (from, snapshot.names.len() as u32);
            }
            attribute::PEER => names.peer_inode = attribute.u32().unwrap_or_default().into(),
            attribute::QUEUES => {
                if let Some((receive, send)) = attribute.payload.split_first_chunk::<4>() {
                    row.receive_queue = u32::from_ne_bytes(*receive);
                    let send = send.first_chunk().map(|send| u32::from_ne_bytes(*send));
                    row.send_queue = send.unwrap_or(Row::NONE);
                }
            }
            attribute::USER => row.uid = attribute.u32().unwrap_or(Row::NONE),
            _ => {}
        }
    }
    push(row, names, snapshot);
}

/// Gives each socket the name of its peer, which only the peer's own row has.
pub(super) fn name_peers(snapshot: &mut Snapshot) {
    let named = snapshot.unix.iter().filter(|names| names.local.0 != names.local.1);
    let by_inode: NumberMap<(u32, u32)> = named.map(|names| (names.inode, names.local)).collect();
    for names in &mut snapshot.unix {
        names.peer = by_inode.get(&names.peer_inode).copied().unwrap_or_default();
    }
}

/// Adds a row with its names.
pub(super) fn push(mut row: Row, names: UnixNames, snapshot: &mut Snapshot) {
    row.unix = snapshot.unix.len() as u32;
    snapshot.unix.push(names);
    snapshot.rows.push(row);
}

fn header(payload: &[u8]) -> Option<(Row, UnixNames, Attributes<'_>)> {
    let (header, rest) = payload.split_first_chunk::<MESSAGE>()?;
    let [_, kind, state, _, inode @ .., _, _, _, _, _, _, _, _] = header;
    let inode = u32::from_ne_bytes(*inode.first_chunk()?).into();
    let cookie = u64::from_ne_bytes(*header.last_chunk()?);
    let mut row = Row::new(protocol(*kind)?, State::from_kernel(*state)?, (NOWHERE, NOWHERE));
    row.inode = inode;
    // Two words, the lower one first.
    row.cookie = if cfg!(target_endian = "big") { cookie.rotate_left(32) } else { cookie };
    Some((row, UnixNames { inode, ..UnixNames::default() }, Attributes::new(rest)))
}

/// The protocol of a type (`SOCK_*`); the kernel makes `SOCK_RAW` a `SOCK_DGRAM`.
pub(super) const fn protocol(kind: u8) -> Option<Protocol> {
    match kind {
        1 => Some(Protocol::UnixStream),
        2 | 3 => Some(Protocol::UnixDgram),
        5 => Some(Protocol::UnixSeqpacket),
        _ => None,
    }
}
