//! Questions to management services: SNMP, RMCP and IPMI, NTP, RADIUS.

use super::Question;
use super::asn1::{
    INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, context, element, integer,
};

/// `sysDescr.0` in the community "public" (RFC 1157 section 4.1.2, RFC 3418).
pub(super) const SNMP_1: Question =
    Question::built(|_, datagram| datagram.extend(get_description(VERSION_1)));
/// The same in the second version (RFC 3416 section 3, RFC 1901).
pub(super) const SNMP_2C: Question =
    Question::built(|_, datagram| datagram.extend(get_description(VERSION_2C)));
/// Who are you: the discovery of RFC 3414 section 4, which needs no user.
pub(super) const SNMP_3: Question = Question::built(|_, datagram| datagram.extend(discovery()));

const VERSION_1: u32 = 0;
const VERSION_2C: u32 = 1;
const VERSION_3: u32 = 3;
/// 1.3.6.1.2.1.1.1.0
const SYS_DESCR: [u8; 8] = [0x2b, 6, 1, 2, 1, 1, 1, 0];
const GET_REQUEST: u8 = context(0);
const REQUEST_ID: u32 = 0x5053;

fn get_description(version: u32) -> Vec<u8> {
    let name = element(OBJECT_IDENTIFIER, &[&SYS_DESCR]);
    let binding = element(SEQUENCE, &[&name, &element(NULL, &[])]);
    let bindings = element(SEQUENCE, &[&binding]);
    let get = element(GET_REQUEST, &[&integer(REQUEST_ID), &integer(0), &integer(0), &bindings]);
    let community = element(OCTET_STRING, &[b"public"]);
    element(SEQUENCE, &[&integer(version), &community, &get])
}

fn discovery() -> Vec<u8> {
    const MAX_SIZE: u32 = 65_507;
    const REPORTABLE: u8 = 0x04;
    const USER_SECURITY: u32 = 3;
    let flags = element(OCTET_STRING, &[&[REPORTABLE]]);
    let global = [&integer(REQUEST_ID)[..], &integer(MAX_SIZE), &flags, &integer(USER_SECURITY)];
    let nothing = element(OCTET_STRING, &[]);
    let zero = element(INTEGER, &[&[0]]);
    let security = element(SEQUENCE, &[&nothing, &zero, &zero, &nothing, &nothing, &nothing]);
    let get = [&integer(REQUEST_ID)[..], &zero, &zero, &element(SEQUENCE, &[])];
    let scoped = element(SEQUENCE, &[&nothing, &nothing, &element(GET_REQUEST, &get)]);
    let security = element(OCTET_STRING, &[&security]);
    element(SEQUENCE, &[&integer(VERSION_3), &element(SEQUENCE, &global), &security, &scoped])
}

/// RMCP presence ping (ASF 2.0, DMTF DSP0136, section 3.2.4.2).
pub(super) const RMCP_PING: Question = Question::fixed(&[
    0x06, 0x00, 0xff, 0x06, // RMCP 1.0, no acknowledgement, class ASF
    0x00, 0x00, 0x11, 0xbe, // IANA's number of the ASF
    0x80, 0x53, 0x00, 0x00, // presence ping, tag, no data
]);
/// IPMI's "get channel authentication capabilities" outside of a session (IPMI 2.0 sections 13.6 and 22.13).
pub(super) const IPMI_CAPABILITIES: Question = Question::fixed(&[
    0x06, 0x00, 0xff, 0x07, // RMCP 1.0, class IPMI
    0x00, 0, 0, 0, 0, 0, 0, 0, 0, // no authentication, sequence or session
    9, 0x20, 0x18, 0xc8, // length; to the controller, application request, checksum
    0x81, 0x00, 0x38, // from a remote console, the command
    0x8e, 0x04, 0xb5, // this channel, 2.0 data; administrator; checksum
]);

/// A client's request, version 4 (RFC 5905 section 7.3). The transmit time is any: it comes back.
pub(super) const NTP: Question = Question::fixed(
    const {
        &{
            let mut packet = [0; 48];
            packet[0] = 4 << 3 | 3;
            packet[40] = 0xe0;
            packet[47] = 0x53;
            packet
        }
    },
);

/// Status-Server (RFC 5997 section 3). Few servers answer a client they share no secret with, so the
/// message authenticator is left at zero.
pub(super) const RADIUS_STATUS: Question = Question::fixed(
    const {
        &{
            let mut packet = [0; 38];
            // Code 12, an identifier, the length; after the 16 bytes of the authenticator attribute 80.
            packet[0] = 12;
            packet[1] = 0x53;
            packet[3] = 38;
            packet[4] = 0x50;
            packet[20] = 80;
            packet[21] = 18;
            packet
        }
    },
);

#[cfg(test)]
mod tests {
    use super::super::asn1::tests::elements;
    use super::*;

    #[test]
    fn snmp_is_well_formed() {
        for version in [VERSION_1, VERSION_2C] {
            let bytes = get_description(version);
            let message = elements(elements(&bytes)[0].1);
            assert_eq!(message[0], (INTEGER, &[version as u8][..]));
            assert_eq!(message[1], (OCTET_STRING, &b"public"[..]));
            let get = elements(message[2].1);
            assert_eq!((message[2].0, get.len()), (0xa0, 4));
            let binding = elements(elements(get[3].1)[0].1);
            assert_eq!(binding, [(OBJECT_IDENTIFIER, &SYS_DESCR[..]), (NULL, &[][..])]);
        }
    }

    #[test]
    fn snmp_3_discovers() {
        let bytes = discovery();
        let message = elements(elements(&bytes)[0].1);
        assert_eq!(message[0], (INTEGER, &[3][..]));
        let global = elements(message[1].1);
        assert_eq!((global[2], global[3]), ((OCTET_STRING, &[4][..]), (INTEGER, &[3][..])));
        let security = elements(elements(message[2].1)[0].1);
        assert_eq!((security.len(), security[0], security[3]), (6, (4, &[][..]), (4, &[][..])));
        assert_eq!(elements(message[3].1)[2].0, 0xa0);
    }

    #[test]
    fn ipmi_sums_are_zero() {
        let bytes = IPMI_CAPABILITIES.bytes();
        assert_eq!((bytes.len(), usize::from(bytes[13])), (23, bytes.len() - 14));
        let sum = |bytes: &[u8]| bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        assert_eq!((sum(&bytes[14..17]), sum(&bytes[17..])), (0, 0));
    }
}
