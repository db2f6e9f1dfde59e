//! What the options of an endpoint may say: those of multicast, mostly.

use std::net::{IpAddr, Ipv4Addr};

use ports_core::{Endpoint, Host};
use sockets_udp::{Interface, InterfaceError};

use super::resolve::{interface, named};
use crate::exit::UsageError;

/// The one address that stands in an endpoint; `None` for a name, and for every address.
pub(in crate::commands) fn address(endpoint: &Endpoint) -> Option<IpAddr> {
    match endpoint.host() {
        Host::Address(address) => Some(*address),
        Host::Zoned { address, .. } => Some((*address).into()),
        Host::Any | Host::Name(_) => None,
    }
}

/// Whether it is a group or the broadcast of every network; those of single ones the kernel knows.
pub(in crate::commands) fn is_of_many(address: IpAddr) -> bool {
    let ip = address.to_canonical();
    ip.is_multicast() || ip == Ipv4Addr::BROADCAST
}

/// That an option says something which this endpoint has no use for.
pub(in crate::commands) fn senseless(option: &str, endpoint: &Endpoint, why: &str) -> UsageError {
    UsageError(format!("`{option}` makes no sense in {endpoint}: {why}"))
}

/// Refuses a source that nobody sends from, or not to there.
pub(in crate::commands) fn check_source(
    source: Option<IpAddr>,
    endpoint: &Endpoint,
) -> Result<(), UsageError> {
    let Some(source) = source else { return Ok(()) };
    if is_of_many(source) {
        return Err(UsageError(format!("{endpoint}: the source {source} is no unicast address")));
    }
    match address(endpoint) {
        Some(address) if address.is_ipv4() != source.is_ipv4() => Err(UsageError(format!(
            "{endpoint}: the source {source} is not of the same IP version as {address}"
        ))),
        _ => Ok(()),
    }
}

/// Refuses a zone that no interface here stands for.
pub(in crate::commands) fn check_zone(endpoint: &Endpoint) -> Result<(), UsageError> {
    match endpoint.host() {
        Host::Zoned { zone, .. } => check_known(&named(zone), endpoint),
        _ => Ok(()),
    }
}

/// Refuses an interface that is not there, and one beside a zone.
pub(in crate::commands) fn check_interface(endpoint: &Endpoint) -> Result<(), UsageError> {
    let is_zoned = matches!(endpoint.host(), Host::Zoned { .. });
    if is_zoned && endpoint.options().interface().is_some() {
        return Err(senseless("iface", endpoint, "its zone says the link"));
    }
    check_known(&interface(endpoint), endpoint)
}

fn check_known(interface: &Interface, endpoint: &Endpoint) -> Result<(), UsageError> {
    match interface.index() {
        Err(error @ InterfaceError::Unknown { .. }) => {
            Err(UsageError(format!("{endpoint}: {error}")))
        }
        // What cannot be known here may be known where it is used.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(result: Result<(), UsageError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_source_is_an_address_that_somebody_sends_from_to_there() {
        for (endpoint, source, why) in [
            ("udp://239.1.2.3:5", "239.1.1.1", "239.1.1.1 is no unicast address"),
            ("udp://239.1.2.3:5", "255.255.255.255", "255.255.255.255 is no unicast address"),
            ("udp://[ff05::1]:5", "ff05::2", "ff05::2 is no unicast address"),
            ("tcp://name:5", "ff05::2", "ff05::2 is no unicast address"),
            ("udp://239.1.2.3:5", "::1", "::1 is not of the same IP version as 239.1.2.3"),
            (
                "udp://[ff02::1%lo]:5",
                "10.0.0.1",
                "10.0.0.1 is not of the same IP version as ff02::1",
            ),
        ] {
            let endpoint: Endpoint = endpoint.parse().unwrap();
            let text = said(check_source(source.parse().ok(), &endpoint));
            assert_eq!(text, format!("{endpoint}: the source {why}"));
        }
        for (endpoint, source) in [
            ("udp://239.1.2.3:5", "127.0.0.1"),
            ("udp://[ff02::1%lo]:5", "fe80::1"),
            ("udp://name:5", "127.0.0.1"),
            ("udp://name:5", "::1"),
            ("udp://:5", "127.0.0.1"),
            (":5", "::1"),
        ] {
            check_source(source.parse().ok(), &endpoint.parse().unwrap()).unwrap();
        }
    }

    #[test]
    fn an_interface_is_there_and_named_once() {
        for (endpoint, why) in [
            ("udp://239.1.2.3:5?iface=nope0", "there is no interface `nope0`"),
            ("udp://255.255.255.255:5?iface=4000000000", "there is no interface 4000000000"),
            ("udp://239.1.2.3:5?iface=192.0.2.7", "no interface here has the address 192.0.2.7"),
        ] {
            let endpoint: Endpoint = endpoint.parse().unwrap();
            assert_eq!(said(check_interface(&endpoint)), format!("{endpoint}: {why}"));
        }
        for (endpoint, why) in [
            ("tcp://[fe80::1%nope0]:5", "there is no interface `nope0`"),
            ("tls://[fe80::1%4000000000]:5", "there is no interface 4000000000"),
        ] {
            let endpoint: Endpoint = endpoint.parse().unwrap();
            assert_eq!(said(check_zone(&endpoint)), format!("{endpoint}: {why}"));
        }
        for endpoint in ["tcp://[fe80::1%lo]:5", "udp://[fe80::1%1]:5", "tcp://name:5"] {
            check_zone(&endpoint.parse().unwrap()).unwrap();
        }
        let twice = "udp://[ff02::1%lo]:5?iface=lo".parse().unwrap();
        assert!(said(check_interface(&twice)).ends_with("its zone says the link"));
        for endpoint in ["udp://239.1.2.3:5?iface=lo", "udp://[ff02::1%lo]:5", "udp://239.1.2.3:5"]
        {
            check_interface(&endpoint.parse().unwrap()).unwrap();
        }
    }
}
