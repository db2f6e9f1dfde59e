//! Questions to devices and games.

use super::Question;

/// What do you have: GET /.well-known/core (RFC 7252 section 3, RFC 6690 section 4).
pub(super) const COAP_RESOURCES: Question =
    Question::fixed(b"\x40\x01\x50\x53\xbb.well-known\x04core");

/// The name of whichever device it is: read property 77 of device 4,194,303 (ASHRAE 135 clauses 15.5 and
/// 20.2, annex J).
pub(super) const BACNET_NAME: Question = Question::fixed(&[
    0x81, 0x0a, 0, 17, 1, 4, // BACnet/IP to one host, its length; an answer is expected
    0, 5, 1, 12, // confirmed request, sizes, number, read property
    0x0c, 2, 0x3f, 0xff, 0xff, 0x19, 77,
]);

/// List identity (CIP volume 2 section 2-4.2).
pub(super) const ETHERNET_IP_IDENTITY: Question = Question::fixed(
    const {
        &{
            let mut request = [0; 24];
            request[0] = 0x63;
            request
        }
    },
);

/// Who is there, of Ubiquiti's devices: version 1, command 0, nothing more.
pub(super) const UBIQUITI_DISCOVERY: Question = Question::fixed(&[1, 0, 0, 0]);

/// `A2S_INFO` (Valve's "Server queries").
pub(super) const SOURCE_INFO: Question = Question::fixed(b"\xff\xff\xff\xffTSource Engine Query\0");
/// Quake III's query, which its descendants kept.
pub(super) const QUAKE_STATUS: Question = Question::fixed(b"\xff\xff\xff\xffgetstatus\n");
/// An unconnected ping (`RakNet`): time, magic, client.
pub(super) const RAKNET_PING: Question = Question::fixed(&[
    1, 0, 0, 0, 0, 0, 0, 0x50, 0x53, // the ping and its time
    0x00, 0xff, 0xff, 0x00, 0xfe, 0xfe, 0xfe, 0xfe, 0xfd, 0xfd, 0xfd, 0xfd, 0x12, 0x34, 0x56, 0x78,
    0, 0, 0, 0, 0, 0, 0x50, 0x53, // the client
]);
/// A handshake of Minecraft's query protocol: session 0x0503 (only these bits are heeded).
pub(super) const MINECRAFT_QUERY: Question = Question::fixed(&[0xfe, 0xfd, 9, 0, 0, 5, 3]);
/// A ping of Mumble's: type 0, identifier.
pub(super) const MUMBLE_PING: Question = Question::fixed(b"\0\0\0\0ports-01");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coap_has_two_path_options() {
        let message = COAP_RESOURCES.bytes();
        let (mut rest, mut number, mut path) = (&message[4..], 0, Vec::new());
        while let [head, tail @ ..] = rest {
            number += head >> 4;
            let (value, tail) = tail.split_at(usize::from(head & 15));
            assert_eq!(number, 11, "Uri-Path");
            path.push(value);
            rest = tail;
        }
        assert_eq!(path, [b".well-known".as_slice(), b"core"]);
    }

    #[test]
    fn fixed_sizes_are_kept() {
        let bacnet = BACNET_NAME.bytes();
        assert_eq!(usize::from(bacnet[3]), bacnet.len());
        let sizes = [ETHERNET_IP_IDENTITY, RAKNET_PING, MUMBLE_PING, SOURCE_INFO, MINECRAFT_QUERY]
            .map(|question| question.bytes().len());
        assert_eq!(sizes, [24, 33, 12, 25, 7]);
    }
}
