//! Routes of this machine that every machine has. Others are made in `tests/privileged`.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

#[test]
fn every_machine_reaches_itself() {
    let mut table = RouteTable::load().unwrap();
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), "127.200.3.4".parse().unwrap()] {
        let found = Route::to(address).unwrap();
        assert_eq!((found.kind, found.next_hop), (RouteKind::Local, None));
        assert_eq!(found.source, IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(found.mtu, Interface::by_index(found.interface).unwrap().mtu);
        assert_eq!(table.route(address).unwrap(), found);
    }
}

#[test]
fn a_route_that_goes_nowhere_says_whose_fault_it_is() {
    let address = IpAddr::V6(Ipv6Addr::new(0xff0e, 0, 0, 0, 0, 0, 0, 1));
    let error = RouteError::Prohibited { address };
    assert_eq!(error.to_string(), "this machine's routes prohibit sending to ff0e::1");
}

proptest! {
    #[test]
    fn any_message_is_a_route_or_not(payload in prop::collection::vec(any::<u8>(), 0..128), v6: bool) {
        let mut payload = payload;
        if let Some(first) = payload.first_mut() {
            *first = if v6 { 10 } else { 2 };
        }
        let message = sockets_sys::Message {
            kind: crate::rtnetlink::kind::NEW_ROUTE,
            flags: 0,
            sequence: 0,
            port: 0,
            payload: &payload,
        };
        let _ = message::read(&message);
    }
}
