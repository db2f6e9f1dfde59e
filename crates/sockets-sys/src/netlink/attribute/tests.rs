//! Attributes read back, and any bytes read as attributes.

use proptest::prelude::*;

use super::super::{Messages, NetlinkFlags, NetlinkRequest};
use super::*;

#[test]
fn values_are_read_by_their_size() {
    const fn of(payload: &[u8]) -> Attribute<'_> {
        Attribute { kind: 1, payload }
    }
    assert_eq!(of(&7_u32.to_ne_bytes()).u32(), Some(7));
    assert_eq!(of(&[1, 2]).u32(), None);
    assert_eq!(of(&[127, 0, 0, 1]).ip(), Some(Ipv4Addr::LOCALHOST.into()));
    assert_eq!(of(&Ipv6Addr::LOCALHOST.octets()).ip(), Some(Ipv6Addr::LOCALHOST.into()));
    assert_eq!(of(&[1, 2, 3]).ip(), None);
    assert_eq!(of(b"lo\0\0").text(), Some("lo"));
    assert_eq!(of(b"lo").text(), Some("lo"));
    assert_eq!(of(b"").text(), Some(""));
    assert_eq!(of(&[0xff, 0]).text(), None);
}

#[test]
fn flags_are_not_part_of_the_kind_and_nests_open() {
    let mut inner = NetlinkRequest::new(0, NetlinkFlags::GET, 0);
    inner.attribute(2, &[9]);
    let inner = Messages::new(inner.as_bytes()).next().unwrap().payload.to_vec();
    let mut outer = NetlinkRequest::new(0, NetlinkFlags::GET, 0);
    outer.attribute(5 | 0x8000, &inner);
    let outer = Messages::new(outer.as_bytes()).next().unwrap();
    let nest = Attributes::new(outer.payload).next().unwrap();
    assert_eq!(nest.kind, 5);
    assert_eq!(nest.nested().next(), Some(Attribute { kind: 2, payload: &[9] }));
}

#[test]
fn what_is_no_whole_attribute_is_left() {
    for length in [0_u16, 3, 9, u16::MAX] {
        let [low, high] = length.to_ne_bytes();
        let bytes = [low, high, 1, 0, 1, 2, 3, 4];
        let mut attributes = Attributes::new(&bytes);
        assert_eq!(attributes.next(), None, "length {length}");
        assert_eq!(attributes.rest(), bytes);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Attributes::new(&bytes).count() <= bytes.len() / HEADER);
        for attribute in Attributes::new(&bytes) {
            let _ = (attribute.u32(), attribute.ip(), attribute.text(), attribute.nested().count());
        }
    }

    #[test]
    fn any_lengths_are_read(halves in prop::collection::vec(0_u16..24, 0..200)) {
        let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_ne_bytes()).collect();
        let mut attributes = Attributes::new(&bytes);
        let read: usize =
            attributes.by_ref().map(|attribute| HEADER + attribute.payload.len()).sum();
        prop_assert!(read + attributes.rest().len() <= bytes.len());
    }

    #[test]
    fn attributes_read_back(
        wanted in prop::collection::vec((0_u16..=TYPE_MASK, prop::collection::vec(any::<u8>(), 0..40)), 0..10),
    ) {
        let mut request = NetlinkRequest::new(1, NetlinkFlags::GET, 1);
        for (kind, payload) in &wanted {
            request.attribute(*kind, payload);
        }
        let message = Messages::new(request.as_bytes()).next().unwrap();
        let read: Vec<_> = Attributes::new(message.payload)
            .map(|attribute| (attribute.kind, attribute.payload.to_vec()))
            .collect();
        prop_assert_eq!(read, wanted);
    }
}
