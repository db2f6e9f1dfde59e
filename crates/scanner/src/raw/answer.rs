//! What a captured packet says about a probe: pure.

use std::net::{IpAddr, SocketAddr};

use sockets_raw::wire::{IcmpError, Packet, Payload, QuotedTransport, TcpFlags, TcpSegment};

use crate::engine::Reply;
use crate::icmp_reply;

/// An answer to a probe, if the probe was ours: its sequence number has to prove that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Whom the probe was sent to.
    pub(super) target: SocketAddr,
    /// The port it was sent from.
    pub(super) source_port: u16,
    /// Its sequence number.
    pub(super) sequence: u32,
    pub(super) reply: Reply,
    /// Who answers: the target, or somebody on the way.
    pub(super) sender: IpAddr,
}

/// Reads an answer to a SYN, from the target or by ICMP; `None` for everything else, our own SYN on
/// its way through the loopback interface included.
pub(super) fn read(packet: &Packet<'_>) -> Option<Answer> {
    match packet.payload {
        Payload::Tcp(segment) => from_target(packet, &segment),
        Payload::IcmpError(error) => from_the_way(packet, &error),
        _ => None,
    }
}

/// RFC 9293 section 3.10.7.3: an acceptable answer in SYN-SENT acknowledges the SYN.
fn from_target(packet: &Packet<'_>, segment: &TcpSegment<'_>) -> Option<Answer> {
    let flags = segment.flags;
    if !flags.contains(TcpFlags::ACK) {
        return None;
    }
    let reply = if flags.contains(TcpFlags::RST) {
        Reply::Closed
    } else if flags.contains(TcpFlags::SYN) {
        Reply::Open
    } else {
        return None;
    };
    Some(Answer {
        target: SocketAddr::new(packet.source(), segment.source_port),
        source_port: segment.destination_port,
        sequence: segment.acknowledgement.wrapping_sub(1),
        reply,
        sender: packet.source(),
    })
}

fn from_the_way(packet: &Packet<'_>, error: &IcmpError) -> Option<Answer> {
    let quoted = error.quoted?;
    let QuotedTransport::Tcp { source_port, destination_port, sequence } = quoted.transport else {
        return None;
    };
    Some(Answer {
        target: SocketAddr::new(quoted.addresses.destination(), destination_port),
        source_port,
        sequence,
        reply: icmp_reply::of_kind(error.kind)?,
        sender: packet.source(),
    })
}

#[cfg(test)]
mod tests;
