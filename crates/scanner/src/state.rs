//! The verdict on a port, and why.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ports_core::{Port, Transport};
use serde::{Deserialize, Serialize};

/// What a scan found a port to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortState {
    /// Something accepts connections there.
    Open,
    /// The host answered that nothing does.
    Closed,
    /// No answer, or a router's or filter's refusal: the port's state cannot be seen.
    Filtered,
    /// No answer over UDP, where services need not answer: open, or filtered.
    #[serde(rename = "open|filtered")]
    OpenFiltered,
    /// This machine could not ask. Says nothing about the remote port.
    Error,
}

impl PortState {
    /// Every state, in order of interest.
    pub const ALL: [Self; 5] =
        [Self::Open, Self::Closed, Self::Filtered, Self::OpenFiltered, Self::Error];

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Filtered => "filtered",
            Self::OpenFiltered => "open|filtered",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for PortState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The handshake was answered (RFC 9293 section 3.5).
    SynAck,
    /// The host reset the attempt (RFC 9293 section 3.10.7.1).
    Reset,
    /// A datagram came back from the port.
    UdpResponse,
    /// The host answered an echo request (RFC 792, RFC 4443 section 4.2): it is up.
    EchoReply,
    /// The host said on its link who it is (RFC 826, RFC 4861): it is up.
    NeighbourReply,
    /// Every attempt ran into its timeout.
    NoResponse,
    /// Every attempt ran into its timeout, and the host limits the rate of its ICMP errors (RFC 1812
    /// section 4.3.2.8): its silence says less than usual.
    IcmpRateLimited,
    /// A router said the host cannot be reached (RFC 792, RFC 4443 section 3.1).
    HostUnreachable,
    /// A router said the network cannot be reached.
    NetworkUnreachable,
    /// ICMP said that the port cannot be reached: over UDP the host's own word that it is closed, over
    /// TCP a filter's, since a closed port answers with a reset.
    PortUnreachable,
    /// A filter said that it does not let this pass (RFC 1812 section 5.2.7.1).
    AdminProhibited,
    /// The host said that it does not know the transport.
    ProtocolUnreachable,
    /// This machine has no route there, or one that leads nowhere.
    NoRoute,
    /// The interface that leads there is down, or its link has no carrier.
    NetworkDown,
    /// This machine has no address to ask from: the family is switched off, or the interface down.
    NoSourceAddress,
    /// The address is on a link of this machine, and nobody there answers to it.
    NeighbourUnresolved,
    /// This machine's policy (a firewall, a security module) refused to send.
    NotPermitted,
    /// The kernel refused the address itself; over TCP also where it is of everybody on a link, or of a
    /// group, which no handshake can be made with.
    InvalidAddress,
    /// No descriptor or port could be had for the probe.
    NoResources,
    /// The kernel took nothing that was to leave by the interface, for some seconds: it had no room, or
    /// what polices the interface's outgoing packets drops them.
    NoBuffers,
    /// Every attempt reached one of the scanner's own sockets.
    OwnSocket,
}

impl Reason {
    /// The state that this reason stands for at a port of `transport`.
    pub const fn state(self, transport: Transport) -> PortState {
        let udp = matches!(transport, Transport::Udp);
        match self {
            Self::SynAck | Self::UdpResponse | Self::EchoReply | Self::NeighbourReply => {
                PortState::Open
            }
            Self::Reset => PortState::Closed,
            Self::PortUnreachable if udp => PortState::Closed,
            Self::NoResponse | Self::IcmpRateLimited if udp => PortState::OpenFiltered,
            Self::NoResponse
            | Self::IcmpRateLimited
            | Self::HostUnreachable
            | Self::NetworkUnreachable
            | Self::PortUnreachable
            | Self::ProtocolUnreachable
            | Self::AdminProhibited => PortState::Filtered,
            Self::NoRoute
            | Self::NetworkDown
            | Self::NoSourceAddress
            | Self::NeighbourUnresolved
            | Self::NotPermitted
            | Self::InvalidAddress
            | Self::NoResources
            | Self::NoBuffers
            | Self::OwnSocket => PortState::Error,
        }
    }

