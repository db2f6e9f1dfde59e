//! Questions that begin a key exchange: IKE, DTLS, QUIC.

use super::Question;

/// IKE version 1, main mode (RFC 2408 section 3, RFC 2409 section 5.4).
pub(super) const IKE_1: Question = Question::built(|_, datagram| ike_1(datagram));
/// IKE version 2, `IKE_SA_INIT` (RFC 7296 section 1.2).
pub(super) const IKE_2: Question = Question::built(|_, datagram| ike_2(datagram));
/// The same behind the marker that tells IKE from ESP on port 4500 (RFC 3948 section 2.2).
pub(super) const IKE_1_MARKED: Question = Question::built(|_, datagram| {
    datagram.extend(NOT_ESP);
    ike_1(datagram);
});
pub(super) const IKE_2_MARKED: Question = Question::built(|_, datagram| {
    datagram.extend(NOT_ESP);
    ike_2(datagram);
});

const NOT_ESP: [u8; 4] = [0; 4];
const SPI: [u8; 8] = *b"ports-01";

#[derive(Clone, Copy)]
struct IkeHeader {
    next: u8,
    version: u8,
    exchange: u8,
    flags: u8,
}

/// The header (RFC 7296 section 3.1) and what follows.
fn ike(datagram: &mut Vec<u8>, header: IkeHeader, payloads: &[u8]) {
    let IkeHeader { next, version, exchange, flags } = header;
    datagram.extend(SPI);
    datagram.extend([0; 8]);
    datagram.extend([next, version, exchange, flags]);
    datagram.extend([0; 4]);
    datagram.extend((28 + payloads.len() as u32).to_be_bytes());
    datagram.extend_from_slice(payloads);
}

