//! What happens on the way: loss, delay, limits, and the count of all of it.

use super::*;
use crate::{HostRule, Path};

/// 1,000 hosts with ports of every kind, bad paths both ways, one probe each 100 microseconds.
fn rough(seed: u64) -> (Vec<(u128, String)>, Counts) {
    let path = r"{ delay_ms = 20, jitter_ms = 8, duplicate = 0.02, reorder = 0.05, reorder_ms = 15,
        loss = { good_to_bad = 0.02, bad_to_good = 0.3, good = 0.01, bad = 0.9 } }";
    let mut network = network(&format!(
        r#"
        seed = {seed}
        [[hosts]]
        prefix = "10.80.0.0/22"
        up = 0.8
        down = "host-unreachable"
        tcp = {{ open = "1-4", open_share = 0.5, silent = "5" }}
        reset_limit = {{ per_second = 1, burst = 1 }}
        path = {path}
        "#
    ));
    let start = Instant::now();
    for number in 0..4000_u32 {
        let [.., high, low] = number.to_be_bytes();
        let host = format!("10.80.{}.{low}", high % 4);
        let port = 1 + (number / 500) as u16;
        network.packet(start + Duration::from_micros(100) * number, &syn(&host, port));
    }
    let answers = answers(&mut network, start);
    (answers, network.counts())
}

#[test]
fn the_same_seed_gives_the_same_answers_and_another_gives_others() {
    let (first, second, other) = (rough(1), rough(1), rough(2));
    assert_eq!(first, second);
    assert_ne!(first.0, other.0);
    assert!(first.0.windows(2).all(|pair| pair[0].0 <= pair[1].0), "in the order they are due");
}

#[test]
fn every_packet_is_accounted_for() {
    let counts = rough(1).1;
    let Counts { received, lost_there, duplicated_there, silent, limited, .. } = counts;
    let Counts { answered, lost_back, duplicated_back, delivered, .. } = counts;
    assert_eq!(received - lost_there + duplicated_there, silent + limited + answered);
    assert_eq!(answered - lost_back + duplicated_back, delivered);
    assert_eq!(received, 4000);
    for (name, count) in [
        ("lost there", lost_there),
        ("lost back", lost_back),
        ("duplicated there", duplicated_there),
        ("duplicated back", duplicated_back),
        ("silent", silent),
        ("limited", limited),
    ] {
        assert!(count > 0, "{name}: {counts:?}");
    }
}

#[test]
fn delay_is_paid_each_way() {
    let rule = HostRule::new("10.80.0.0/24".parse().unwrap());
    let (there, back) = (Path::PERFECT.delay(30 * MS), Path::PERFECT.delay(5 * MS));
    let mut network = Network::builder().hosts(rule.path(there).path_back(back)).build().unwrap();
    let start = Instant::now();
    network.packet(start, &syn("10.80.0.1", 80));
    assert_eq!(network.poll_timeout(), Some(start + 35 * MS));
    assert_eq!(network.poll_answer(start + 34 * MS), None);
    assert!(network.poll_answer(start + 35 * MS).is_some());
    assert_eq!(network.poll_timeout(), None);
}

#[test]
fn limits_hold_back_what_is_too_much() {
    let mut network = network(
        r#"
        [[hosts]]
        prefix = "10.80.0.0/24"
        reset_limit = { per_second = 200, burst = 5 }
        "#,
    );
    let start = Instant::now();
    for port in 1..=100 {
        network.packet(start, &syn("10.80.0.1", port));
        network.packet(start, &udp("10.80.0.2", port, b""));
    }
    network.packet(start + Duration::from_secs(1), &udp("10.80.0.2", 1, b""));
    let lines: Vec<_> = answers(&mut network, start).into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines.iter().filter(|line| line.contains(" AR ")).count(), 5);
    assert_eq!(lines.iter().filter(|line| line.contains("icmp 3/3")).count(), 7);
    assert_eq!(network.counts().limited, 95 + 94);
}

#[test]
fn what_does_not_fit_into_the_queue_is_dropped_and_counted() {
    let rule = HostRule::new("10.80.0.0/24".parse().unwrap()).path(Path::PERFECT.delay(MS));
    let mut network = Network::builder().hosts(rule).most_queued(3).build().unwrap();
    let start = Instant::now();
    for port in 1..=5 {
        network.packet(start, &syn("10.80.0.1", port));
    }
    assert_eq!(answers(&mut network, start).len(), 3);
    assert_eq!((network.counts().overflowed, network.counts().delivered), (2, 3));
}
