//! Routes as the kernel takes them, one by one and from the table.

use std::net::{IpAddr, Ipv4Addr};

use sockets_raw::{Interface, InterfaceKind, Route, RouteError, RouteKind, RouteTable};

use super::own_network::{in_own_network, ip, link_to_nobody};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A route or the name of the refusal, to be compared.
fn outcome(result: Result<Route, RouteError>) -> Result<Route, &'static str> {
    result.map_err(|error| match error {
        RouteError::NoRoute { .. } => "no route",
        RouteError::Unreachable { .. } => "unreachable",
        RouteError::Prohibited { .. } => "prohibited",
        RouteError::Blackhole { .. } => "blackhole",
        RouteError::NoSource { .. } => "no source",
        other => panic!("{other:?}"),
    })
}

/// Both ways agree; returns what they say.
fn route(table: &mut RouteTable, to: &str) -> Result<Route, &'static str> {
    let one = outcome(Route::to(address(to)));
    assert_eq!(one, outcome(table.route(address(to))), "{to}: the kernel against the table");
    // A second time, from what the first one left.
    assert_eq!(one, outcome(table.route(address(to))), "{to}: a second time");
    one
}

fn many_routes() {
    link_to_nobody();
    for route in [
        "default via 10.77.0.254",
        "unreachable 10.1.0.0/16",
        "prohibit 10.2.0.0/16",
        "blackhole 10.3.0.0/16",
        "throw 10.4.0.0/16",
        "10.5.0.0/16 via 10.77.0.253 mtu 1300",
        "10.5.5.0/24 via 10.77.0.252",
        "10.6.0.0/16 nexthop via 10.77.0.2 nexthop via 10.77.0.3",
        "10.7.0.0/16 dev va scope link",
        "10.8.0.0/16 via inet6 fd77::7 dev va",
        "10.9.0.0/16 via 10.77.0.9 metric 10",
        "10.9.0.0/16 via 10.77.0.8 metric 5",
        "local 10.78.0.0/16 dev lo",
        "fd05::/64 via fd77::5 mtu 1300",
        "unreachable fd01::/64",
        "prohibit fd02::/64",
        "blackhole fd03::/64",
        "throw fd04::/64",
        "local fd78::/64 dev lo",
        "default via fd77::fe",
    ] {
        let family = if route.contains("fd") && !route.contains("inet6") { "-6" } else { "-4" };
        ip(&format!("{family} route add {route}"));
    }
}

