//! Messages read from whole datagrams, cut ones, and any bytes.

use proptest::prelude::*;

use super::super::{NetlinkFlags, NetlinkRequest};
use super::*;

#[test]
fn a_request_reads_back() {
    let mut request = NetlinkRequest::new(18, NetlinkFlags::DUMP, 7);
    request.body(&[1, 2, 3, 4, 5]).attribute(3, b"lo\0");
    let mut messages = Messages::new(request.as_bytes());
    let message = messages.next().unwrap();
    let flags = NetlinkFlags::DUMP.bits();
    assert_eq!((message.kind, message.flags, message.sequence, message.port), (18, flags, 7, 0));
    assert_eq!(message.payload, [1, 2, 3, 4, 5, 0, 0, 0, 7, 0, 3, 0, b'l', b'o', 0, 0]);
    assert_eq!(messages.next(), None);
    assert!(messages.rest().is_empty());
}

#[test]
fn what_is_no_whole_message_is_left() {
    let request = NetlinkRequest::new(18, NetlinkFlags::GET, 7);
    let mut bytes = request.as_bytes().to_vec();
    bytes.extend_from_slice(&bytes.clone()[..15]);
    let mut messages = Messages::new(&bytes);
    assert!(messages.next().is_some());
    assert_eq!(messages.next(), None);
    assert_eq!(messages.next(), None);
    assert_eq!(messages.rest().len(), 15);
    for length in [0_u32, 15, 17, u32::MAX] {
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        assert_eq!(Messages::new(&bytes[..16]).next(), None, "length {length}");
    }
}

proptest! {
    /// Any bytes: an end, no panic, and no more messages than there is room for.
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let count = Messages::new(&bytes).count();
        prop_assert!(count <= bytes.len() / HEADER);
    }

    /// The same with lengths that fit now and then.
    #[test]
    fn any_lengths_are_read(words in prop::collection::vec(0_u32..64, 0..100)) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let mut messages = Messages::new(&bytes);
        let read: usize = messages.by_ref().map(|message| HEADER + message.payload.len()).sum();
        prop_assert!(read + messages.rest().len() <= bytes.len());
    }

    #[test]
    fn every_message_of_a_datagram_is_read(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..10),
    ) {
        let mut datagram = Vec::new();
        for (payload, sequence) in payloads.iter().zip(0..) {
            let mut request = NetlinkRequest::new(99, NetlinkFlags::GET, sequence);
            datagram.extend_from_slice(request.body(payload).as_bytes());
        }
        let read: Vec<_> = Messages::new(&datagram).collect();
        prop_assert_eq!(read.len(), payloads.len());
        for ((message, payload), sequence) in read.iter().zip(&payloads).zip(0..) {
            prop_assert_eq!(message.sequence, sequence);
            prop_assert_eq!(&message.payload[..payload.len()], payload);
            prop_assert!(message.payload.len() - payload.len() < 4);
        }
    }
}
