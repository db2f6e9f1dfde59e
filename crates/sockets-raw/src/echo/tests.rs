//! Which messages are answers. Real ones are in `tests/privileged`.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::wire::{AddressPair, IcmpErrorKind, write_echo_request};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 254));

/// A reply as it arrives at a raw socket.
fn reply(matcher: &Matcher, identifier: u16, payload: &[u8]) -> Vec<u8> {
    let pair = AddressPair::new(THERE, HERE).unwrap();
    let mut packet = Vec::new();
    write_echo_request(&mut packet, pair, identifier, 7, payload).unwrap();
    packet[20] = 0;
    assert!(matcher.is_ipv4);
    packet
}

#[test]
fn only_answers_to_this_socket_are_answers() {
    let matcher = Matcher::new(true, EchoMethod::Raw);
    let Matcher { identifier, nonce, .. } = matcher;
    let event = matcher.read(&reply(&matcher, identifier, &nonce), THERE).unwrap();
    assert_eq!((event.about, event.from, event.sequence), (THERE, THERE, 7));
    assert_eq!(event.answer, EchoAnswer::Reply);
    assert_eq!(matcher.read(&reply(&matcher, !identifier, &nonce), THERE), None);
    assert_eq!(matcher.read(&reply(&matcher, identifier, b"01234567"), THERE), None);
    // A request is no reply, whoever sent it.
    let mut request = reply(&matcher, identifier, &nonce);
    request[20] = 8;
    assert_eq!(matcher.read(&request, THERE), None);
}

#[test]
fn an_error_is_about_the_host_that_was_asked() {
    let matcher = Matcher::new(true, EchoMethod::Raw);
    let mut request = Vec::new();
    let there = AddressPair::new(HERE, THERE).unwrap();
    write_echo_request(&mut request, there, matcher.identifier, 3, &matcher.nonce).unwrap();
    // Any ICMP packet from the router, made into an error that quotes the request.
    let back = AddressPair::new(ROUTER, HERE).unwrap();
    let mut packet = Vec::new();
    write_echo_request(&mut packet, back, 0, 0, &request).unwrap();
    packet[20..22].copy_from_slice(&[3, 1]);
    let event = matcher.read(&packet, ROUTER).unwrap();
    assert_eq!((event.about, event.from, event.sequence), (THERE, ROUTER, 3));
    assert_eq!(event.answer, EchoAnswer::Error(IcmpErrorKind::HostUnreachable));
}

proptest! {
    #[test]
    fn any_message_is_read(bytes in prop::collection::vec(any::<u8>(), 0..96), is_ipv4: bool) {
        for method in [EchoMethod::Raw, EchoMethod::Datagram] {
            let _ = Matcher::new(is_ipv4, method).read(&bytes, THERE);
        }
    }
}
