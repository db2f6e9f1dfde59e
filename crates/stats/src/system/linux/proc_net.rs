//! The sockets in `/proc/net`: what there is where netlink is not to be had.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use super::{Dump, Family, unix};
use crate::system::address::UnixNames;
use crate::system::row::Row;
use crate::system::{Protocol, Query, Snapshot, SnapshotError, State};

/// A socket that listens (`__SO_ACCEPTCON`), in the flags of a UNIX socket.
const LISTENS: u32 = 1 << 16;

/// The files that list the sockets of a dump, in `/proc/net`.
const fn files(dump: Dump) -> &'static [&'static str] {
    let Dump::Inet { protocol, family } = dump else { return &["unix"] };
    match (protocol, family) {
        (Protocol::Udp, Family::Ipv4) => &["udp"],
        (Protocol::Udp, Family::Ipv6) => &["udp6"],
        (Protocol::Udp, Family::Both) => &["udp", "udp6"],
        (Protocol::Raw, Family::Ipv4) => &["raw"],
        (Protocol::Raw, Family::Ipv6) => &["raw6"],
        (Protocol::Raw, Family::Both) => &["raw", "raw6"],
        (_, Family::Ipv4) => &["tcp"],
        (_, Family::Ipv6) => &["tcp6"],
        (_, Family::Both) => &["tcp", "tcp6"],
    }
}

/// Adds the sockets of a file. One that is not there lists none: a kernel without IPv6.
pub(super) fn read(
    dump: Dump,
    query: &Query,
    snapshot: &mut Snapshot,
) -> Result<(), SnapshotError> {
    snapshot.coverage.from_proc = true;
    let mut told = Told::new();
    for file in files(dump) {
        // Of the thread's own network namespace; `/proc/net` is that of the process.
        let path = PathBuf::from("/proc/thread-self/net").join(file);
        match std::fs::read(&path) {
            Ok(text) => parse(dump, &text, query, &mut told, snapshot),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(SnapshotError::ReadProc { path, source }),
        }
    }
    Ok(())
}

/// The sockets that a file has told of. The kernel writes it page by page, and counts its way to
/// where it was: where sockets come and go meanwhile, it tells of one again, or leaves one out.
pub(super) type Told = HashSet<(SocketAddr, SocketAddr, u64)>;

/// Adds the sockets of a text, whose first line is a heading. One that was `told` is not added
/// again, and the snapshot says that it was interrupted.
pub(super) fn parse(
    dump: Dump,
    text: &[u8],
    query: &Query,
    told: &mut Told,
    snapshot: &mut Snapshot,
) {
    for line in text.split(|byte| *byte == b'\n').skip(1).filter(|line| !line.is_empty()) {
        let read = match dump {
            Dump::Inet { protocol, .. } => inet(protocol, line).map(|row| (row, None)),
            Dump::Unix => unix_line(line).map(|(row, inode, name)| (row, Some((inode, name)))),
        };
        match read {
            None => snapshot.coverage.malformed += 1,
            Some((row, _)) if !query.matches(&row) => {}
            // Not accepted yet: netlink leaves it out, too, and the listening one counts it.
            Some((_, Some((0, _)))) => {}
            Some((row, _)) if !told.insert((row.local, row.peer, row.inode)) => {
                snapshot.coverage.interrupted = true;
            }
            Some((row, None)) => snapshot.rows.push(row),
            Some((row, Some((inode, name)))) => {
                let from = snapshot.names.len() as u32;
                snapshot.names.extend_from_slice(name);
                // An abstract name is shown with an `@` in the place of its zero byte.
                if let Some(first @ b'@') = snapshot.names.get_mut(from as usize) {
                    *first = 0;
                }
                let local = (from, snapshot.names.len() as u32);
                unix::push(row, UnixNames { local, inode, ..UnixNames::default() }, snapshot);
            }
        }
    }
}

