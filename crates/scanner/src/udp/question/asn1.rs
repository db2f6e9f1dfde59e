//! Just enough of ASN.1's encodings (ITU-T X.690) to ask with.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const GENERAL_STRING: u8 = 0x1b;
pub(super) const SEQUENCE: u8 = 0x30;

/// The tag of a constructed element number `number` in its context.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// The tag of a constructed element number `number` of an application.
pub(super) const fn application(number: u8) -> u8 {
    0x60 | number
}

/// An element with its parts.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = vec![tag];
    // Short form, or long form with one or two bytes: no question is longer.
    match length {
        0..=0x7f => bytes.push(length as u8),
        0x80..=0xff => bytes.extend([0x81, length as u8]),
        _ => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// A whole number from 0 to 2^31 - 1, in as few bytes as it takes.
pub(super) fn integer(value: u32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(3);
    // A set first bit would be a sign.
    let sign: &[u8] = if bytes[first] < 0x80 { &[] } else { &[0] };
    element(INTEGER, &[sign, &bytes[first..]])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Reads elements to the end; returns each tag with its contents.
    pub(in super::super) fn elements(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
        let mut found = Vec::new();
        while let [tag, length, rest @ ..] = bytes {
            let (length, rest) = match (length, rest) {
                (0x82, [high, low, rest @ ..]) => {
                    (usize::from(u16::from_be_bytes([*high, *low])), rest)
                }
                (0x81, [length, rest @ ..]) | (length, rest) => (usize::from(*length), rest),
            };
            found.push((*tag, &rest[..length]));
            bytes = &rest[length..];
        }
        assert!(bytes.is_empty(), "{bytes:?} is left");
        found
    }

    #[test]
    fn numbers_are_short_and_not_negative() {
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(127), [2, 1, 127]);
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(integer(65_507), [2, 3, 0, 0xff, 0xe3]);
    }

    #[test]
    fn lengths_are_in_the_shortest_form() {
        for (length, head) in [(127, 2), (128, 3), (255, 3), (256, 4)] {
            let bytes = element(OCTET_STRING, &[&vec![7; length]]);
            assert_eq!(bytes.len(), length + head);
            assert_eq!(elements(&bytes), [(OCTET_STRING, &vec![7; length][..])]);
        }
    }
}