#[test]
#[ignore = "needs root: network namespaces"]
fn the_table_says_what_the_kernel_says() {
    in_own_network(|| {
        many_routes();
        let mut table = RouteTable::load().unwrap();
        let va = Interface::by_name("va").unwrap();
        let lo = Interface::by_name("lo").unwrap();

        for (to, next_hop, mtu) in [
            ("10.77.0.9", None, 1500),
            ("192.0.2.1", Some("10.77.0.254"), 1500),
            ("10.5.0.1", Some("10.77.0.253"), 1300),
            ("10.5.5.1", Some("10.77.0.252"), 1500),
            ("10.7.0.1", None, 1500),
            ("10.8.0.1", Some("fd77::7"), 1500),
            ("10.9.0.1", Some("10.77.0.8"), 1500),
        ] {
            let found = route(&mut table, to).unwrap();
            assert_eq!(
                (found.interface, found.mtu, found.kind),
                (va.index, mtu, RouteKind::Unicast)
            );
            assert_eq!(found.source, address("10.77.0.1"), "{to}");
            assert_eq!(found.next_hop, next_hop.map(address), "{to}");
            assert_eq!(found.link_target(), next_hop.map_or(address(to), address));
        }
        for (to, next_hop, mtu) in [
            ("fd77::9", None, 1500),
            ("2001:db8::1", Some("fd77::fe"), 1500),
            ("fd05::1", Some("fd77::5"), 1300),
        ] {
            let found = route(&mut table, to).unwrap();
            assert_eq!((found.interface, found.mtu), (va.index, mtu), "{to}");
            assert_eq!(found.source, address("fd77::1"), "{to}");
            assert_eq!(found.next_hop, next_hop.map(address), "{to}");
        }
        for (to, source) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.1.2.3", "127.0.0.1"),
            ("10.77.0.1", "10.77.0.1"),
            ("10.78.1.1", "10.78.1.1"),
            ("::1", "::1"),
            ("fd77::1", "fd77::1"),
        ] {
            let found = route(&mut table, to).unwrap();
            assert!(found.is_local(), "{to}");
            assert_eq!((found.interface, found.mtu), (lo.index, lo.mtu), "{to}");
            assert_eq!(found.source, address(source), "{to}");
        }
        for (to, refusal) in [
            ("10.1.0.1", "unreachable"),
            ("10.2.0.1", "prohibited"),
            ("10.3.0.1", "blackhole"),
            ("10.4.0.1", "no route"),
            ("fd01::1", "unreachable"),
            ("fd02::1", "prohibited"),
            ("fd03::1", "blackhole"),
            ("fd04::1", "no route"),
        ] {
            assert_eq!(route(&mut table, to), Err(refusal), "{to}");
        }
        for (to, kind) in
            [("10.77.0.255", RouteKind::Broadcast), ("224.0.0.1", RouteKind::Multicast)]
        {
            assert_eq!(route(&mut table, to).unwrap().kind, kind, "{to}");
        }
        // Two next hops: which one is the kernel's choice.
        let found = route(&mut table, "10.6.0.1").unwrap().next_hop;
        assert!(found == Some(address("10.77.0.2")) || found == Some(address("10.77.0.3")));
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn many_addresses_take_few_questions() {
    in_own_network(|| {
        many_routes();
        let mut table = RouteTable::load().unwrap();
        for low in 0..=u16::MAX {
            let [c, d] = low.to_be_bytes();
            for (a, b) in [(10, 5), (10, 78), (198, 18)] {
                table.route(Ipv4Addr::new(a, b, c, d).into()).unwrap();
            }
            table.route(IpAddr::from([0xfd05, 0, 0, 0, 0, 0, 0, low])).unwrap();
        }
        // One for each route that prefers no source: two to 10.5, one by default, one to fd05.
        assert_eq!(table.questions(), 4);
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn policy_rules_are_left_to_the_kernel() {
    in_own_network(|| {
        many_routes();
        ip("rule add to 10.5.0.0/24 prohibit");
        ip("-6 rule add to fd05::/64 prohibit");
        let mut table = RouteTable::load().unwrap();
        assert_eq!(route(&mut table, "10.5.0.1"), Err("prohibited"));
        assert_eq!(route(&mut table, "fd05::1"), Err("prohibited"));
        assert_eq!(route(&mut table, "10.5.1.1").unwrap().next_hop, Some(address("10.77.0.253")));
        assert_eq!(table.questions(), 6);
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn the_source_is_chosen_for_each_address_where_there_is_a_choice() {
    in_own_network(|| {
        many_routes();
        ip("-6 addr add 2001:db8:5::1/64 dev va nodad");
        let mut table = RouteTable::load().unwrap();
        assert_eq!(route(&mut table, "2001:db8:9::1").unwrap().source, address("2001:db8:5::1"));
        assert_eq!(route(&mut table, "fd05::1").unwrap().source, address("fd77::1"));
        assert_eq!(route(&mut table, "fd99::1").unwrap().source, address("fd77::1"));
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_refreshed_table_knows_new_routes() {
    in_own_network(|| {
        link_to_nobody();
        let mut table = RouteTable::load().unwrap();
        assert_eq!(route(&mut table, "192.0.2.1"), Err("no route"));
        assert_eq!(route(&mut table, "2001:db8::1"), Err("no route"));
        ip("route add default via 10.77.0.254");
        ip("-6 route add default via fd77::fe");
        table.refresh().unwrap();
        assert_eq!(route(&mut table, "192.0.2.1").unwrap().link_target(), address("10.77.0.254"));
        assert_eq!(route(&mut table, "2001:db8::1").unwrap().link_target(), address("fd77::fe"));
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn link_local_addresses_go_through_the_interface_named() {
    in_own_network(|| {
        link_to_nobody();
        ip("-6 addr add fe80::a/64 dev va nodad");
        ip("-6 addr add fe80::b/64 dev vb nodad");
        for name in ["va", "vb"] {
            let interface = Interface::by_name(name).unwrap();
            assert_eq!(interface.kind, InterfaceKind::Ethernet);
            let found = Route::through(address("fe80::99"), interface.index).unwrap();
            assert_eq!((found.interface, found.next_hop), (interface.index, None));
            let own = interface.addresses.iter().any(|own| own.address == found.source);
            assert!(own, "{found:?} {interface:?}");
        }
        let error = Route::through(address("fe80::99"), 99).unwrap_err();
        assert!(
            matches!(error, RouteError::NoInterface { .. } | RouteError::NoRoute { .. }),
            "{error:?}"
        );
    });
}

/// A rule by source sends what comes from one address another way.
#[test]
#[ignore = "needs root: network namespaces"]
fn the_route_of_a_bound_socket_heeds_its_source_and_interface() {
    in_own_network(|| {
        many_routes();
        ip("addr add 10.77.0.5/24 dev va");
        ip("rule add from 10.77.0.5 lookup 77");
        ip("route add default via 10.77.0.251 table 77");
        ip("addr add fd77::5/64 dev va nodad");
        let mut table = RouteTable::load().unwrap();
        let va = Interface::by_name("va").unwrap().index;
        for (source, router) in [("10.77.0.1", "10.77.0.254"), ("10.77.0.5", "10.77.0.251")] {
            for interface in [None, Some(va)] {
                let to = address("192.0.2.1");
                let found = table.route_from(to, interface, Some(address(source))).unwrap();
                assert_eq!((found.source, found.interface), (address(source), va));
                assert_eq!(found.next_hop, Some(address(router)), "{source}");
            }
        }
        let to = address("2001:db8::1");
        let found = table.route_from(to, Some(va), Some(address("fd77::5"))).unwrap();
        assert_eq!((found.source, found.next_hop), (address("fd77::5"), Some(address("fd77::fe"))));
        assert_eq!(table.route_from(to, Some(va), None).unwrap(), Route::through(to, va).unwrap());
    });
}
