//! Questions to directories: CLDAP, Kerberos, service location.

use super::Question;
use super::asn1::{
    BIT_STRING, BOOLEAN, ENUMERATED, GENERAL_STRING, GENERALIZED_TIME, OCTET_STRING, SEQUENCE,
    application, context, element, integer,
};

/// The root entry of the server (RFC 4512 section 5.1), asked without a connection (RFC 1798, MS-ADTS
/// section 3.1.1.3).
pub(super) const CLDAP_ROOT: Question = Question::built(|_, datagram| {
    const SEARCH_REQUEST: u8 = application(3);
    const PRESENT: u8 = 0x87;
    let base = element(OCTET_STRING, &[]);
    let zero = element(ENUMERATED, &[&[0]]);
    let types_only = element(BOOLEAN, &[&[0]]);
    let filter = element(PRESENT, &[b"objectClass"]);
    let attributes = element(SEQUENCE, &[&element(OCTET_STRING, &[b"supportedLDAPVersion"])]);
    // Base object, no aliases, no limits.
    let parts: [&[u8]; 8] =
        [&base, &zero, &zero, &integer(0), &integer(0), &types_only, &filter, &attributes];
    datagram.extend(element(SEQUENCE, &[&integer(1), &element(SEARCH_REQUEST, &parts)]));
});

/// A ticket for a realm that hardly exists (RFC 4120 section 5.4.1): answered with an error.
pub(super) const KERBEROS_TICKET: Question = Question::built(|_, datagram| {
    const VERSION: u32 = 5;
    const AS_REQ: u8 = 10;
    const REALM: &[u8] = b"PORTS.INVALID";
    const NAME_TYPE_PRINCIPAL: u32 = 1;
    const NAME_TYPE_SERVICE: u32 = 2;
    let string = |text: &[u8]| element(GENERAL_STRING, &[text]);
    let name = |kind: u32, parts: &[&[u8]]| {
        let kind = element(context(0), &[&integer(kind)]);
        let parts = element(context(1), &[&element(SEQUENCE, parts)]);
        element(SEQUENCE, &[&kind, &parts])
    };
    let options = element(BIT_STRING, &[&[0; 5]]);
    let client = name(NAME_TYPE_PRINCIPAL, &[&string(b"ports")]);
    let server = name(NAME_TYPE_SERVICE, &[&string(b"krbtgt"), &string(REALM)]);
    let till = element(GENERALIZED_TIME, &[b"19700101000000Z"]);
    // AES-256, AES-128, RC4: RFC 3962, RFC 4757.
    let ciphers = element(SEQUENCE, &[&integer(18), &integer(17), &integer(23)]);
    let body = element(
        SEQUENCE,
        &[
            &element(context(0), &[&options]),
            &element(context(1), &[&client]),
            &element(context(2), &[&string(REALM)]),
            &element(context(3), &[&server]),
            &element(context(5), &[&till]),
            &element(context(7), &[&integer(0x5053)]),
            &element(context(8), &[&ciphers]),
        ],
    );
    let request = element(
        SEQUENCE,
        &[
            &element(context(1), &[&integer(VERSION)]),
            &element(context(2), &[&integer(AS_REQ.into())]),
            &element(context(4), &[&body]),
        ],
    );
    datagram.extend(element(application(AS_REQ), &[&request]));
});

/// Which types of services there are (RFC 2608 section 10.1).
pub(super) const SLP_TYPES: Question = Question::fixed(&[
    2, 9, // version, service type request
    0, 0, 29, // length
    0, 0, 0, 0, 0, // no flags, no extension
    0x50, 0x53, // identifier
    0, 2, b'e', b'n', // language
    0, 0, // nobody has answered yet
    0xff, 0xff, // of all naming authorities
    0, 7, b'd', b'e', b'f', b'a', b'u', b'l', b't', // scope
]);

#[cfg(test)]
mod tests {
    use super::super::asn1::tests::elements;
    use super::*;

    #[test]
    fn cldap_is_well_formed() {
        let bytes = CLDAP_ROOT.bytes();
        let message = elements(elements(&bytes)[0].1);
        assert_eq!(message[1].0, 0x63);
        let search = elements(message[1].1);
        assert_eq!((search.len(), search[6]), (8, (0x87, &b"objectClass"[..])));
    }

    #[test]
    fn kerberos_is_well_formed() {
        let bytes = KERBEROS_TICKET.bytes();
        let [(0x6a, request)] = elements(&bytes)[..] else { panic!("not one AS-REQ") };
        let request = elements(elements(request)[0].1);
        assert_eq!(request.iter().map(|(tag, _)| *tag).collect::<Vec<_>>(), [0xa1, 0xa2, 0xa4]);
        let body = elements(elements(request[2].1)[0].1);
        let tags: Vec<_> = body.iter().map(|(tag, _)| *tag).collect();
        assert_eq!(tags, [0xa0, 0xa1, 0xa2, 0xa3, 0xa5, 0xa7, 0xa8]);
        assert_eq!(elements(body[2].1), [(GENERAL_STRING, &b"PORTS.INVALID"[..])]);
    }

    #[test]
    fn slp_says_its_length() {
        let bytes = SLP_TYPES.bytes();
        assert_eq!(usize::from(bytes[4]), bytes.len());
    }
}