/// `0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12345 ...`
/// (`get_tcp4_sock` in `net/ipv4/tcp_ipv4.c`).
fn inet(protocol: Protocol, line: &[u8]) -> Option<Row> {
    let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let _slot = fields.next()?;
    let (local, peer) = (end(fields.next()?)?, end(fields.next()?)?);
    let state = State::from_kernel(hexadecimal(fields.next()?)? as u8)?;
    let (send, receive) = pair(fields.next()?)?;
    let (timer, expires) = pair(fields.next()?)?;
    let retransmits = hexadecimal(fields.next()?)?;
    let uid = decimal(fields.next()?)?;
    let _timeout = fields.next()?;
    let inode = decimal(fields.next()?)?;
    let mut row = Row::new(protocol, state, (local, peer));
    row.timer = timer as u8;
    row.retransmits = retransmits as u8;
    row.expires = expires.saturating_mul(MILLISECONDS_PER_TICK);
    row.uid = uid as u32;
    row.inode = inode;
    row.receive_queue = receive;
    // Where it listens, the kernel writes 0 in the place of how many may wait.
    row.send_queue = if state == State::Listen { Row::NONE } else { send };
    row.forget_user_of_nobody();
    Some(row)
}

/// Times in `/proc/net` are in units of 1/100 s (`USER_HZ`), on every machine.
const MILLISECONDS_PER_TICK: u32 = 10;

/// `ffff888: 00000002 00000000 00010000 0001 01 12345 /run/x.sock`
/// (`unix_seq_show` in `net/unix/af_unix.c`).
fn unix_line(line: &[u8]) -> Option<(Row, u64, &[u8])> {
    let mut rest = line;
    let mut field = || {
        let begin = rest.iter().position(|byte| *byte != b' ')?;
        let text = rest.get(begin..)?;
        let length = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
        let (field, behind) = text.split_at(length);
        rest = behind;
        Some(field)
    };
    let (_address, _references, _protocol) = (field()?, field()?, field()?);
    let flags = hexadecimal(field()?)?;
    let kind = hexadecimal(field()?)?;
    let connected = hexadecimal(field()?)?;
    let inode = decimal(field()?)?;
    // One blank, then any bytes.
    let name = rest.split_first().map(|(_, name)| name).unwrap_or_default();
    // `SS_UNCONNECTED`, `SS_CONNECTING`, `SS_CONNECTED`.
    let state = match connected {
        _ if flags & LISTENS != 0 => State::Listen,
        2 => State::SynSent,
        3 => State::Established,
        _ => State::Unconnected,
    };
    let protocol = unix::protocol(u8::try_from(kind).ok()?)?;
    let mut row = Row::new(protocol, state, (unix::NOWHERE, unix::NOWHERE));
    row.inode = inode;
    Some((row, inode, name))
}

/// `0100007F:0016`: the address as words of this machine's order, the port as a number.
fn end(field: &[u8]) -> Option<SocketAddr> {
    let (address, port) = field.split_at_checked(field.len().checked_sub(5)?)?;
    let port = hexadecimal(port.strip_prefix(b":")?)? as u16;
    let word = |at: usize| Some(hexadecimal(address.get(at..at + 8)?)?.to_ne_bytes());
    match address.len() {
        8 => Some(SocketAddr::new(Ipv4Addr::from(word(0)?).into(), port)),
        32 => {
            let mut bytes = [0; 16];
            for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(index * 8)?);
            }
            Some(SocketAddr::new(Ipv6Addr::from(bytes).into(), port))
        }
        _ => None,
    }
}

/// `00000000:00000000`
fn pair(field: &[u8]) -> Option<(u32, u32)> {
    let colon = field.iter().position(|byte| *byte == b':')?;
    Some((hexadecimal(&field[..colon])?, hexadecimal(&field[colon + 1..])?))
}

fn hexadecimal(field: &[u8]) -> Option<u32> {
    if field.is_empty() || field.len() > 8 {
        return None;
    }
    field.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

fn decimal(field: &[u8]) -> Option<u64> {
    if field.is_empty() {
        return None;
    }
    field.iter().try_fold(0_u64, |value, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        value.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests;
