//! Questions that ask for a tunnel: `OpenVPN`, L2TP, GTP.

use super::Question;

/// A hard reset of key method 2, of key 0 (`OpenVPN` protocol, "reliability layer"): session, no
/// acknowledgement, packet 0. A server with a static key keeps silent.
pub(super) const OPENVPN_RESET: Question =
    Question::fixed(&[7 << 3, b'p', b'o', b'r', b't', b's', b'-', b'0', b'1', 0, 0, 0, 0, 0]);

/// Start a control connection (RFC 2661 sections 3.1, 4.4 and 6.1).
pub(super) const L2TP_START: Question = Question::fixed(&[
    0xc8, 0x02, 0, 57, 0, 0, 0, 0, 0, 0, 0,
    0, // control, version 2, length, first of its tunnel
    0x80, 8, 0, 0, 0, 0, 0, 1, // message type: start
    0x80, 8, 0, 0, 0, 2, 1, 0, // protocol 1.0
    0x80, 10, 0, 0, 0, 3, 0, 0, 0, 3, // framing: both kinds
    0x80, 11, 0, 0, 0, 7, b'p', b'o', b'r', b't', b's', // host name
    0x80, 8, 0, 0, 0, 9, 0x50, 0x53, // tunnel
]);

/// Are you there, versions 1 and 2 (3GPP TS 29.060 and TS 29.281 section 7.2.1, TS 29.274 section 7.1.1).
pub(super) const GTP_ECHO_1: Question =
    Question::fixed(&[0x32, 1, 0, 4, 0, 0, 0, 0, 0x50, 0x53, 0, 0]);
pub(super) const GTP_ECHO_2: Question =
    Question::fixed(&[0x40, 1, 0, 9, 0x00, 0x50, 0x53, 0, 3, 0, 1, 0, 0]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l2tp_says_its_lengths() {
        let message = L2TP_START.bytes();
        assert_eq!(usize::from(message[3]), message.len());
        let mut attributes = &message[12..];
        let mut kinds = Vec::new();
        while let [_, length, _, _, _, kind, ..] = attributes {
            kinds.push(*kind);
            attributes = &attributes[usize::from(*length)..];
        }
        assert_eq!(kinds, [0, 2, 3, 7, 9], "those that must be there (RFC 2661 section 6.1)");
    }

    #[test]
    fn echoes_say_their_lengths() {
        let (first, second) = (GTP_ECHO_1.bytes(), GTP_ECHO_2.bytes());
        assert_eq!(usize::from(first[3]) + 8, first.len());
        assert_eq!(usize::from(second[3]) + 4, second.len());
        assert_eq!(OPENVPN_RESET.bytes().len(), 14);
    }
}
