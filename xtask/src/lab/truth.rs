//! What a scan should say of a port.

use simnet::{Behaviour, Transport};

/// The truth on one port, in the scanner's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// Something answers.
    Open,
    /// The host refuses.
    Closed,
    /// Nothing comes back.
    Silent,
    /// A router or filter says why it lets nothing through: this reason.
    Filtered(&'static str),
    /// This machine cannot ask: this reason.
    Unaskable(&'static str),
}

impl Truth {
    /// Whether a verdict is right.
    pub(super) fn agrees(self, transport: Transport, state: &str, reason: &str) -> bool {
        match self {
            Self::Open => state == "open",
            Self::Closed => state == "closed",
            // Silence of a UDP port says nothing: open services are silent, too.
            Self::Silent if transport == Transport::Udp => state == "open|filtered",
            Self::Silent => state == "filtered" && reason == "no-response",
            Self::Filtered(why) => state == "filtered" && reason == why,
            Self::Unaskable(why) => state == "error" && reason == why,
        }
    }

    /// What the simulated network's behaviour looks like from here.
    pub(super) const fn of(transport: Transport, behaviour: Behaviour) -> Self {
        match (behaviour, transport) {
            (Behaviour::Answer, _) => Self::Open,
            (Behaviour::Refuse, _) | (Behaviour::PortUnreachable, Transport::Udp) => Self::Closed,
            (Behaviour::Silent, _) => Self::Silent,
            (Behaviour::PortUnreachable, Transport::Tcp) => Self::Filtered("port-unreachable"),
            (Behaviour::HostUnreachable, _) => Self::Filtered("host-unreachable"),
            (Behaviour::Prohibited, _) => Self::Filtered("admin-prohibited"),
        }
    }
}
