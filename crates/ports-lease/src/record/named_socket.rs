//! Which abstract names of ours are held, as the kernel tells.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use sockets_sys::{
    Attributes, ExchangeError, NetlinkFlags, NetlinkProtocol, NetlinkRequest, NetlinkSocket,
};

use crate::error::ListError;
use crate::lock::socket_name::PREFIX;

/// Linux's numbers: `linux/sock_diag.h`, `linux/unix_diag.h` and `socket.h`.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const AF_UNIX: u8 = 1;
const ALL_STATES: u32 = u32::MAX;
const SHOW_NAME: u32 = 1 << 0;
const SHOW_UID: u32 = 1 << 6;
const ATTRIBUTE_NAME: u16 = 0;
const ATTRIBUTE_UID: u16 = 7;
/// `struct unix_diag_msg`: family, type, state, padding, inode, cookie.
const MESSAGE_HEADER: usize = 16;
const INODE_AT: usize = 4;

/// The kernel answers at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// Any datagram of a dump fits.
const BUFFER: usize = 32 * 1024;

const PROC_NET_UNIX: &str = "/proc/thread-self/net/unix";

/// A UNIX socket with a name of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedSocket {
    pub(crate) inode: u64,
    /// Without the NUL that makes it abstract.
    pub(crate) name: Vec<u8>,
    /// Of whoever made it; older kernels do not say.
    pub(crate) uid: Option<u32>,
}

/// How often the kernel is asked. Where its answer takes more than one piece, it goes on by a count of the
/// sockets that it told of: others that come or go meanwhile let it leave out one that is there, or tell
/// it twice (`unix_diag_dump` and `unix_seq_start` of Linux).
const LOOKS: usize = 2;

/// All of this network namespace, by name.
pub(crate) fn all() -> Result<Vec<NamedSocket>, ListError> {
    let looks: Result<Vec<_>, _> = (0..LOOKS).map(|_| look()).collect();
    Ok(joined(looks?))
}

/// What any of these looks saw; of a name that has gone to another socket, the later one.
fn joined(looks: Vec<Vec<NamedSocket>>) -> Vec<NamedSocket> {
    let named = looks.into_iter().flatten().map(|socket| (socket.name.clone(), socket));
    named.collect::<BTreeMap<_, _>>().into_values().collect()
}

fn look() -> Result<Vec<NamedSocket>, ListError> {
    match by_netlink() {
        Ok(sockets) => Ok(sockets),
        Err(error) => {
            tracing::debug!(?error, "no answer by netlink: reading {PROC_NET_UNIX}");
            by_proc()
        }
    }
}

fn by_netlink() -> Result<Vec<NamedSocket>, Option<ExchangeError>> {
    let mut socket = NetlinkSocket::open(NetlinkProtocol::SOCKET_DIAGNOSIS).map_err(|error| {
        tracing::debug!(%error, "no netlink socket");
        None
    })?;
    let mut request = NetlinkRequest::new(SOCK_DIAG_BY_FAMILY, NetlinkFlags::DUMP, 1);
    // struct unix_diag_req: family, protocol, padding, states, inode, what to show, cookie.
    let mut body = vec![AF_UNIX, 0, 0, 0];
    for word in [ALL_STATES, 0, SHOW_NAME | SHOW_UID, 0, 0] {
        body.extend_from_slice(&word.to_ne_bytes());
    }
    request.body(&body);
    let mut found = Vec::new();
    let mut buffer = vec![0; BUFFER];
    socket
        .exchange(&request, &mut buffer, PATIENCE, |message| {
            found.extend(read_message(message.payload));
        })
        .map_err(Some)?;
    Ok(found)
}

/// One socket of the kernel's answer, if it has a name of ours.
fn read_message(payload: &[u8]) -> Option<NamedSocket> {
    let attributes = || Attributes::new(payload.get(MESSAGE_HEADER..).unwrap_or_default());
    let value = |kind| attributes().find(|attribute| attribute.kind == kind).map(|a| a.payload);
    let name = value(ATTRIBUTE_NAME)?.strip_prefix(b"\0")?;
    if !name.starts_with(PREFIX) {
        return None;
    }
    let inode = word(payload.get(INODE_AT..)?)?;
    let uid = value(ATTRIBUTE_UID).and_then(word);
    Some(NamedSocket { inode: u64::from(inode), name: name.to_owned(), uid })
}

fn word(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// Where netlink cannot be had.
fn by_proc() -> Result<Vec<NamedSocket>, ListError> {
    // Names of others are any bytes.
    let table = fs::read(PROC_NET_UNIX)
        .map_err(|source| ListError::Read { path: PROC_NET_UNIX, source })?;
    Ok(table.split(|byte| *byte == b'\n').filter_map(read_line).collect())
}

/// `0000000000000000: 00000002 00000000 00000000 0001 01 12345 @ports-lease/tcp/8080`.
fn read_line(line: &[u8]) -> Option<NamedSocket> {
    let mut fields = line.splitn(8, |byte| *byte == b' ').filter(|field| !field.is_empty());
    // The inode is padded to a width of five: what follows may begin with spaces.
    let rest = fields.by_ref().skip(6).collect::<Vec<_>>().join(&b' ');
    let rest = rest.trim_ascii_start();
    let end = rest.iter().position(|byte| *byte == b' ')?;
    let inode = str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    let name = rest[end..].strip_prefix(b" @")?;
    name.starts_with(PREFIX).then(|| NamedSocket { inode, name: name.to_owned(), uid: None })
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_ways_tell_the_same() {
        let name = format!("ports-lease/test/{} {}", std::process::id(), "two words");
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let _held = UnixDatagram::bind_addr(&address).unwrap();
        let own = |sockets: Vec<NamedSocket>| {
            sockets.into_iter().find(|socket| socket.name == name.as_bytes())
        };
        let by_proc = own(by_proc().unwrap()).unwrap();
        let by_either = own(all().unwrap()).unwrap();
        assert_eq!((by_proc.inode, by_proc.name), (by_either.inode, by_either.name));
    }

    #[test]
    fn what_one_look_left_out_another_one_has_and_each_is_there_once() {
        let socket =
            |name: &str, inode| NamedSocket { inode, name: name.as_bytes().to_owned(), uid: None };
        let looks = vec![
            vec![socket("a", 1), socket("c", 3), socket("c", 3), socket("d", 4)],
            vec![socket("a", 1), socket("b", 2), socket("d", 5)],
        ];
        let expected = [socket("a", 1), socket("b", 2), socket("c", 3), socket("d", 5)];
        assert_eq!(joined(looks), expected);
    }

    #[test]
    fn lines_of_the_table() {
        let line = "00000000a62e5de9: 00000002 00000000 00000000 0001 01   123 @ports-lease/tcp/80";
        let read = read_line(line.as_bytes()).unwrap();
        assert_eq!((read.inode, read.name.as_slice()), (123, &b"ports-lease/tcp/80"[..]));
        for other in [
            "Num       RefCount Protocol Flags    Type St Inode Path",
            "00000000a62e5de9: 00000002 00000000 00000000 0001 01 12345",
            "00000000a62e5de9: 00000002 00000000 00000000 0001 01 12345 /ports-lease/tcp/80",
            "",
        ] {
            assert_eq!(read_line(other.as_bytes()), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_socket_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_message(&bytes);
            let _ = read_line(&bytes);
            let _ = read_line(&[&b"0: 2 0 0 1 1 "[..], bytes.as_slice()].concat());
        }
    }
}
