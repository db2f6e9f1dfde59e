//! Targets as users write them, and the sets they make.

use proptest::prelude::*;

use super::super::{ParseTargetError, TargetSpec};
use super::*;

fn set(text: &str) -> AddressSet {
    text.parse::<TargetSpec>().unwrap().addresses().unwrap()
}

fn all(set: &AddressSet) -> Vec<String> {
    let index = set.index();
    (0..index.len()).map(|position| index.address(position).to_string()).collect()
}

#[test]
fn every_form_of_target() {
    assert_eq!(all(&set("127.0.0.1")), ["127.0.0.1"]);
    assert_eq!(all(&set("[::1]")), ["::1"]);
    assert_eq!(all(&set("127.0.0.8/30")), ["127.0.0.8", "127.0.0.9", "127.0.0.10", "127.0.0.11"]);
    assert_eq!(all(&set("127.0.0.9/32")), ["127.0.0.9"]);
    assert_eq!(all(&set("::8/127")), ["::8", "::9"]);
    assert_eq!(all(&set("127.0.0.254-127.0.1.1")).len(), 4);
    assert_eq!(all(&set("127.0.0-1.1-2")), ["127.0.0.1", "127.0.0.2", "127.0.1.1", "127.0.1.2"]);
    assert_eq!(set("10.0.0-3.1-254").len(), 4 * 254);
    assert_eq!(all(&set("127.0.0.-1")), ["127.0.0.0", "127.0.0.1"]);
    assert_eq!(all(&set("127.0.0.254-")), ["127.0.0.254", "127.0.0.255"]);
    assert_eq!(set("127.*.0-.*").len(), 1 << 24);
    assert_eq!("localhost".parse::<TargetSpec>().unwrap().name(), Some("localhost"));
    assert_eq!("web-1.example.".parse::<TargetSpec>().unwrap().name(), Some("web-1.example."));
}

#[test]
fn reserved_addresses_only_by_their_own_name() {
    assert_eq!(set("0.0.0.0/0").len(), (1 << 32) - (1 << 24) - (1 << 29));
    assert!(!set("224.0.0.0/3").contains("239.1.1.1".parse().unwrap()));
    assert!(set("239.1.1.1").contains("239.1.1.1".parse().unwrap()));
    assert!(set("255.255.255.255").contains("255.255.255.255".parse().unwrap()));
    assert!(set("ff00::/8").is_empty());
    assert_eq!(set("0.0.0.0"), set("127.0.0.1"), "where a connect to it goes");
    assert_eq!(set("[::]"), set("::1"));
    assert_eq!(set("::ffff:127.0.0.1"), set("127.0.0.1"));
    // All IPv4 addresses are mapped ones.
    assert_eq!(set("::/0").len(), u128::MAX - (1 << 120) - (1 << 24) - (1 << 29));
}

#[test]
fn an_exclusion_covers_reserved_addresses_too() {
    let covered = |text: &str| crate::resolve::resolve_excluded(&[text.parse().unwrap()]).unwrap();
    assert!(set("239.1.1.1").difference(&covered("224.0.0.0/4")).is_empty());
    assert!(set("::ffff:127.0.0.1").difference(&covered("127.0.0.0/8")).is_empty());
    assert!(set("0.0.0.0").difference(&covered("0.0.0.0")).is_empty());
    assert!(set("::ffff:127.0.0.0/126").difference(&covered("127.0.0.0/8")).is_empty());
    assert!(set("127.0.0.0/30").difference(&covered("::ffff:127.0.0.0/104")).is_empty());
}

