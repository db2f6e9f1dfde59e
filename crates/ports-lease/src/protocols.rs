//! The transports that a lease holds its ports in.

use ports_core::Transport;

/// TCP, UDP, or the same number in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocols {
    Tcp,
    Udp,
    Both,
}

impl Protocols {
    pub(crate) const fn transports(self) -> &'static [Transport] {
        match self {
            Self::Tcp => &[Transport::Tcp],
            Self::Udp => &[Transport::Udp],
            Self::Both => &[Transport::Tcp, Transport::Udp],
        }
    }

    /// As it stands in the name of a lease's label.
    #[cfg(target_os = "linux")]
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Tcp => "t",
            Self::Udp => "u",
            Self::Both => "tu",
        }
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn from_code(code: &str) -> Option<Self> {
        [Self::Tcp, Self::Udp, Self::Both].into_iter().find(|protocols| protocols.code() == code)
    }

    pub(crate) fn contains(self, transport: Transport) -> bool {
        self.transports().contains(&transport)
    }

    /// For people.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Both => "tcp and udp",
        }
    }
}
