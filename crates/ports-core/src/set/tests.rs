//! The bitmap against a naive `BTreeSet`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::*;

fn range(first: u16, last: u16) -> PortRange {
    PortRange::new(first, last).unwrap()
}

/// A set and its naive model, made of a few ranges: short and long, and around word boundaries.
fn set_and_model() -> impl Strategy<Value = (PortSet, BTreeSet<u16>)> {
    let edges = [0_u16, 1, 62, 63, 64, 65, 127, 128, 65_471, 65_472, 65_534, 65_535];
    let first = prop_oneof![any::<u16>(), prop::sample::select(edges.to_vec()), 0_u16..200];
    let more = prop_oneof![8 => 0_u16..200, 1 => any::<u16>()];
    let ranges = prop::collection::vec((first, more), 0..6);
    ranges.prop_map(|ranges| {
        let ranges: Vec<RangeInclusive<u16>> =
            ranges.into_iter().map(|(first, more)| first..=first.saturating_add(more)).collect();
        let set = ranges.iter().map(|r| range(*r.start(), *r.end())).collect();
        (set, ranges.into_iter().flatten().collect())
    })
}

fn ports(set: &PortSet) -> Vec<u16> {
    set.iter().map(Port::number).collect()
}

fn numbers(model: impl IntoIterator<Item = u16>) -> Vec<u16> {
    model.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn algebra_is_the_naive_one((a, x) in set_and_model(), (b, y) in set_and_model()) {
        prop_assert_eq!(ports(&(&a | &b)), numbers(x.union(&y).copied()));
        prop_assert_eq!(ports(&(&a & &b)), numbers(x.intersection(&y).copied()));
        prop_assert_eq!(ports(&(&a - &b)), numbers(x.difference(&y).copied()));
        prop_assert_eq!(ports(&!&a), numbers((0..=u16::MAX).filter(|n| !x.contains(n))));
        prop_assert_eq!(a.is_disjoint(&b), x.is_disjoint(&y));
        prop_assert_eq!(a.is_subset(&b), x.is_subset(&y));
        prop_assert_eq!(a == b, x == y);
        prop_assert_eq!(&a | &b, !(!&a & !&b));
    }

    #[test]
    fn reading_is_the_naive_one((set, model) in set_and_model(), probe: u16, index in 0_usize..70_000) {
        prop_assert_eq!(set.len(), model.len());
        prop_assert_eq!(set.is_empty(), model.is_empty());
        prop_assert_eq!(set.contains(Port::new(probe)), model.contains(&probe));
        prop_assert_eq!(set.first().map(Port::number), model.first().copied());
        prop_assert_eq!(set.last().map(Port::number), model.last().copied());
        prop_assert_eq!(set.nth(index).map(Port::number), model.iter().nth(index).copied());
        let backwards: Vec<u16> = set.iter().rev().map(Port::number).collect();
        prop_assert_eq!(backwards, numbers(model.iter().rev().copied()));
    }

    #[test]
    fn ranges_are_maximal_and_whole((set, model) in set_and_model()) {
        let ranges: Vec<PortRange> = set.ranges().collect();
        for pair in ranges.windows(2) {
            prop_assert!(u32::from(pair[0].last().number()) + 1 < u32::from(pair[1].first().number()));
        }
        prop_assert_eq!(numbers(model), ports(&ranges.into_iter().collect()));
    }

    #[test]
    fn changes_are_the_naive_ones((mut set, mut model) in set_and_model(), port: u16, a: u16, b: u16) {
        prop_assert_eq!(set.insert(Port::new(port)), model.insert(port));
        prop_assert_eq!(set.insert(Port::new(port)), false);
        prop_assert_eq!(set.remove(Port::new(port)), model.remove(&port));
        prop_assert_eq!(set.remove(Port::new(port)), false);
        let (first, last) = (a.min(b), a.max(b));
        set.remove_range(range(first, last));
        model.retain(|number| !(first..=last).contains(number));
        prop_assert_eq!(ports(&set), numbers(model));
    }

    #[test]
    fn both_ends_meet((set, model) in set_and_model(), from_back in prop::collection::vec(any::<bool>(), 40)) {
        let (mut real, mut naive) = (set.iter(), model.iter());
        for back in from_back {
            let pair = if back {
                (real.next_back(), naive.next_back())
            } else {
                (real.next(), naive.next())
            };
            prop_assert_eq!(pair.0.map(Port::number), pair.1.copied());
            prop_assert_eq!(real.len(), naive.len());
        }
    }
}

#[test]
fn every_port_and_no_port() {
    let (none, all, full) = (PortSet::new(), PortSet::all(), PortSet::from(PortRange::ALL));
    assert_eq!((none.len(), all.len(), full.len()), (0, 65_535, 65_536));
    assert!(!all.contains(Port::ANY) && full.contains(Port::ANY));
    assert_eq!(!&none, full);
    assert_eq!(!&all, PortSet::from(Port::ANY));
    assert_eq!(full.ranges().collect::<Vec<_>>(), [PortRange::ALL]);
    assert_eq!(none.iter().next_back(), None);
    assert_eq!((full.nth(65_535), full.nth(65_536)), (Some(Port::MAX), None));
}

#[test]
fn a_set_is_cleared() {
    let mut set = PortSet::all();
    set.clear();
    assert_eq!(set, PortSet::default());
}

#[test]
fn debug_is_short() {
    let few: PortSet = [range(22, 22), range(8000, 8100)].into();
    assert_eq!(format!("{few:?}"), "PortSet(22,8000-8100)");
    let many: PortSet = (0..100).map(|n| Port::new(n * 2)).collect();
    assert_eq!(format!("{many:?}"), "PortSet(0,2,4,6,8,10,12,14,..: 100 ports)");
}