    /// The name, in kebab case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SynAck => "syn-ack",
            Self::Reset => "reset",
            Self::UdpResponse => "udp-response",
            Self::EchoReply => "echo-reply",
            Self::NeighbourReply => "neighbour-reply",
            Self::NoResponse => "no-response",
            Self::IcmpRateLimited => "icmp-rate-limited",
            Self::HostUnreachable => "host-unreachable",
            Self::NetworkUnreachable => "network-unreachable",
            Self::PortUnreachable => "port-unreachable",
            Self::AdminProhibited => "admin-prohibited",
            Self::ProtocolUnreachable => "protocol-unreachable",
            Self::NoRoute => "no-route",
            Self::NetworkDown => "network-down",
            Self::NoSourceAddress => "no-source-address",
            Self::NeighbourUnresolved => "neighbour-unresolved",
            Self::NotPermitted => "not-permitted",
            Self::InvalidAddress => "invalid-address",
            Self::NoResources => "no-resources",
            Self::NoBuffers => "no-buffers",
            Self::OwnSocket => "own-socket",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The verdict on one port of one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PortReport {
    /// The host.
    pub address: IpAddr,
    /// The port.
    pub port: Port,
    /// The transport.
    pub transport: Transport,
    /// What the verdict rests on; [`Reason::state`] is the verdict.
    pub reason: Reason,
    /// From the answered probe to its answer, where there was one.
    pub rtt: Option<Duration>,
    /// How often it was asked, or tried to be; the answered probe included.
    pub attempts: u32,
}

impl PortReport {
    /// The verdict.
    pub const fn state(&self) -> PortState {
        self.reason.state(self.transport)
    }
}

/// How many ports ended in each state, and how many probes it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tally {
    /// Ports with a verdict.
    pub probes: u64,
    /// Probes that left, repeated ones included.
    pub sent: u64,
    /// Ports found open.
    pub open: u64,
    /// Ports found closed.
    pub closed: u64,
    /// Ports without an answer, or shielded by a filter.
    pub filtered: u64,
    /// UDP ports without an answer: open or filtered.
    pub open_filtered: u64,
    /// Ports this machine could not ask about.
    pub errors: u64,
}

impl Tally {
    pub(crate) const fn count(&mut self, state: PortState) {
        self.probes += 1;
        match state {
            PortState::Open => self.open += 1,
            PortState::Closed => self.closed += 1,
            PortState::Filtered => self.filtered += 1,
            PortState::OpenFiltered => self.open_filtered += 1,
            PortState::Error => self.errors += 1,
        }
    }

    pub(crate) const fn add(&mut self, other: &Self) {
        self.probes += other.probes;
        // Of a resume file it may be any number.
        self.sent = self.sent.saturating_add(other.sent);
        self.open += other.open;
        self.closed += other.closed;
        self.filtered += other.filtered;
        self.open_filtered += other.open_filtered;
        self.errors += other.errors;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_serialized_ones() {
        for state in PortState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        for reason in [Reason::SynAck, Reason::NeighbourUnresolved, Reason::NoResponse] {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
    }

    #[test]
    fn a_local_failure_is_never_a_remote_state() {
        for reason in [
            Reason::NoRoute,
            Reason::NetworkDown,
            Reason::NoSourceAddress,
            Reason::NeighbourUnresolved,
            Reason::NotPermitted,
            Reason::InvalidAddress,
            Reason::NoResources,
            Reason::NoBuffers,
            Reason::OwnSocket,
        ] {
            assert_eq!(reason.state(Transport::Tcp), PortState::Error);
            assert_eq!(reason.state(Transport::Udp), PortState::Error);
        }
    }
}
