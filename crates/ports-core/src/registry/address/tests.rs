//! Which addresses collide, and how they are read and printed.

use super::*;

fn ip(text: &str) -> ClaimAddress {
    text.parse::<IpAddr>().unwrap().into()
}

fn socket(text: &str) -> ClaimAddress {
    text.parse::<SocketAddr>().unwrap().into()
}

#[test]
fn wildcards_are_recognised() {
    assert_eq!(ip("::"), ClaimAddress::dual_stack());
    assert_eq!(ip("0.0.0.0"), ClaimAddress::ipv4_wildcard());
    assert_eq!(ip("::ffff:0.0.0.0"), ClaimAddress::ipv4_wildcard());
    assert_eq!(socket("[::]:80"), ClaimAddress::default());
    assert!(!ip("127.0.0.1").is_wildcard());
    assert_eq!(ClaimAddress::ipv6_only().ip(), ClaimAddress::dual_stack().ip());
}

#[test]
fn a_mapped_address_is_the_ipv4_address() {
    assert_eq!(ip("::ffff:127.0.0.1"), ip("127.0.0.1"));
    assert_eq!(socket("[::ffff:127.0.0.1]:80"), ip("127.0.0.1"));
    // The deprecated IPv4-compatible form (RFC 4291 section 2.5.5.1) is an IPv6 address.
    assert!(!ip("::127.0.0.1").overlaps(ip("127.0.0.1")));
}

#[test]
fn the_scope_counts_only_where_bind_looks_at_it() {
    assert_ne!(socket("[fe80::1%1]:0"), socket("[fe80::1%2]:0"));
    assert_ne!(socket("[ff01::1%1]:0"), socket("[ff01::1%2]:0"));
    assert_ne!(socket("[ff12::1%1]:0"), socket("[ff12::1%2]:0"));
    assert_eq!(socket("[ff05::1%1]:0"), socket("[ff05::1%2]:0"));
    assert_eq!(socket("[2001:db8::1%1]:0"), socket("[2001:db8::1%2]:0"));
    assert!(!socket("[fe80::1%1]:0").overlaps(socket("[fe80::1%2]:0")));
    assert!(ip("fe80::1").overlaps(socket("[fe80::1%2]:0")));
    assert!(ip("fe80::1").covers(socket("[fe80::1%2]:0")));
    assert!(!socket("[fe80::1%2]:0").covers(ip("fe80::1")));
}

#[test]
fn the_overlap_table_of_bind() {
    let all = [
        ClaimAddress::dual_stack(),
        ClaimAddress::ipv4_wildcard(),
        ip("127.0.0.1"),
        ip("127.0.0.2"),
        ClaimAddress::ipv6_only(),
        ip("::1"),
        ip("::2"),
    ];
    let expected = [
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 0, 1, 0, 0, 0],
        [1, 0, 0, 0, 1, 1, 1],
        [1, 0, 0, 0, 1, 1, 0],
        [1, 0, 0, 0, 1, 0, 1],
    ];
    for (one, row) in all.into_iter().zip(expected) {
        for (two, overlaps) in all.into_iter().zip(row) {
            assert_eq!(one.overlaps(two), overlaps == 1, "{one} and {two}");
        }
    }
}

#[test]
fn prints_each_address_differently() {
    for (address, text) in [
        (ClaimAddress::dual_stack(), "*"),
        (ClaimAddress::ipv4_wildcard(), "0.0.0.0"),
        (ClaimAddress::ipv6_only(), ":: (IPv6 only)"),
        (ip("127.0.0.1"), "127.0.0.1"),
        (socket("[fe80::1%2]:80"), "fe80::1%2"),
    ] {
        assert_eq!(address.to_string(), text);
        assert_eq!(serde_json::to_value(address).unwrap(), text);
    }
}
