//! Which messages answer the requests of one socket.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::time::Instant;

use super::{EchoAnswer, EchoEvent, EchoMethod};
use crate::wire::{self, EchoMessage, IcmpErrorKind, Payload, QuotedTransport};

/// Bytes of a request's payload.
const NONCE: usize = 8;

/// Knows its own requests: by the identifier, and by a number in the payload that another process
/// with the same identifier does not have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matcher {
    pub(super) is_ipv4: bool,
    pub(super) identifier: u16,
    pub(super) nonce: [u8; NONCE],
    method: EchoMethod,
}

impl Matcher {
    pub(super) fn new(is_ipv4: bool, method: EchoMethod) -> Self {
        // Keyed by the system's randomness, anew for each state.
        let random = RandomState::new().build_hasher().finish();
        let identifier = RandomState::new().build_hasher().finish() as u16;
        Self { is_ipv4, identifier, nonce: random.to_be_bytes(), method }
    }

    /// The answer in a received message, if it is one to a request of ours.
    pub(super) fn read(&self, bytes: &[u8], from: IpAddr) -> Option<EchoEvent> {
        let payload = match (self.is_ipv4, self.method) {
            // The one kind of socket that keeps the IP header on.
            (true, EchoMethod::Raw) => wire::parse(bytes)?.payload,
            (true, EchoMethod::Datagram) => wire::read_icmp(bytes)?,
            (false, _) => wire::read_icmpv6(bytes)?,
        };
        let (about, sequence, answer) = match payload {
            Payload::EchoReply(reply) if self.is_ours(&reply) => {
                (from, reply.sequence, EchoAnswer::Reply)
            }
            Payload::IcmpError(error) => {
                let quoted = error.quoted?;
                let QuotedTransport::Echo { identifier, sequence } = quoted.transport else {
                    return None;
                };
                if identifier != self.identifier {
                    return None;
                }
                // A kernel tells its own failure to find a neighbour as a router would.
                let is_own = from == quoted.addresses.source();
                let answer = match error.kind {
                    IcmpErrorKind::HostUnreachable if is_own => EchoAnswer::Unresolved,
                    kind => EchoAnswer::Error(kind),
                };
                (quoted.addresses.destination(), sequence, answer)
            }
            _ => return None,
        };
        Some(EchoEvent { about, from, sequence, at: Instant::now(), answer })
    }

    fn is_ours(&self, reply: &EchoMessage<'_>) -> bool {
        // The identifier of a datagram socket is the kernel's, which gives it only its own.
        let is_ours = self.method == EchoMethod::Datagram || reply.identifier == self.identifier;
        is_ours && reply.payload == self.nonce
    }
}
