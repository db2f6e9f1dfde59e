//! How a raw socket is opened.

use std::net::IpAddr;

/// How a [`RawSocket`](super::RawSocket) is opened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RawConfig {
    pub(super) is_ipv4: bool,
    pub(super) protocol: u8,
    pub(super) header_included: bool,
    pub(super) address: Option<IpAddr>,
    pub(super) interface: Option<String>,
    pub(super) hop_limit: Option<u8>,
    pub(super) receive_buffer: Option<usize>,
    pub(super) timestamps: bool,
}

impl RawConfig {
    /// The numbers for experiments (RFC 3692, RFC 4727): a protocol of one's own goes here.
    pub const EXPERIMENTAL: [u8; 2] = [253, 254];

    /// An IPv4 socket for this protocol number: headers made by the kernel, no address, any
    /// interface, the system's receive buffer.
    pub const fn v4(protocol: u8) -> Self {
        Self::with_family(true, protocol)
    }

    /// An IPv6 socket for this protocol number (the last next-header value): as
    /// [`v4`](Self::v4).
    pub const fn v6(protocol: u8) -> Self {
        Self::with_family(false, protocol)
    }

    const fn with_family(is_ipv4: bool, protocol: u8) -> Self {
        Self {
            is_ipv4,
            protocol,
            header_included: false,
            address: None,
            interface: None,
            hop_limit: None,
            receive_buffer: None,
            timestamps: false,
        }
    }

    /// Whether what is sent brings its own IP header (`IP_HDRINCL`, `IPV6_HDRINCL`).
    #[must_use]
    pub const fn header_included(mut self, on: bool) -> Self {
        self.header_included = on;
        self
    }

    /// The local address: packets to others are not received, and headers that the kernel makes
    /// have it as their source. Must be of the socket's family.
    #[must_use]
    pub const fn bind(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// The one interface, by name, for what is sent and received.
    #[must_use]
    pub fn interface(mut self, name: impl Into<String>) -> Self {
        self.interface = Some(name.into());
        self
    }

    /// The time to live or hop limit in headers that the kernel makes, instead of the system's; 0
    /// is refused.
    #[must_use]
    pub const fn hop_limit(mut self, limit: u8) -> Self {
        self.hop_limit = Some(limit);
        self
    }

    /// The receive buffer asked for, in bytes, instead of the system's.
    #[must_use]
    pub const fn receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// Whether packets received by the batch carry the kernel's timestamp.
    #[must_use]
    pub const fn timestamps(mut self, on: bool) -> Self {
        self.timestamps = on;
        self
    }

    /// Whether it receives not simply all of its protocol.
    pub(super) const fn is_bound(&self) -> bool {
        self.address.is_some() || self.interface.is_some()
    }
}
