//! The interface that the routes choose for a group: where the kernel joins it if none is named.

use std::net::IpAddr;
use std::time::Duration;

use sockets_sys::{
    Attributes, Message, NetlinkFlags, NetlinkProtocol, NetlinkRequest, NetlinkSocket,
};

/// `RTM_NEWROUTE`, `RTM_GETROUTE` (`linux/rtnetlink.h`).
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
/// `struct rtmsg`: family and length of the destination are its first two bytes.
const HEADER: usize = 12;
/// `RTA_DST`, `RTA_OIF`.
const DESTINATION: u16 = 1;
const INTERFACE: u16 = 4;
/// `AF_INET`, `AF_INET6`.
const IPV4: u8 = 2;
const IPV6: u8 = 10;
/// The kernel answers at once; longer than this and it never will.
const TIMEOUT: Duration = Duration::from_secs(1);
/// One route takes some 200 bytes.
const BUFFER: usize = 8 * 1024;

/// The index of the interface that the routes lead to, by the look-up that `ip_mc_find_dev`
/// (net/ipv4/igmp.c) and `ipv6_sock_mc_join` (net/ipv6/mcast.c) do; `None` where there is no such
/// route, or the kernel does not tell.
pub(crate) fn interface_of(group: IpAddr) -> Option<u32> {
    let mut netlink = NetlinkSocket::open(NetlinkProtocol::ROUTE).ok()?;
    let mut buffer = vec![0; BUFFER];
    let mut found = None;
    netlink
        .exchange(&question(group), &mut buffer, TIMEOUT, |answer| found = interface_in(&answer))
        .ok()?;
    found
}

fn question(group: IpAddr) -> NetlinkRequest {
    let (family, octets) = match group {
        IpAddr::V4(ip) => (IPV4, ip.octets().to_vec()),
        IpAddr::V6(ip) => (IPV6, ip.octets().to_vec()),
    };
    let mut header = [0; HEADER];
    // In bits.
    (header[0], header[1]) = (family, octets.len() as u8 * 8);
    let mut request = NetlinkRequest::new(GET_ROUTE, NetlinkFlags::GET, 1);
    request.body(&header).attribute(DESTINATION, &octets);
    request
}

/// The interface that an answer names; `None` for what is no route.
fn interface_in(answer: &Message<'_>) -> Option<u32> {
    let attributes = answer.payload.get(HEADER..).filter(|_| answer.kind == NEW_ROUTE)?;
    let index = Attributes::new(attributes).find(|attribute| attribute.kind == INTERFACE)?.u32();
    index.filter(|index| *index > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_where_an_address_of_this_machine_is() {
        // There may be no route for groups here; there is always one for this address.
        let lo = crate::Interface::from("lo").index().unwrap();
        assert_eq!(interface_of(IpAddr::from([127, 0, 0, 1])), Some(lo));
    }
}
