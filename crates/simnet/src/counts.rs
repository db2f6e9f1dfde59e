//! What happened to the packets, one by one.

use serde::{Deserialize, Serialize};

/// Counts of packets since the network began. Every packet and every answer is in one of them:
///
/// - `received` = `unreadable` + `bad_checksum` + `no_host` + `lost_there` + those that arrived;
/// - arrivals (and `duplicated_there`) = `silent` + `limited` + `too_large` + `answered`;
/// - `answered` (and `duplicated_back`) = `lost_back` + `overflowed` + `delivered` + those under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Packets the scanner sent.
    pub received: u64,
    /// Cut short, inconsistent, fragments, protocols that are not simulated.
    pub unreadable: u64,
    /// Packets whose IP or transport checksum is wrong.
    pub bad_checksum: u64,
    /// Packets to addresses that no rule covers.
    pub no_host: u64,
    /// Packets lost on the way there.
    pub lost_there: u64,
    /// Packets that arrived twice: second copies.
    pub duplicated_there: u64,
    /// Arrivals that nobody answers.
    pub silent: u64,
    /// Answers that a rate limit held back.
    pub limited: u64,
    /// Answers that fit into no packet.
    pub too_large: u64,
    /// Answers sent.
    pub answered: u64,
    /// Answers lost on the way back.
    pub lost_back: u64,
    /// Answers that arrive twice: second copies.
    pub duplicated_back: u64,
    /// Answers dropped because too many were under way.
    pub overflowed: u64,
    /// Answers taken out by the caller.
    pub delivered: u64,
    /// Answers that went out although a limit applies: too many senders to keep a limit for each.
    pub unlimited: u64,
}
