//! Histograms against the sorted list.

use proptest::prelude::*;

use super::*;
use crate::timing::Timing;

fn read(durations: &[Duration]) -> Distribution {
    let mut timing = Timing::default();
    for duration in durations {
        timing.record(*duration);
    }
    timing.read()
}

/// Never below, and at most 1 % above.
fn close_above(value: Duration, exact: Duration) -> bool {
    value >= exact && value.as_nanos() * 100 <= exact.as_nanos() * 101
}

proptest! {
    #[test]
    fn agrees_with_the_sorted_list(nanoseconds in prop::collection::vec(
        prop_oneof![0..1000_u64, 0..1_000_000_000_u64, 0..u64::MAX / 4096], 1..200,
    ), percent in 0..=100_u8) {
        let mut durations: Vec<_> = nanoseconds.iter().copied().map(Duration::from_nanos).collect();
        let distribution = read(&durations);
        durations.sort_unstable();
        let rank = (durations.len() * usize::from(percent)).div_ceil(100).max(1);
        let exact = durations[rank - 1];
        prop_assert!(close_above(distribution.percentile(percent), exact));
        prop_assert_eq!(distribution.count(), durations.len() as u64);
        prop_assert_eq!(distribution.sum(), durations.iter().sum());
        prop_assert_eq!(Some(&distribution.max()), durations.last());
        let mut below = Duration::ZERO;
        for (bound, count) in distribution.buckets() {
            let first = below.is_zero();
            let inside = |d: &&Duration| (first || **d > below) && **d <= bound;
            prop_assert_eq!(count, durations.iter().filter(inside).count() as u64);
            below = bound;
        }
    }

    #[test]
    fn a_delta_is_what_was_added(
        before in prop::collection::vec(0..10_000_000_u64, 0..50),
        added in prop::collection::vec(0..10_000_000_u64, 0..50),
    ) {
        let durations = |list: &[u64]| -> Vec<_> {
            list.iter().copied().map(Duration::from_nanos).collect()
        };
        let all = read(&durations(&[before.clone(), added.clone()].concat()));
        let (earlier, expected) = (read(&durations(&before)), read(&durations(&added)));
        let delta = all.since(&earlier).unwrap();
        prop_assert_eq!(delta.count(), expected.count());
        prop_assert_eq!(delta.sum(), expected.sum());
        prop_assert_eq!(&delta.recorded, &expected.recorded);
        prop_assert_eq!(&delta.within, &expected.within);
        prop_assert!(close_above(delta.max(), expected.max()));
        prop_assert_eq!(earlier.since(&all).is_err(), !added.is_empty());
    }
}

#[test]
fn nothing_recorded_is_zero_everywhere() {
    for empty in [Distribution::default(), read(&[])] {
        assert_eq!((empty.count(), empty.p50(), empty.max()), (0, Duration::ZERO, Duration::ZERO));
        assert_eq!(empty.buckets().map(|(_, count)| count).sum::<u64>(), 0);
    }
}

#[test]
fn the_longest_durations_are_still_counted() {
    let longest = Duration::MAX;
    let distribution = read(&[Duration::ZERO, Duration::from_nanos(u64::MAX), longest, longest]);
    assert_eq!((distribution.count(), distribution.max()), (4, longest));
    assert_eq!(distribution.recorded.iter().map(|(_, count)| count).sum::<u64>(), 4);
    assert_eq!(distribution.percentile(25), Duration::ZERO);
    // The upper edge of the last step of a 64-bit histogram.
    assert_eq!(distribution.p99(), Duration::from_nanos(u64::MAX - 1));
}
