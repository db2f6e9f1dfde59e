//! Which socket asks what, so that the one that an answer arrives at tells what it answers.

use std::net::SocketAddr;

/// Sockets that take turns: by them an answer tells which attempt it answers.
const TURNS: u32 = 4;

/// Names a socket by what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SocketName {
    pub(super) v6: bool,
    turn: u32,
}

impl SocketName {
    /// The socket that puts an attempt at `target`.
    pub(super) const fn of(target: SocketAddr, attempt: u32) -> Self {
        Self { v6: target.is_ipv6(), turn: turn_of(attempt) }
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

    #[test]
    fn the_socket_tells_the_attempt() {
        let target = SocketAddr::from(([192, 0, 2, 1], 53));
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
