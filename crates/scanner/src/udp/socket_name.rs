//! Which socket asks what, so that the one that an answer arrives at tells what it answers.
//!
//! A TFTP server answers from a port of its own for each transfer (RFC 1350 section 4), which may be
//! asked, too, and other services' answers may look like its own. So it is asked from sockets that ask
//! nothing else.

use std::net::SocketAddr;

/// Sockets that take turns: by them an answer tells which attempt it answers.
const TURNS: u32 = 4;

/// Where a TFTP server is asked (RFC 1350 section 4).
const TFTP: u16 = 69;

/// Names a socket by what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SocketName {
    pub(super) v6: bool,
    /// It asks this machine itself, whichever interface the others leave by.
    pub(super) by_loopback: bool,
    tftp: bool,
    turn: u32,
}

impl SocketName {
    /// The socket that puts an attempt at `target`.
    pub(super) const fn of(target: SocketAddr, attempt: u32) -> Self {
        let tftp = target.port() == TFTP;
        Self { v6: target.is_ipv6(), by_loopback: false, tftp, turn: turn_of(attempt) }
    }

    /// The one beside it that asks this machine itself.
    pub(super) const fn by_loopback(self) -> Self {
        Self { by_loopback: true, ..self }
    }

    /// The port that a datagram from `sender` answers when it arrives here, if it was asked from here.
    pub(super) fn answered_by(self, sender: SocketAddr) -> Option<SocketAddr> {
        match (self.tftp, sender.port() == TFTP) {
            (true, _) => Some(SocketAddr::new(sender.ip(), TFTP)),
            (false, true) => None,
            (false, false) => Some(sender),
        }
    }

    /// The latest attempt that left by this socket, where `latest` is the last of all.
    pub(super) const fn latest_attempt(self, latest: u32) -> Option<u32> {
        let back = (turn_of(latest) + TURNS - self.turn) % TURNS;
        if latest > back { Some(latest - back) } else { None }
    }
}

const fn turn_of(attempt: u32) -> u32 {
    attempt.wrapping_sub(1) % TURNS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(number: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], number))
    }

    #[test]
    fn what_comes_where_tftp_was_asked_is_of_tftp() {
        let name = SocketName::of(port(69), 1);
        assert_eq!(name.answered_by(port(40_000)), Some(port(69)));
        assert_eq!(name.answered_by(port(69)), Some(port(69)));
    }

    #[test]
    fn what_comes_elsewhere_is_of_the_port_it_comes_from_and_never_of_tftp() {
        let name = SocketName::of(port(40_000), 1);
        assert_eq!(name.answered_by(port(40_000)), Some(port(40_000)));
        assert_eq!(name.answered_by(port(69)), None, "it was not asked from here");
    }

    #[test]
    fn the_socket_tells_the_attempt() {
        let target = port(53);
        for latest in 1..=3 * TURNS {
            for first in 1..=TURNS {
                let name = SocketName::of(target, first);
                let expected =
                    (1..=latest).rev().find(|attempt| SocketName::of(target, *attempt) == name);
                assert_eq!(name.latest_attempt(latest), expected, "{name:?}, latest {latest}");
            }
        }
    }
}
