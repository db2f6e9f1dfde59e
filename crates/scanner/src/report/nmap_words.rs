//! The words that readers of nmap's formats expect, where it has one.

use std::net::IpAddr;

use ports_core::Transport;

use crate::event::Method;
use crate::state::{PortState, Reason};

/// The state. What this machine could not ask is `unknown`: nothing is said of the port.
pub(super) const fn state(state: PortState) -> &'static str {
    match state {
        PortState::Error => "unknown",
        state => state.name(),
    }
}

/// Why, of a host with this address; our own word where nmap has none.
pub(super) fn reason(reason: Reason, address: IpAddr, method: Method) -> &'static str {
    match reason.name() {
        // The kernel refuses a connect with ECONNREFUSED; a raw probe sees the reset itself.
        "reset" if method.name() == "connect" => "conn-refused",
        "host-unreachable" => "host-unreach",
        "network-unreachable" => "net-unreach",
        "port-unreachable" => "port-unreach",
        "neighbour-reply" if address.is_ipv4() => "arp-response",
        "neighbour-reply" => "nd-response",
        name => name,
    }
}

/// The kind of a scan.
pub(super) fn scan_type(method: Method, transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        _ => method.name(),
    }
}

/// The family of an address.
pub(super) const fn address_type(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ipv4" } else { "ipv6" }
}
