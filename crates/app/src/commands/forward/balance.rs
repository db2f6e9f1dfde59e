//! What the closing note says of a client's forwarding, and of all of them.

use std::fmt;
use std::net::SocketAddr;
use std::ops::AddAssign;

use ports_core::Endpoint;
use sockets_tcp::CutOff;

use super::ledger::Loss;
use crate::output::bytes;

/// What the closing note says of a client.
#[derive(Debug)]
pub(super) struct Balance {
    pub(super) peer: SocketAddr,
    /// Where the server cut it off, why.
    pub(super) reason: Option<&'static str>,
    pub(super) is_quiet: bool,
    pub(super) to_client: Missing,
    pub(super) to_target: Missing,
    /// Bytes that the client sent and nobody read.
    pub(super) unread: u64,
}

/// What did not get to one side, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    unsent: u64,
    /// They were sent.
    unacknowledged: u64,
}

impl Missing {
    pub(super) fn of(all: Loss, unacknowledged: u64) -> Self {
        Self { unsent: all.bytes.saturating_sub(unacknowledged), unacknowledged }
    }
}

impl From<&CutOff> for Missing {
    fn from(cut: &CutOff) -> Self {
        let (unsent, unacknowledged) = (cut.unsent_bytes as u64, cut.unacknowledged_bytes as u64);
        Self { unsent, unacknowledged }
    }
}

impl AddAssign for Missing {
    fn add_assign(&mut self, more: Self) {
        self.unsent += more.unsent;
        self.unacknowledged += more.unacknowledged;
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} not sent, {} not acknowledged", bytes(self.unsent), self.unacknowledged)
    }
}

impl Balance {
    pub(super) fn of(peer: SocketAddr) -> Self {
        let none = Missing::default();
        let (reason, is_quiet, unread) = (None, false, 0);
        Self { peer, reason, is_quiet, to_client: none, to_target: none, unread }
    }

    pub(super) fn is_worth_a_word(&self) -> bool {
        let missing = (self.to_client, self.to_target, self.unread);
        let lost_nothing = missing == Default::default();
        !lost_nothing || self.reason.is_some() && !self.is_quiet
    }

    pub(super) fn in_words(&self, client: u64, target: &Endpoint) -> String {
        let reason = self.reason.map_or(String::new(), |reason| format!(" ({reason})"));
        let unread = match self.unread {
            0 => String::new(),
            bytes => format!("; {bytes} that it sent not read"),
        };
        format!(
            "client {client} ({}) was cut off{reason}: for it {}; for {target} {}{unread}",
            self.peer, self.to_client, self.to_target
        )
    }
}

/// What was cut off of all of them.
pub(super) fn all_in_words(all: &[(u64, Balance)], target: &Endpoint) -> String {
    let (mut to_clients, mut to_target) = (Missing::default(), Missing::default());
    let mut unread = 0;
    for (_, balance) in all {
        to_clients += balance.to_client;
        to_target += balance.to_target;
        unread += balance.unread;
    }
    let unread = match unread {
        0 => String::new(),
        bytes => format!("; {bytes} that they sent not read"),
    };
    format!(
        "{} clients were cut off in all: for them {to_clients}; for {target} {to_target}{unread}",
        all.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_note_tells_both_directions() {
        let balance = Balance {
            peer: "127.0.0.1:50000".parse().unwrap(),
            reason: Some("shutdown"),
            is_quiet: false,
            to_client: Missing { unsent: 1, unacknowledged: 2 },
            to_target: Missing { unsent: 3, unacknowledged: 4 },
            unread: 5,
        };
        let target = "tcp://127.0.0.1:9".parse().unwrap();
        assert_eq!(
            balance.in_words(7, &target),
            "client 7 (127.0.0.1:50000) was cut off (shutdown): for it 1 byte not sent, 2 not \
             acknowledged; for tcp://127.0.0.1:9 3 bytes not sent, 4 not acknowledged; \
             5 that it sent not read"
        );
        assert!(balance.is_worth_a_word());
        let none = Missing::default();
        let idle =
            Balance { to_client: none, to_target: none, unread: 0, is_quiet: true, ..balance };
        assert!(!idle.is_worth_a_word(), "it lost nothing");
    }
}
