//! Echo requests (RFC 792, RFC 4443 section 4.1) that carry what a SYN carries: the identifier is the
//! source port, the first bytes of the payload are the sequence number.

use std::net::SocketAddr;

use sockets_raw::wire::{AddressPair, Packet, Payload, write_echo_request};

use super::answer::Answer;
use crate::engine::Reply;
use crate::prober::ECHO;

/// Writes the request that stands for a SYN from `source_port` to [`ECHO`].
pub(super) fn write(
    packet: &mut Vec<u8>,
    addresses: AddressPair,
    source_port: u16,
    sequence: u32,
) -> &[u8] {
    let payload = sequence.to_be_bytes();
    // A packet of any kind has room for four bytes; an empty one would be refused, and told so.
    if write_echo_request(packet, addresses, source_port, 0, &payload).is_err() {
        packet.clear();
    }
    packet
}

/// The answer, of a packet that is one.
pub(super) fn read(packet: &Packet<'_>) -> Option<Answer> {
    let Payload::EchoReply(echo) = packet.payload else { return None };
    let sequence = u32::from_be_bytes(*echo.payload.first_chunk()?);
    let target = SocketAddr::new(packet.source(), ECHO.number());
    let (source_port, sender) = (echo.identifier, packet.source());
    Some(Answer { target, source_port, sequence, reply: Reply::Echo, sender })
}

#[cfg(test)]
mod tests {
    use sockets_raw::wire::parse;

    use super::*;

    #[test]
    fn a_reply_brings_back_what_the_request_carried() {
        let [here, there] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        let addresses = AddressPair::V4 { source: here, destination: there };
        let mut packet = Vec::new();
        write(&mut packet, addresses.reversed(), 40_003, 0x0102_0304);
        assert_eq!(read(&parse(&packet).unwrap()), None, "a request, as loopback shows it");
        packet[20] = 0;
        let answer = read(&parse(&packet).unwrap()).unwrap();
        assert_eq!((answer.source_port, answer.sequence), (40_003, 0x0102_0304));
        assert_eq!(answer.target, SocketAddr::from((there, 0)));
    }
}
