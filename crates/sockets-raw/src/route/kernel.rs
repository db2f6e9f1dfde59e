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
    source: Option<IpAddr>,
) -> Result<Found, RouteError> {
    let family = if address.is_ipv4() { family::IPV4 } else { family::IPV6 };
    let destination = octets(address);
    let source_octets = source.map(octets).unwrap_or_default();
    let mut header = [0; message::HEADER];
    header[0] = family;
    header[1] = destination.len() as u8 * 8;
    header[2] = source_octets.len() as u8 * 8;
    header[8..12].copy_from_slice(&LOOKUP_TABLE.to_ne_bytes());
    let mut attributes = vec![(attribute::DESTINATION, &destination[..])];
    if source.is_some() {
        attributes.push((attribute::SOURCE, &source_octets[..]));
    }
    let index = interface.map(u32::to_ne_bytes);
    attributes.extend(index.iter().map(|index| (attribute::INTERFACE, &index[..])));
    let mut found = None;
    let asked = netlink.ask(kind::GET_ROUTE, &header, &attributes, |answer| {
        found = message::read(&answer);
    });
    match asked {
        Ok(()) => {
            let mut found = found.ok_or(RouteError::NoRoute { address })?;
            // What was asked for is not told again.
            found.source = source.or(found.source);
            Ok(found)
        }
        Err(error) => Err(refusal(address, error)),
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
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
