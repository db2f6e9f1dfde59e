//! The order of addresses, and when each is tried.

use proptest::prelude::*;

use super::*;

const DELAY: Duration = Duration::from_millis(250);

fn v4(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 80))
}

fn v6(last: u16) -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, last], 80))
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn families_take_turns_from_that_of_the_first() {
    let order = |addresses: &[SocketAddr]| Vec::from(interleave(addresses.to_vec()));
    assert_eq!(
        order(&[v6(1), v6(2), v6(1), v6(3), v4(1), v4(2)]),
        [v6(1), v4(1), v6(2), v4(2), v6(3)]
    );
    assert_eq!(order(&[v4(1), v4(2), v6(1)]), [v4(1), v6(1), v4(2)]);
    assert_eq!(order(&[]), []);
}

#[test]
fn the_next_one_follows_after_the_delay_or_a_failure() {
    let mut race = Race::new(vec![v4(1), v4(2), v4(3), v4(4)], DELAY);
    assert_eq!(race.step(ms(0)), Step::Try(v4(1)));
    assert_eq!(race.step(ms(0)), Step::WaitUntil(ms(250)));
    race.failed();
    assert_eq!(race.step(ms(10)), Step::Try(v4(2)), "none runs");
    assert_eq!(race.step(ms(11)), Step::WaitUntil(ms(260)));
    assert_eq!(race.step(ms(259)), Step::WaitUntil(ms(260)));
    assert_eq!(race.step(ms(260)), Step::Try(v4(3)));
    race.failed();
    assert_eq!(race.step(ms(261)), Step::Try(v4(4)), "another still runs");
    assert_eq!(race.step(ms(261)), Step::Wait);
    race.failed();
    assert_eq!(race.step(ms(262)), Step::Wait);
    race.failed();
    assert_eq!(race.step(ms(263)), Step::Lost);
    assert_eq!(race.into_untried(), []);
}

#[test]
fn what_was_not_tried_is_known() {
    let mut race = Race::new(vec![v4(1), v4(2)], DELAY);
    assert_eq!(race.step(ms(0)), Step::Try(v4(1)));
    assert_eq!(race.into_untried(), [v4(2)]);
    assert_eq!(Race::new(Vec::new(), DELAY).step(ms(0)), Step::Lost);
}

proptest! {
    #[test]
    fn the_order_keeps_every_address_once_and_each_familys_own_order(
        hosts in prop::collection::vec((any::<bool>(), 0_u8..20), 0..30),
    ) {
        let addresses: Vec<_> = hosts
            .iter()
            .map(|(ipv6, host)| if *ipv6 { v6((*host).into()) } else { v4(*host) })
            .collect();
        let order = Vec::from(interleave(addresses.clone()));
        for ipv6 in [false, true] {
            let mut once: Vec<SocketAddr> = Vec::new();
            for address in addresses.iter().filter(|address| address.is_ipv6() == ipv6) {
                if !once.contains(address) {
                    once.push(*address);
                }
            }
            let family: Vec<_> =
                order.iter().copied().filter(|address| address.is_ipv6() == ipv6).collect();
            prop_assert_eq!(family, once);
        }
        prop_assert_eq!(order.first(), addresses.first());
        // Two of one family follow each other only once the other family is used up.
        for (place, two) in order.windows(2).enumerate() {
            if two[0].is_ipv6() == two[1].is_ipv6() {
                let family = two[0].is_ipv6();
                prop_assert!(order[place..].iter().all(|address| address.is_ipv6() == family));
            }
        }
    }

    /// Each try fails a while after its beginning, or never.
    #[test]
    fn tries_keep_their_distance_and_none_is_left_out(
        lasts in prop::collection::vec(prop::option::of(0_u64..1000), 0..20),
        delay in 10_u64..500,
    ) {
        let addresses: Vec<_> = (0..lasts.len()).map(|host| v4(host as u8)).collect();
        let mut race = Race::new(addresses.clone(), ms(delay));
        let mut now = Duration::ZERO;
        let mut running: Vec<Duration> = Vec::new();
        let mut tried: Vec<SocketAddr> = Vec::new();
        let (mut last_try, mut may_hurry, mut forever) = (None, true, 0);
        loop {
            match race.step(now) {
                Step::Try(address) => {
                    prop_assert!(
                        may_hurry || last_try.is_none_or(|last| now >= last + ms(delay)),
                        "too early, at {:?}", now
                    );
                    (last_try, may_hurry) = (Some(now), false);
                    match lasts[tried.len()] {
                        Some(lasts) => running.push(now + ms(lasts)),
                        None => forever += 1,
                    }
                    tried.push(address);
                    continue;
                }
                Step::Lost => {
                    prop_assert_eq!((running.len(), forever), (0, 0));
                    break;
                }
                Step::Wait => prop_assert_eq!(tried.len(), lasts.len()),
                Step::WaitUntil(at) => {
                    prop_assert!(at > now);
                    if running.iter().all(|ends| *ends > at) {
                        now = at;
                        continue;
                    }
                }
            }
            running.sort_unstable();
            if running.is_empty() {
                break;
            }
            now = now.max(running.remove(0));
            race.failed();
            may_hurry = true;
        }
        prop_assert_eq!(tried, addresses);
    }
}
