//! What goes into the engine and what comes out.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ports_core::Transport;

use super::slots::ProbeId;
use crate::state::{PortReport, Reason};

/// A probe to send: one attempt at one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Probe {
    /// Names this attempt in every later call; [`ProbeId::attempt`] is 1 for a port's first.
    pub id: ProbeId,
    /// Where to.
    pub target: SocketAddr,
}

/// What came back for a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reply {
    /// The handshake was answered.
    Open,
    /// A datagram came back.
    Datagram,
    /// The host answered an echo request: it is up.
    Echo,
    /// The host said on its link who it is: it is up, and no probe had to leave.
    Neighbour,
    /// The host reset it.
    Closed,
    /// A router on the way said the host cannot be reached.
    HostUnreachable,
    /// A router on the way said the network cannot be reached.
    NetworkUnreachable,
    /// ICMP said that the port cannot be reached: the host itself over UDP, a filter over TCP.
    PortUnreachable,
    /// The host said that it does not know the transport.
    ProtocolUnreachable,
    /// A filter said that it does not let this pass.
    AdminProhibited,
}

/// Who speaks in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// The port asked: what was lost on the way is seen by it.
    Port,
    /// The host, by ICMP, whose rate it may limit.
    Host,
    /// A router or filter on the way.
    Network,
}

impl Reply {
    /// The reason of a verdict that rests on it.
    pub(super) const fn reason(self) -> Reason {
        match self {
            Self::Open => Reason::SynAck,
            Self::Datagram => Reason::UdpResponse,
            Self::Echo => Reason::EchoReply,
            Self::Neighbour => Reason::NeighbourReply,
            Self::Closed => Reason::Reset,
            Self::HostUnreachable => Reason::HostUnreachable,
            Self::NetworkUnreachable => Reason::NetworkUnreachable,
            Self::PortUnreachable => Reason::PortUnreachable,
            Self::AdminProhibited => Reason::AdminProhibited,
            Self::ProtocolUnreachable => Reason::ProtocolUnreachable,
        }
    }

    pub(super) const fn voice(self, transport: Transport) -> Voice {
        match self {
            Self::Open | Self::Closed | Self::Datagram | Self::Echo => Voice::Port,
            Self::Neighbour => Voice::Host,
            Self::PortUnreachable | Self::ProtocolUnreachable
                if matches!(transport, Transport::Udp) =>
            {
                Voice::Host
            }
            _ => Voice::Network,
        }
    }
}

/// Why a probe could not be sent, or could not be judged. Never a remote state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LocalError {
    /// No descriptor or local port for now: the engine narrows its window and tries again.
    Resources,
    /// No room for the packet for now: likewise.
    Buffers,
    /// The interface has taken no packet for so long that it is not worth another try.
    Refused,
    /// The probe met one of the scanner's own sockets: it is put off, see [`Engine::take_deferred`](super::Engine::take_deferred).
    OwnSocket,
    /// No route to the address.
    NoRoute,
    /// The interface on the way is down, or its link has no carrier.
    NetworkDown,
    /// This machine has no address of that family to ask from.
    NoSourceAddress,
    /// The address is on a link of this machine and nobody answers to it.
    NeighbourUnresolved,
    /// This machine refused to send.
    NotPermitted,
    /// The kernel refused the address.
    InvalidAddress,
}

impl LocalError {
    /// The reason of a verdict that rests on it.
    pub(super) const fn reason(self) -> Reason {
        match self {
            Self::Resources => Reason::NoResources,
            Self::Buffers | Self::Refused => Reason::NoBuffers,
            Self::OwnSocket => Reason::OwnSocket,
            Self::NoRoute => Reason::NoRoute,
            Self::NetworkDown => Reason::NetworkDown,
            Self::NoSourceAddress => Reason::NoSourceAddress,
            Self::NeighbourUnresolved => Reason::NeighbourUnresolved,
            Self::NotPermitted => Reason::NotPermitted,
            Self::InvalidAddress => Reason::InvalidAddress,
        }
    }
}

/// What it means that no attempt at a port was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Silence {
    /// The port, or something on the way to it, is silent.
    Remote(Reason),
    /// Nothing was asked, by this machine's own failure.
    Local(LocalError),
}

/// What the engine has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineEvent {
    /// The verdict on one port.
    Port {
        /// The port's index in the plan.
        index: u64,
        /// The verdict.
        report: PortReport,
    },
    /// The first answer of a host.
    HostUp {
        /// The host.
        address: IpAddr,
        /// Its host group.
        group: u64,
        /// How long its first answer took.
        rtt: Duration,
    },
    /// Out of resources for too long: the rest of the work will not be done. The verdict before it says
    /// what was missing.
    Stalled,
}
