//! Membership in a multicast group for what one source sends (RFC 3678 section 5.1).

use std::ffi::c_int;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use crate::address::Name;
use crate::option::set;
use crate::send_batch::Destination;

/// Joins `group` on the interface with this index, 0 for the one the routes choose, for what
/// `source` sends (`MCAST_JOIN_SOURCE_GROUP`). Further sources of the group are added one by one.
///
/// The kernel turns a membership of the same socket that was for every source into one for this
/// source only: leave it first, or refuse.
///
/// # Errors
///
/// `InvalidInput` where the two are not of one family. What the kernel says otherwise, such as
/// `EADDRNOTAVAIL` where the source was joined already, or `ENOBUFS` past
/// `net.ipv4.igmp_max_msf`.
pub fn join_source(fd: impl AsFd, group: IpAddr, source: IpAddr, interface: u32) -> io::Result<()> {
    set_source(fd, MCAST_JOIN_SOURCE_GROUP, group, source, interface)
}

/// Takes `source` out of the membership again (`MCAST_LEAVE_SOURCE_GROUP`); with the last one the
/// group is left.
///
/// # Errors
///
/// As [`join_source`]; `EADDRNOTAVAIL` or `EINVAL` where it was not joined.
pub fn leave_source(
    fd: impl AsFd,
    group: IpAddr,
    source: IpAddr,
    interface: u32,
) -> io::Result<()> {
    set_source(fd, MCAST_LEAVE_SOURCE_GROUP, group, source, interface)
}

/// include/uapi/linux/in.h
const MCAST_JOIN_SOURCE_GROUP: c_int = 46;
const MCAST_LEAVE_SOURCE_GROUP: c_int = 47;

/// `struct group_source_req`: the interface, padded to a word, and two addresses.
const ADDRESS_SIZE: usize = mem::size_of::<libc::sockaddr_storage>();
const GROUP: usize = mem::size_of::<usize>();
const SOURCE: usize = GROUP + ADDRESS_SIZE;
const REQUEST_SIZE: usize = SOURCE + ADDRESS_SIZE;

fn set_source(
    fd: impl AsFd,
    option: c_int,
    group: IpAddr,
    source: IpAddr,
    interface: u32,
) -> io::Result<()> {
    let level = match (group, source) {
        (IpAddr::V4(_), IpAddr::V4(_)) => libc::IPPROTO_IP,
        (IpAddr::V6(_), IpAddr::V6(_)) => libc::IPPROTO_IPV6,
        _ => {
            let reason = "the group and the source are not of one family";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
    };
    let mut request = [0_u8; REQUEST_SIZE];
    request[..4].copy_from_slice(&interface.to_ne_bytes());
    for (at, ip) in [(GROUP, group), (SOURCE, source)] {
        let mut name = Name::EMPTY;
        let size = name.encode(&Destination::Socket(SocketAddr::new(ip, 0))) as usize;
        request[at..at + size].copy_from_slice(name.bytes(size));
    }
    set(fd.as_fd(), level, option, &request)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_source_is_joined_once_and_left_once() {
        for (address, group, source) in
            [("0.0.0.0:0", "232.255.71.2", "127.0.0.1"), ("[::]:0", "ff31::4702", "::1")]
        {
            let socket = UdpSocket::bind(address).unwrap();
            let (group, source) = (group.parse().unwrap(), source.parse().unwrap());
            let lo = 1;
            join_source(&socket, group, source, lo).unwrap();
            assert!(join_source(&socket, group, source, lo).is_err(), "joined twice");
            leave_source(&socket, group, source, lo).unwrap();
            assert!(leave_source(&socket, group, source, lo).is_err(), "left twice");
        }
    }

    #[test]
    fn families_are_not_mixed() {
        let socket = UdpSocket::bind("[::]:0").unwrap();
        let (group, source) = ("ff31::4702".parse().unwrap(), "127.0.0.1".parse().unwrap());
        let error = join_source(&socket, group, source, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