#[test]
fn mapped_addresses_are_ipv4_addresses() {
    assert_eq!(set("::ffff:127.0.0.0/126"), set("127.0.0.0/30"));
    assert_eq!(set("::ffff:127.0.0.1-::ffff:127.0.0.9"), set("127.0.0.1-127.0.0.9"));
    assert!(set("::ffff:224.0.0.0/124").is_empty(), "multicast only by its own name");
    let around = set("::fffe:ffff:fffe-::1:0:0:1");
    assert_eq!(around.only(Family::Ipv6).len(), 4);
    assert_eq!(around.only(Family::Ipv4), set("0.0.0.0/0"));
    let single: AddressSet = ["::ffff:127.0.0.1".parse::<IpAddr>().unwrap()].into_iter().collect();
    assert_eq!(single, set("127.0.0.1"));
    assert!(set("127.0.0.1").contains("::ffff:127.0.0.1".parse().unwrap()));
}

#[test]
fn bad_targets_say_what_is_wrong() {
    for (text, part) in [
        ("", "empty"),
        ("127.0.0.1/33", "0 to 32"),
        ("127.0.0.1/x", "0 to 32"),
        ("127.0.0.1/+8", "0 to 32"),
        ("127.0.0.9-127.0.0.1", "ends before it starts"),
        ("127.0.0.1-::1", "different families"),
        ("127.0.0.300", "0 to 255"),
        ("127.0.0.9-3", "ends before it starts"),
        ("127.0.0.", "an octet is missing"),
        ("...", "an octet is missing"),
        ("127.0..1-2", "an octet is missing"),
        ("127.0.0.-", "all of them are `*`"),
        ("010.0.0.1", "leading zero"),
        ("10.0.0.1-020", "leading zero"),
        ("10.0.0.00", "leading zero"),
        ("10.0.0.1-2-3", "0 to 255"),
        ("010.0.0.0/8", "0 to 32"),
        ("0-254.0-254.0-254.1", "65536 separate runs"),
        ("fe80::1%lo", "zone"),
        ("a b", "neither an address nor a host name"),
        ("-x", "neither an address nor a host name"),
        ("1.2.3", "neither an address nor a host name"),
        ("a..b", "neither an address nor a host name"),
    ] {
        let error = text.parse::<TargetSpec>().unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert!(text.is_empty() == (error == ParseTargetError::Empty));
    }
}

#[test]
fn a_slash_eight_is_one_interval() {
    let wide = set("127.0.0.0/8");
    let index = wide.index();
    assert_eq!(index.len(), 1 << 24);
    assert_eq!(index.address(0).to_string(), "127.0.0.0");
    assert_eq!(index.address((1 << 24) - 1).to_string(), "127.255.255.255");
    let hole = wide.difference(&set("127.0.0.0/9"));
    assert_eq!(hole.index().address(0).to_string(), "127.128.0.0");
}

#[test]
fn families_stay_apart_and_in_order() {
    let both = set("127.0.0.1").union(&set("::1")).union(&set("127.0.0.1"));
    assert_eq!(all(&both), ["127.0.0.1", "::1"]);
    assert_eq!(all(&both.only(Family::Ipv4)), ["127.0.0.1"]);
    assert_eq!(all(&both.only(Family::Ipv6)), ["::1"]);
    let collected: AddressSet = ["::1", "127.0.0.2", "127.0.0.1"]
        .map(|text| text.parse::<IpAddr>().unwrap())
        .into_iter()
        .collect();
    assert_eq!(all(&collected), ["127.0.0.1", "127.0.0.2", "::1"]);
}

proptest! {
    #[test]
    fn any_text_is_a_target_or_an_error(text in ".{0,40}") {
        if let Ok(spec) = text.parse::<TargetSpec>() {
            prop_assert_eq!(spec.text(), text.as_str());
            prop_assert_eq!(spec.name().is_some(), spec.addresses().is_none());
        }
    }

    #[test]
    fn any_numeric_text_is_a_target_or_an_error(text in "[0-9.:/*-]{0,24}") {
        if let Ok(spec) = text.parse::<TargetSpec>()
            && let Some(set) = spec.addresses()
        {
            prop_assert_eq!(set.index().len(), set.len());
        }
    }
}
