//! The states of sockets, as the kernel tells them, and sets of them.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The state of a socket: TCP's eleven (RFC 9293 section 3.3.2), which Linux uses for the other
/// protocols, too, and one for TCP sockets that have a port and nothing else.
///
/// Printed by the names that `ss` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum State {
    /// Connected.
    Established = 1,
    /// Asked for a connection.
    SynSent = 2,
    /// Asked to connect; not accepted by the kernel yet.
    SynReceived = 3,
    /// Closed here; the peer has not acknowledged that.
    FinWait1 = 4,
    /// Closed here; the peer has not.
    FinWait2 = 5,
    /// Over; kept to catch late segments. No process holds it.
    TimeWait = 6,
    /// Not connected and not listening: UDP and UNIX sockets that wait for anybody's datagrams.
    Unconnected = 7,
    /// Closed by the peer; the process here has not closed yet.
    CloseWait = 8,
    /// Closed by both; the last acknowledgement is missing.
    LastAck = 9,
    /// Accepts connections.
    Listen = 10,
    /// Closed by both at once; the acknowledgement is missing.
    Closing = 11,
    /// A TCP socket that was bound and neither listens nor connects: it holds its port. Told by
    /// Linux 6.8 and later, by netlink only (`TCP_BOUND_INACTIVE`).
    Bound = 13,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 12] = [
        Self::Established,
        Self::SynSent,
        Self::SynReceived,
        Self::FinWait1,
        Self::FinWait2,
        Self::TimeWait,
        Self::Unconnected,
        Self::CloseWait,
        Self::LastAck,
        Self::Listen,
        Self::Closing,
        Self::Bound,
    ];

    /// The state of this number in the kernel (`net/tcp_states.h`); `None` for one that is not
    /// known here.
    pub const fn from_kernel(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Established,
            2 => Self::SynSent,
            // The second is a connection request that has no socket yet (`TCP_NEW_SYN_RECV`).
            3 | 12 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Unconnected,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            13 => Self::Bound,
            _ => return None,
        })
    }

    /// The name: `LISTEN`, `ESTAB`, `TIME-WAIT` and so on.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Established => "ESTAB",
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECV",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::TimeWait => "TIME-WAIT",
            Self::Unconnected => "UNCONN",
            Self::CloseWait => "CLOSE-WAIT",
            Self::LastAck => "LAST-ACK",
            Self::Listen => "LISTEN",
            Self::Closing => "CLOSING",
            Self::Bound => "BOUND",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// As its name.
impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The name in any case, with `_` for `-` or neither, or RFC 9293's (`ESTABLISHED`,
/// `SYN-RECEIVED`).
impl FromStr for State {
    type Err = ParseStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |name: &str| -> String {
            let letters = name.chars().filter(|letter| !matches!(letter, '-' | '_'));
            letters.map(|letter| letter.to_ascii_uppercase()).collect()
        };
        let wanted = match plain(text).as_str() {
            "ESTABLISHED" => plain(Self::Established.name()),
            "SYNRECEIVED" => plain(Self::SynReceived.name()),
            "UNCONNECTED" | "CLOSED" | "CLOSE" => plain(Self::Unconnected.name()),
            "LISTENING" => plain(Self::Listen.name()),
            other => other.to_owned(),
        };
        Self::ALL
            .into_iter()
            .find(|state| plain(state.name()) == wanted)
            .ok_or_else(|| ParseStateError { text: text.to_owned() })
    }
}

/// A text that names no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a state: expected one of ESTAB, SYN-SENT, SYN-RECV, FIN-WAIT-1, FIN-WAIT-2, \
     TIME-WAIT, UNCONN, CLOSE-WAIT, LAST-ACK, LISTEN, CLOSING, BOUND"
)]
pub struct ParseStateError {
    text: String,
}

/// A set of states.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateSet(u16);

impl StateSet {
    /// Every state.
    pub const ALL: Self = {
        let mut bits = 0;
        let mut index = 0;
        while index < State::ALL.len() {
            bits |= State::ALL[index].bit();
            index += 1;
        }
        Self(bits)
    };
    /// No state.
    pub const NONE: Self = Self(0);
    /// Sockets that wait for whoever comes: those that listen, and UDP and UNIX sockets without a
    /// peer.
    pub const LISTENING: Self = Self::NONE.with(State::Listen).with(State::Unconnected);

    /// This set and `state`.
    #[must_use]
    pub const fn with(self, state: State) -> Self {
        Self(self.0 | state.bit())
    }

    /// This set without `state`.
    #[must_use]
    pub const fn without(self, state: State) -> Self {
        Self(self.0 & !state.bit())
    }

    /// Whether `state` is in it.
    pub const fn contains(self, state: State) -> bool {
        self.0 & state.bit() != 0
    }

    /// The states in it.
    pub fn iter(self) -> impl Iterator<Item = State> {
        State::ALL.into_iter().filter(move |state| self.contains(*state))
    }

    /// The bitmap that netlink takes (`idiag_states`, `udiag_states`): bit N is state N.
    #[cfg(target_os = "linux")]
    pub(super) const fn kernel_bits(self) -> u32 {
        self.0 as u32
    }
}

impl FromIterator<State> for StateSet {
    fn from_iter<I: IntoIterator<Item = State>>(states: I) -> Self {
        states.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for StateSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_in_every_spelling() {
        for state in State::ALL {
            assert_eq!(state.name().parse(), Ok(state));
            assert_eq!(state.name().to_lowercase().replace('-', "_").parse(), Ok(state));
            assert_eq!(State::from_kernel(state as u8), Some(state));
        }
        assert_eq!("established".parse(), Ok(State::Established));
        assert_eq!("Syn-Received".parse(), Ok(State::SynReceived));
        assert!("open".parse::<State>().is_err());
        assert_eq!(State::from_kernel(0), None);
        assert_eq!(State::from_kernel(14), None);
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        assert_eq!(StateSet::ALL.iter().collect::<Vec<_>>(), State::ALL);
        let set: StateSet = [State::Listen, State::Unconnected].into_iter().collect();
        assert_eq!(set, StateSet::LISTENING);
        assert!(!set.without(State::Listen).contains(State::Listen));
        assert_eq!(StateSet::NONE.iter().count(), 0);
    }
}
