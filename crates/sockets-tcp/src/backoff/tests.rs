//! The back-off's bounds, limit and reset.

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn delays(config: Reconnect) -> Vec<Duration> {
    let mut backoff = Backoff::new(config);
    std::iter::from_fn(|| backoff.next_retry()).map(|retry| retry.delay).collect()
}

#[test]
fn the_ceiling_grows_by_what_was_waited_up_to_the_cap() {
    let config = Reconnect::new().base(100 * MS).cap(1000 * MS).unlimited().seed(3);
    let mut backoff = Backoff::new(config);
    let mut waited = Duration::ZERO;
    for _ in 0..30 {
        assert_eq!(backoff.ceiling(), (100 * MS + waited).min(1000 * MS));
        waited += backoff.next_retry().unwrap().delay;
    }
    assert_eq!(backoff.ceiling(), 1000 * MS);
    backoff.connection_stood(Duration::from_secs(1));
    assert_eq!(backoff.ceiling(), 100 * MS);
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
            prop_assert!(backoff.ceiling() <= ceiling.saturating_mul(2));
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

/// When clients that lost their server at time 0, and find it again from `outage` on, come back.
fn returns(clients: u64, outage: Duration, seed: u64) -> Vec<Duration> {
    let config = Reconnect::new().base(500 * MS).unlimited();
    let mut returns: Vec<_> = (0..clients)
        .map(|client| {
            let mut backoff = Backoff::new(config.seed(seed * clients + client));
            let mut now = Duration::ZERO;
            loop {
                now += backoff.next_retry().unwrap().delay;
                if now >= outage {
                    return now;
                }
            }
        })
        .collect();
    returns.sort_unstable();
    returns
}

/// The fullest 100 ms between the first and the last, as a multiple of the mean.
fn crowding(returns: &[Duration]) -> f64 {
    let window = 100 * MS;
    let (first, last) = (returns[0], returns[returns.len() - 1]);
    let fullest = (0..returns.len())
        .map(|from| returns[from..].partition_point(|at| *at <= returns[from] + window))
        .max()
        .unwrap();
    let windows = (last.saturating_sub(first).as_secs_f64() / window.as_secs_f64()).max(1.0);
    fullest as f64 * windows / returns.len() as f64
}

#[test]
fn a_thousand_clients_come_back_spread_out() {
    for outage in [0, 50, 100, 250, 500, 1000, 2000, 3000, 5000, 10_000] {
        for seed in 0..20 {
            let returns = returns(1000, outage * MS, seed);
            let crowding = crowding(&returns);
            assert!(crowding <= 5.0, "{crowding:.1} after an outage of {outage} ms, seed {seed}");
            let slowest = returns[returns.len() - 1];
            assert!(slowest <= 2 * outage * MS + 500 * MS, "{slowest:?} after {outage} ms");
        }
    }
}
