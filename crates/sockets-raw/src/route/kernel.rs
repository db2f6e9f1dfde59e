//! One address, asked of the kernel (`RTM_GETROUTE`).

use std::net::IpAddr;

use rustix::io::Errno;
use sockets_sys::ExchangeError;

use super::message::{self, Found, attribute};
use super::{RouteError, WHAT};
use crate::rtnetlink::{QueryError, Rtnetlink, family, kind};

/// `RTM_F_LOOKUP_TABLE`: say which table it was.
const LOOKUP_TABLE: u32 = 0x1000;

pub(super) fn ask(
    netlink: &mut Rtnetlink,
    address: IpAddr,
    interface: Option<u32>,
) -> Result<Found, RouteError> {
    let (family, bytes) = match address {
        IpAddr::V4(address) => (family::IPV4, &address.octets()[..]),
        IpAddr::V6(address) => (family::IPV6, &address.octets()[..]),
    };
    let mut header = [0; message::HEADER];
    header[0] = family;
    header[1] = bytes.len() as u8 * 8;
    header[8..12].copy_from_slice(&LOOKUP_TABLE.to_ne_bytes());
    let index = interface.unwrap_or_default().to_ne_bytes();
    let attributes = [(attribute::DESTINATION, bytes), (attribute::INTERFACE, &index[..])];
    let attributes = if interface.is_some() { &attributes[..] } else { &attributes[..1] };
    let mut found = None;
    let asked = netlink.ask(kind::GET_ROUTE, &header, attributes, |answer| {
        found = message::read(&answer);
    });
    match asked {
        Ok(()) => found.ok_or(RouteError::NoRoute { address }),
        Err(error) => Err(refusal(address, error)),
    }
}

/// A route that refuses is an error of the question itself.
fn refusal(address: IpAddr, error: ExchangeError) -> RouteError {
    if let ExchangeError::Refused { source, .. } = &error {
        match Errno::from_io_error(source) {
            Some(Errno::NETUNREACH) => return RouteError::NoRoute { address },
            Some(Errno::HOSTUNREACH) => return RouteError::Unreachable { address },
            Some(Errno::ACCESS) => return RouteError::Prohibited { address },
            Some(Errno::INVAL) => return RouteError::Blackhole { address },
            Some(Errno::NODEV) => return RouteError::NoInterface { address },
            _ => {}
        }
    }
    RouteError::Query { address, source: QueryError::Ask { what: WHAT, source: error } }
}
