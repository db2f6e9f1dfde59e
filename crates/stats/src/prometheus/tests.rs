//! The text as it is, and whether it keeps the rules of the format.

use std::collections::BTreeMap;

use super::*;
use crate::SocketStats;
use crate::print::tests::sample;

#[test]
fn the_whole_text() {
    assert_eq!(prometheus_text(&sample()), include_str!("golden.txt"));
}

#[test]
fn the_text_of_nothing_ends_too() {
    let text = prometheus_text(&SocketStats::new().snapshot());
    assert!(text.ends_with("ports_socket_history_overwritten_total 0\n# EOF\n"), "{text}");
}

type Family<'a> = (&'a str, Vec<(&'a str, &'a str, f64)>);

/// The families by name, with their type and their samples (name, labels, value), in order.
fn parse(text: &str) -> BTreeMap<&str, Family<'_>> {
    let mut families = BTreeMap::new();
    let mut family = "";
    let mut described = "";
    for line in text.strip_suffix("# EOF\n").unwrap().lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            described = rest.split_once(' ').unwrap().0;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, described, "HELP comes first");
            assert!(families.insert(name, (kind, Vec::new())).is_none(), "{name} twice");
            family = name;
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').unwrap();
            assert!(name == family && name.ends_with(&format!("_{unit}")), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            assert!(name.starts_with(family), "{line} stands under {family}");
            let samples = &mut families.get_mut(family).unwrap().1;
            samples.push((name, labels.trim_end_matches('}'), value.parse().unwrap()));
        }
    }
    families
}

#[test]
fn keeps_the_rules_of_the_format() {
    let text = prometheus_text(&sample());
    for (family, (kind, samples)) in parse(&text) {
        assert!(family.starts_with("ports_socket_"), "{family}");
        assert!(!samples.is_empty(), "{family}");
        match kind {
            "gauge" => assert!(samples.iter().all(|(name, ..)| *name == family)),
            "counter" => {
                let total = format!("{family}_total");
                assert!(samples.iter().all(|(name, ..)| *name == total), "{family}");
            }
            "histogram" => {
                let counts = samples.iter().filter(|(name, ..)| name.ends_with("_count"));
                for (_, labels, count) in counts {
                    let buckets: Vec<_> = samples
                        .iter()
                        .filter(|(name, of, _)| name.ends_with("_bucket") && of.contains(labels))
                        .collect();
                    assert!(buckets.is_sorted_by(|a, b| a.2 <= b.2), "{family} {labels}");
                    let (_, last, inside) = buckets.last().unwrap();
                    assert!(last.contains("le=\"+Inf\""), "{last}");
                    assert!((inside - count).abs() < f64::EPSILON, "{family} {labels}");
                }
            }
            other => panic!("{family} is a {other}"),
        }
    }
}

#[test]
fn every_counter_of_the_sample_is_there() {
    let text = prometheus_text(&sample());
    for line in [
        r#"ports_socket_active{transport="tcp",role="server"} 1"#,
        r#"ports_socket_opened_total{transport="tcp",role="server"} 3"#,
        r#"ports_socket_closed_total{transport="tcp",role="server"} 2"#,
        r#"ports_socket_transferred_bytes_total{transport="tcp",role="server",direction="in"} 1536"#,
        r#"ports_socket_messages_total{transport="udp",role="peer",direction="out"} 9"#,
        r#"ports_socket_dropped_messages_total{transport="udp",role="peer",direction="in"} 2"#,
        r#"ports_socket_dropped_messages_total{transport="udp",role="peer",direction="out"} 1"#,
        r#"ports_socket_dropped_bytes_total{transport="tcp",role="server",direction="in"} 7"#,
        r#"ports_socket_dropped_bytes_total{transport="udp",role="peer",direction="out"} 512"#,
        r#"ports_socket_errors_total{transport="tcp",role="server",kind="accept"} 2"#,
        r#"ports_socket_connect_seconds_bucket{le="0.0001",transport="udp",role="peer"} 1"#,
        r#"ports_socket_duration_seconds_sum{transport="tcp",role="server"} 20000.0"#,
        "ports_socket_history_overwritten_total 6",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}