/// A payload, proposal or transform: the kind of the next, its own length, what it holds.
fn payload(next: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut bytes = vec![next, 0];
    bytes.extend((length as u16).to_be_bytes());
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

fn ike_1(datagram: &mut Vec<u8>) {
    const SA: u8 = 1;
    const TRANSFORM: u8 = 3;
    const MAIN_MODE: u8 = 2;
    const KEY_IKE: u8 = 1;
    // Cipher, hash, pre-shared key, group, life type in seconds, a day's third: attributes in short form
    // (RFC 2409 appendix A). AES-256 and SHA-256 with group 14; 3DES and SHA-1 with group 2.
    const MODERN: [u8; 28] = [
        0x80, 1, 0, 7, 0x80, 14, 1, 0, 0x80, 2, 0, 4, 0x80, 3, 0, 1, 0x80, 4, 0, 14, 0x80, 11, 0,
        1, 0x80, 12, 0x70, 0x80,
    ];
    const OLD: [u8; 24] = [
        0x80, 1, 0, 5, 0x80, 2, 0, 2, 0x80, 3, 0, 1, 0x80, 4, 0, 2, 0x80, 11, 0, 1, 0x80, 12, 0x70,
        0x80,
    ];
    let modern = payload(TRANSFORM, &[&[1, KEY_IKE, 0, 0], &MODERN]);
    let old = payload(0, &[&[2, KEY_IKE, 0, 0], &OLD]);
    // Proposal 1 of the IKE protocol, no SPI, two transforms.
    let proposal = payload(0, &[&[1, 1, 0, 2], &modern, &old]);
    // The IPsec DOI, identity only.
    let association = payload(0, &[&[0, 0, 0, 1, 0, 0, 0, 1], &proposal]);
    let header = IkeHeader { next: SA, version: 0x10, exchange: MAIN_MODE, flags: 0 };
    ike(datagram, header, &association);
}

fn ike_2(datagram: &mut Vec<u8>) {
    const SA: u8 = 33;
    const KEY_EXCHANGE: u8 = 34;
    const NONCE: u8 = 40;
    const TRANSFORM: u8 = 3;
    const SA_INIT: u8 = 34;
    const INITIATOR: u8 = 0x08;
    const GROUP_14: u8 = 14;
    // AES-CBC-256, HMAC-SHA-256 twice, group 14 (section 3.3.2).
    let cipher = payload(TRANSFORM, &[&[1, 0, 0, 12, 0x80, 14, 1, 0]]);
    let random = payload(TRANSFORM, &[&[2, 0, 0, 5]]);
    let integrity = payload(TRANSFORM, &[&[3, 0, 0, 12]]);
    let group = payload(0, &[&[4, 0, 0, GROUP_14]]);
    let proposal = payload(0, &[&[1, 1, 0, 4], &cipher, &random, &integrity, &group]);
    let mut payloads = payload(KEY_EXCHANGE, &[&proposal]);
    // Any number below the prime is some key's public half; the exchange ends here.
    payloads.extend(payload(NONCE, &[&[0, GROUP_14, 0, 0], &[0x53; 256]]));
    payloads.extend(payload(0, &[&[0x4e; 32]]));
    let header = IkeHeader { next: SA, version: 0x20, exchange: SA_INIT, flags: INITIATOR };
    ike(datagram, header, &payloads);
}

/// A client's hello (RFC 6347 section 4.2): a server answers with a cookie to come back with.
pub(super) const DTLS_HELLO: Question = Question::built(|_, datagram| {
    const HANDSHAKE: u8 = 22;
    const CLIENT_HELLO: u8 = 1;
    /// ECDHE with AES-GCM, AES-GCM, CBC of old; pre-shared keys and CCM-8 as small devices have them
    /// (RFC 7925 section 4).
    const CIPHERS: [u16; 10] =
        [0xc02b, 0xc02f, 0xc02c, 0xc030, 0x009c, 0x002f, 0xc0ae, 0xc0a8, 0x00ae, 0x00ff];
    let mut hello = vec![0xfe, 0xfd];
    hello.extend([0x50; 32]);
    // No session, no cookie.
    hello.extend([0, 0]);
    hello.extend((2 * CIPHERS.len() as u16).to_be_bytes());
    hello.extend(CIPHERS.iter().flat_map(|cipher| cipher.to_be_bytes()));
    // No compression.
    hello.extend([1, 0]);
    // Groups x25519, secp256r1, secp384r1; uncompressed points; ECDSA, RSA-PSS and RSA with SHA-256.
    let extensions: [&[u8]; 3] = [
        &[0, 10, 0, 8, 0, 6, 0, 29, 0, 23, 0, 24],
        &[0, 11, 0, 2, 1, 0],
        &[0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1],
    ];
    let length: usize = extensions.iter().map(|extension| extension.len()).sum();
    hello.extend((length as u16).to_be_bytes());
    for extension in extensions {
        hello.extend_from_slice(extension);
    }

    let size = (hello.len() as u16).to_be_bytes();
    // The record: version 1.0 for whoever knows no other, epoch and sequence 0.
    datagram.extend([HANDSHAKE, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
    datagram.extend((12 + hello.len() as u16).to_be_bytes());
    // One fragment that is all of message 0.
    datagram.extend([CLIENT_HELLO, 0, size[0], size[1], 0, 0, 0, 0, 0, 0, size[0], size[1]]);
    datagram.extend(hello);
});

/// The first packet of a version that is reserved for being unknown (RFC 9000 section 15): a server
/// answers with those it knows (section 6.1), where the datagram has the 1,200 bytes of a first packet
/// (section 14.1).
pub(super) const QUIC_VERSIONS: Question = Question::built(|_, datagram| {
    const LONG_HEADER: u8 = 0xc3;
    const UNKNOWN_VERSION: [u8; 4] = [0x1a, 0x2a, 0x3a, 0x4a];
    const SMALLEST: usize = 1_200;
    let start = datagram.len();
    datagram.push(LONG_HEADER);
    datagram.extend(UNKNOWN_VERSION);
    for id in [b"ports-to", b"ports-fr"] {
        datagram.push(id.len() as u8);
        datagram.extend(id);
    }
    // No token; all the rest is the packet, its length in the two-byte form of section 16.
    datagram.push(0);
    let length = start + SMALLEST - datagram.len() - 2;
    datagram.extend((0x4000 | length as u16).to_be_bytes());
    datagram.resize(start + SMALLEST, 0);
});

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[u8]) -> usize {
        bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    /// The kinds and contents of a chain of payloads, beginning with one of kind `next`.
    fn chain(mut next: u8, mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
        let mut found = Vec::new();
        while next != 0 {
            let length = number(&bytes[2..4]);
            found.push((next, &bytes[4..length]));
            next = bytes[0];
            bytes = &bytes[length..];
        }
        assert!(bytes.is_empty(), "{bytes:?} is left");
        found
    }

    #[test]
    fn ike_says_its_lengths() {
        for (question, kinds, marker) in [
            (IKE_1, &[1][..], 0),
            (IKE_2, &[33, 34, 40], 0),
            (IKE_1_MARKED, &[1], 4),
            (IKE_2_MARKED, &[33, 34, 40], 4),
        ] {
            let datagram = question.bytes();
            assert!(datagram[..marker].iter().all(|byte| *byte == 0));
            let message = &datagram[marker..];
            assert_eq!(number(&message[24..28]), message.len());
            let payloads = chain(message[16], &message[28..]);
            assert_eq!(payloads.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), kinds);
            let proposal = if kinds.len() == 1 { &payloads[0].1[8..] } else { payloads[0].1 };
            let [(2, proposal)] = chain(2, proposal)[..] else { panic!("not one proposal") };
            let transforms = chain(3, &proposal[4..]);
            assert_eq!(transforms.len(), usize::from(proposal[3]));
        }
    }

    #[test]
    fn dtls_says_its_lengths() {
        let datagram = DTLS_HELLO.bytes();
        assert_eq!(number(&datagram[11..13]), datagram.len() - 13);
        assert_eq!(number(&datagram[14..17]), datagram.len() - 25);
        assert_eq!(number(&datagram[22..25]), datagram.len() - 25);
        let hello = &datagram[25..];
        let ciphers = number(&hello[36..38]);
        let extensions = 38 + ciphers + 2;
        assert_eq!(number(&hello[extensions..extensions + 2]), hello.len() - extensions - 2);
        let mut rest = &hello[extensions + 2..];
        while !rest.is_empty() {
            rest = &rest[4 + number(&rest[2..4])..];
        }
    }

    #[test]
    fn quic_is_as_large_as_it_must_be() {
        let datagram = QUIC_VERSIONS.bytes();
        assert_eq!((datagram.len(), datagram[0] & 0xc0), (1_200, 0xc0));
        assert!(datagram[1..5].iter().all(|byte| byte & 0x0f == 0x0a), "reserved for greasing");
        assert_eq!((datagram[5], datagram[14], datagram[23]), (8, 8, 0));
        assert_eq!(number(&datagram[24..26]), 0x4000 | (1_200 - 26));
    }
}
