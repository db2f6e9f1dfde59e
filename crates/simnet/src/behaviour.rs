//! What a port of a host does when it is asked.

use serde::Deserialize;

/// The transports that are simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
}

/// What a port does with what reaches it: the truth that a scan is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    /// Open: a SYN-ACK, or a datagram.
    Answer,
    /// Closed: a reset, or for UDP an ICMP port unreachable from the host (RFC 1122 section 4.1.3.1).
    Refuse,
    /// Nothing.
    Silent,
    /// A filter on the host says "port unreachable" by ICMP. For UDP the same as `Refuse`.
    PortUnreachable,
    /// The router says "host unreachable" (IPv4) or "address unreachable" (IPv6).
    HostUnreachable,
    /// The router says "administratively prohibited" (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1).
    Prohibited,
}
