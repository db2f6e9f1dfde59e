//! Lists of targets, and what is left out of them.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::resolve::ResolveError;

fn resolved(list: TargetList, skipped: &str) -> String {
    let resolution = list.resolve(&skipped.parse().unwrap());
    assert!(resolution.failures.is_empty(), "{:?}", resolution.failures);
    resolution.targets.addresses.to_string()
}

fn list(text: &str) -> TargetList {
    let mut list = TargetList::new(None);
    list.read("test", text.as_bytes()).unwrap();
    list
}

#[test]
fn reserved_and_skipped_addresses_only_where_named_exactly() {
    let skipped = "192.0.2.0,192.0.2.7";
    assert_eq!(resolved(list("192.0.2.0/29"), skipped), "192.0.2.1-192.0.2.6");
    assert_eq!(resolved(list("192.0.2.0/29 192.0.2.7"), skipped), "192.0.2.1-192.0.2.7");
    assert_eq!(resolved(list("239.1.1.1 224.0.0.0/3"), skipped), "239.1.1.1");
    assert_eq!(resolved(list("ff02::1 ff00::/8"), skipped), "ff02::1");
    let resolution = list("192.0.2.0/29 224.0.0.0/30 192.0.2.7").resolve(&skipped.parse().unwrap());
    assert_eq!(resolution.left_out, 5, "192.0.2.0 and four multicast addresses");
}

#[test]
fn errors_name_file_and_line() {
    let mut list = TargetList::new(None);
    let error = list.read("hosts.txt", &b"127.0.0.1\n\n127.0.0.1/99\n"[..]).unwrap_err();
    assert!(error.to_string().starts_with("`hosts.txt` line 3: `127.0.0.1/99` is not a prefix"));
    let error = list.read("hosts.txt", &b"\xff"[..]).unwrap_err();
    assert_eq!(error.to_string(), "`hosts.txt` line 1: a word that is not UTF-8");
}

#[test]
fn a_name_that_does_not_resolve_is_one_failure_among_others() {
    // RFC 6761 section 6.4: never resolves.
    let resolution =
        list("127.0.0.9\nno-such-host.invalid\nno-such-host.invalid").resolve(&AddressSet::new());
    assert_eq!(resolution.targets.addresses.to_string(), "127.0.0.9");
    assert_eq!(resolution.failed, 1, "a name is asked once");
    let [error @ ResolveError::Name { .. }] = &resolution.failures[..] else {
        panic!("{:?}", resolution.failures);
    };
    assert_eq!(error.to_string(), "cannot resolve `no-such-host.invalid` (`test` line 2)");
}

#[test]
fn a_family_leaves_the_others_out_and_counts_them() {
    let mut list = TargetList::new(Some(Family::Ipv6));
    list.read("test", &b"127.0.0.1 ::1 127.0.0.0/8"[..]).unwrap();
    let resolution = list.resolve(&AddressSet::new());
    assert_eq!(resolution.targets.addresses.to_string(), "::1");
    assert_eq!((resolution.failed, resolution.failures.len()), (2, 2));
    assert_eq!(resolution.failures[0].to_string(), "`127.0.0.1` has no IPv6 address");
}

#[test]
fn many_addresses_cost_their_runs() {
    let mut text = String::new();
    for number in 0..50_000_u32 {
        // Every second address, twice, out of order.
        let address = std::net::Ipv4Addr::from(0x7f00_0000 + 2 * (number * 7_919 % 25_000));
        writeln!(text, "{address}").unwrap();
    }
    let list = list(&text);
    assert!(!list.exact.is_empty());
    let addresses = list.resolve(&AddressSet::new()).targets.addresses;
    assert_eq!((addresses.len(), addresses.run_count()), (25_000, 25_000));
}

#[test]
fn names_are_bounded() {
    let mut text = String::new();
    for number in 0..=TargetList::MAX_NAMES {
        writeln!(text, "host-{number}").unwrap();
    }
    let error = TargetList::new(None).read("test", text.as_bytes()).unwrap_err();
    assert!(matches!(
        error,
        ReadTargetsError::TooMany { line: 65_537, reason: TooManyTargets::Names, .. }
    ));
}

proptest! {
    /// Any bytes are targets or an error; no panic.
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = TargetList::new(None).read("test", &bytes[..]);
    }

    #[test]
    fn a_list_is_the_union_of_its_targets(
        ranges in prop::collection::vec((0_u8..60, 0_u8..6), 1..40),
    ) {
        let mut text = String::new();
        let mut sets = Vec::new();
        for (first, more) in ranges {
            let range = format!("10.0.0.{first}-10.0.0.{}", first + more);
            sets.push(range.parse::<TargetSpec>().unwrap().addresses().unwrap());
            text.push_str(&range);
            text.push('\n');
        }
        let union: AddressSet = sets.iter().collect();
        prop_assert_eq!(resolved(list(&text), "none"), union.to_string());
    }
}
