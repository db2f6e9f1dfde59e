//! What is known of one socket, and the life it may lead.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{FiveTuple, Transport};

/// The state of a socket as its owner sees it: coarser than TCP's own eleven (RFC 9293 section
/// 3.3.2), and the same for UDP.
///
/// ```text
/// Closed -> Bound -> Listening -> Closing -> Closed        a server
/// Closed -> [Bound] -> Connecting -> Connected -> Closing -> Closed   a client
/// Closed -> Connected                                      an accepted connection
/// Closed -> Bound -> Closed                                a UDP socket
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SocketState {
    /// No local address, no peer; the first state and the last.
    Closed,
    /// A local address, no peer: where a UDP socket spends its life.
    Bound,
    /// Accepting connections.
    Listening,
    /// A connection attempt is under way.
    Connecting,
    /// Data can flow both ways.
    Connected,
    /// Shut down, with data or the peer's end still outstanding.
    Closing,
}

impl SocketState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Closed,
        Self::Bound,
        Self::Listening,
        Self::Connecting,
        Self::Connected,
        Self::Closing,
    ];

    /// Whether a socket in this state may go to `next`.
    ///
    /// Every state but `Closed` may go to `Closed`: a reset comes at any time.
    pub const fn may_become(self, next: Self) -> bool {
        use SocketState::{Bound, Closed, Closing, Connected, Connecting, Listening};
        matches!(
            (self, next),
            (Closed, Bound | Listening | Connecting | Connected)
                | (Bound, Listening | Connecting | Connected | Closing | Closed)
                | (Listening | Connected, Closing | Closed)
                | (Connecting, Connected | Closed)
                | (Closing, Closed)
        )
    }

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Bound => "bound",
            Self::Listening => "listening",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Closing => "closing",
        }
    }
}

impl fmt::Display for SocketState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One socket: its transport, its addresses, its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SocketInfo {
    transport: Transport,
    local: SocketAddr,
    peer: Option<SocketAddr>,
    state: SocketState,
}

impl SocketInfo {
    /// A socket in state `Closed`, with the local address it is about to use.
    pub const fn new(transport: Transport, local: SocketAddr) -> Self {
        Self { transport, local, peer: None, state: SocketState::Closed }
    }

    /// A connected socket, such as one that `accept` returned.
    pub const fn connected(tuple: FiveTuple) -> Self {
        Self {
            transport: tuple.transport,
            local: tuple.local,
            peer: Some(tuple.remote),
            state: SocketState::Connected,
        }
    }

    /// The transport protocol.
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// The local address; port 0 until the kernel chose one.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The peer's address, once there is one.
    pub const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The state.
    pub const fn state(&self) -> SocketState {
        self.state
    }

    /// The 5-tuple, once there is a peer.
    pub fn five_tuple(&self) -> Option<FiveTuple> {
        self.peer.map(|peer| FiveTuple::new(self.transport, self.local, peer))
    }

    /// Goes to state `next`.
    ///
    /// # Errors
    ///
    /// [`TransitionError`] where [`SocketState::may_become`] says no; nothing changes then.
    pub const fn become_state(&mut self, next: SocketState) -> Result<(), TransitionError> {
        if !self.state.may_become(next) {
            return Err(TransitionError { from: self.state, to: next });
        }
        self.state = next;
        Ok(())
    }

    /// Notes the local address the kernel chose.
    pub const fn set_local(&mut self, local: SocketAddr) {
        self.local = local;
    }

    /// Notes the peer's address; `None` once it is gone.
    pub const fn set_peer(&mut self, peer: Option<SocketAddr>) {
        self.peer = peer;
    }
}

/// `tcp 127.0.0.1:80 (listening)`, or `tcp 127.0.0.1:80 <-> 127.0.0.1:50000 (connected)`.
impl fmt::Display for SocketInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.five_tuple() {
            Some(tuple) => write!(f, "{tuple} ({})", self.state),
            None => write!(f, "{} {} ({})", self.transport, self.local, self.state),
        }
    }
}

/// A change of state that no socket makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a socket that is {from} cannot become {to}")]
pub struct TransitionError {
    /// The state it is in.
    pub from: SocketState,
    /// The state asked for.
    pub to: SocketState,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(states: &[SocketState]) -> Result<SocketInfo, TransitionError> {
        let mut info = SocketInfo::new(Transport::Tcp, "127.0.0.1:80".parse().unwrap());
        for state in states {
            info.become_state(*state)?;
        }
        Ok(info)
    }

    #[test]
    fn the_lives_of_the_reference() {
        use SocketState::{Bound, Closed, Closing, Connected, Connecting, Listening};
        for life in [
            &[Bound, Listening, Closing, Closed][..],
            &[Connecting, Connected, Closing, Closed],
            &[Connecting, Closed],
            &[Connected, Closed],
            &[Bound, Closed],
        ] {
            assert_eq!(walk(life).unwrap().state(), Closed);
        }
    }

    #[test]
    fn a_listener_never_connects_and_the_dead_stay_dead() {
        use SocketState::{Closed, Closing, Connected, Connecting, Listening};
        for (from, to) in [
            (Listening, Connected),
            (Listening, Connecting),
            (Closing, Connected),
            (Closed, Closing),
        ] {
            assert!(!from.may_become(to), "{from} -> {to}");
        }
        let mut info = walk(&[Listening]).unwrap();
        let error = info.become_state(Connected).unwrap_err();
        assert_eq!(error.to_string(), "a socket that is listening cannot become connected");
        assert_eq!(info.state(), Listening);
    }

    #[test]
    fn no_state_becomes_itself_and_all_reach_closed() {
        for state in SocketState::ALL {
            assert!(!state.may_become(state));
            assert!(state == SocketState::Closed || state.may_become(SocketState::Closed));
        }
    }

    #[test]
    fn prints_as_its_tuple() {
        let mut info = walk(&[SocketState::Listening]).unwrap();
        assert_eq!(info.to_string(), "tcp 127.0.0.1:80 (listening)");
        info.set_peer(Some("127.0.0.1:50000".parse().unwrap()));
        assert_eq!(info.to_string(), "tcp 127.0.0.1:80 <-> 127.0.0.1:50000 (listening)");
    }
}
