//! The back-off's bounds, limit and reset.

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn delays(config: Reconnect) -> Vec<Duration> {
    let mut backoff = Backoff::new(config);
    std::iter::from_fn(|| backoff.next_retry()).map(|retry| retry.delay).collect()
}

#[test]
fn the_ceiling_doubles_up_to_the_cap() {
    let mut backoff = Backoff::new(Reconnect::new().base(100 * MS).cap(1000 * MS).unlimited());
    let ceilings: Vec<_> = (0..6)
        .map(|_| {
            let ceiling = backoff.ceiling();
            assert!(backoff.next_retry().is_some());
            ceiling
        })
        .collect();
    assert_eq!(ceilings, [100, 200, 400, 800, 1000, 1000].map(|ms| ms * MS));
}

#[test]
fn defect_5_the_count_begins_anew_after_a_success() {
    let mut backoff = Backoff::new(Reconnect::new().limit(3).stable_after(50 * MS).seed(1));
    assert_eq!(backoff.next_retry().map(|retry| retry.attempt), Some(1));
    assert_eq!(backoff.next_retry().map(|retry| retry.attempt), Some(2));
    backoff.connection_stood(49 * MS);
    assert_eq!(backoff.next_retry().map(|retry| retry.attempt), Some(3), "not stable yet");
    assert_eq!(backoff.next_retry(), None);
    backoff.connection_stood(50 * MS);
    assert_eq!(backoff.next_retry().map(|retry| retry.attempt), Some(1));
    assert_eq!(Backoff::new(Reconnect::new().limit(0)).next_retry(), None);
}

#[test]
fn defect_5_the_delays_differ() {
    let delays = delays(Reconnect::new().base(MS).cap(100 * MS).limit(20).seed(7));
    let mut distinct = delays.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() > 15, "{delays:?}");
}

proptest! {
    #[test]
    fn every_delay_is_within_its_ceiling(
        base in 0u64..=u64::MAX, cap in 0u64..=u64::MAX, seed: u64, stood in 0u64..100, stable in 0u64..100,
    ) {
        let config = Reconnect::new()
            .base(Duration::from_nanos(base))
            .cap(Duration::from_nanos(cap))
            .stable_after(Duration::from_nanos(stable))
            .limit(80)
            .seed(seed);
        let mut backoff = Backoff::new(config);
        for attempt in 1..=80 {
            let ceiling = backoff.ceiling();
            prop_assert!(ceiling <= Duration::from_nanos(cap));
            let retry = backoff.next_retry().unwrap();
            prop_assert!(retry.delay <= ceiling);
            prop_assert_eq!(retry.attempt, attempt);
        }
        prop_assert_eq!(backoff.next_retry(), None);
        backoff.connection_stood(Duration::from_nanos(stood));
        prop_assert_eq!(backoff.next_retry().is_some(), stood >= stable);
    }

    #[test]
    fn a_seed_repeats_its_delays(seed: u64) {
        let config = Reconnect::new().seed(seed);
        prop_assert_eq!(delays(config), delays(config));
    }
}
