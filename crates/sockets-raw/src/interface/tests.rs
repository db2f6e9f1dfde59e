//! The interfaces of this machine, and messages that no kernel sends.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use sockets_sys::Message;

use super::*;

#[test]
fn loopback_is_there_and_has_its_addresses() {
    let all = Interface::all().unwrap();
    assert!(all.is_sorted_by_key(|interface| interface.index));
    let loopback = Interface::by_name("lo").unwrap();
    assert_eq!((loopback.kind, loopback.link_address), (InterfaceKind::Loopback, None));
    assert_eq!(Interface::by_index(loopback.index).unwrap(), loopback);
    let has = |address: IpAddr| loopback.addresses.iter().any(|own| own.address == address);
    // A fresh network namespace has it down, and without addresses.
    assert_eq!(has(IpAddr::V4(Ipv4Addr::LOCALHOST)), loopback.is_up);
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let error = Interface::by_name("no such thing").unwrap_err();
    assert_eq!(error.to_string(), "there is no interface `no such thing`");
    let error = Interface::by_index(0).unwrap_err();
    assert_eq!(error.to_string(), "there is no interface with index 0");
}

#[test]
fn an_interface_is_there_whatever_its_name() {
    // `struct ifinfomsg`, and an `IFLA_IFNAME` of nine bytes with its padding.
    let mut payload = vec![0; 16];
    payload[4..8].copy_from_slice(&7_u32.to_ne_bytes());
    payload.extend(9_u16.to_ne_bytes());
    payload.extend(3_u16.to_ne_bytes());
    payload.extend(*b"et\xffh\0\0\0\0");
    let message =
        Message { kind: kind::NEW_LINK, flags: 0, sequence: 0, port: 0, payload: &payload };
    let interface = message::interface(&message).unwrap();
    assert_eq!((interface.index, interface.name.as_str()), (7, "et\u{fffd}h"));
}

proptest! {
    #[test]
    fn any_message_is_an_interface_or_not(payload in prop::collection::vec(any::<u8>(), 0..128)) {
        for kind in [kind::NEW_LINK, kind::NEW_ADDRESS] {
            let message = Message { kind, flags: 0, sequence: 0, port: 0, payload: &payload };
            let _ = (message::interface(&message), message::address(&message));
        }
    }
}
