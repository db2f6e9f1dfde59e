//! Differences that are proven, and those that are not.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// A saved scan of 10.0.0.0/29.
fn scan(ports: &str, show: &str, rows: &[(&str, u16, &str)], summary: &str) -> ScanRecord {
    read(&text(ports, show, rows, summary))
}

fn read(text: &str) -> ScanRecord {
    ScanRecord::read("test", text.as_bytes()).unwrap()
}

fn text(ports: &str, show: &str, rows: &[(&str, u16, &str)], summary: &str) -> String {
    let show: Vec<String> = show.split(',').map(|word| format!("\"{word}\"")).collect();
    let mut text = format!(
        r#"{{"type":"scan","transport":"tcp","targets":["10.0.0.0/29"],"ports":"{ports}","addresses":"10.0.0.0-10.0.0.7","show":[{}],"hosts":8}}"#,
        show.join(",")
    );
    let mut hosts: Vec<&str> = rows.iter().map(|row| row.0).collect();
    hosts.dedup();
    for host in hosts {
        let _ = write!(text, "\n{{\"type\":\"host\",\"host\":\"{host}\",\"name\":null}}");
    }
    for (host, port, state) in rows.iter().filter(|row| row.1 != 0) {
        let _ = write!(
            text,
            "\n{{\"type\":\"port\",\"host\":\"{host}\",\"port\":{port},\"transport\":\"tcp\",\"state\":\"{state}\"}}"
        );
    }
    text += "\n";
    text += summary;
    text
}

const DONE: &str = "{\"type\":\"summary\",\"unfinished\":0,\"errors\":0}\n";
const CUT: &str = "{\"type\":\"summary\",\"unfinished\":5,\"errors\":0}\n";
const ERRORS: &str = "{\"type\":\"summary\",\"unfinished\":0,\"errors\":5}\n";
/// A host that answers.
const UP: (&str, u16, &str) = ("10.0.0.1", 0, "");

fn told(before: &ScanRecord, after: &ScanRecord) -> Vec<String> {
    let comparison = Comparison::between(before, after);
    comparison
        .changes
        .iter()
        .map(|change| match change {
            ScanChange::Host(host) => {
                format!("{} {} {}", change.kind(), host.address, host.certain)
            }
            ScanChange::Port(port) => format!(
                "{} {}:{} {} -> {} {}",
                change.kind(),
                port.address,
                port.port,
                port.before,
                port.after,
                port.certain
            ),
        })
        .collect()
}

#[test]
fn opened_closed_and_changed() {
    let before = scan(
        "1-100",
        "open,filtered",
        &[("10.0.0.1", 22, "open"), ("10.0.0.1", 80, "open"), ("10.0.0.1", 81, "filtered")],
        DONE,
    );
    let after = scan(
        "1-100",
        "open,closed,filtered",
        &[("10.0.0.1", 22, "open"), ("10.0.0.1", 25, "open"), ("10.0.0.1", 81, "closed")],
        DONE,
    );
    assert_eq!(
        told(&before, &after),
        [
            "opened 10.0.0.1:25 not-open -> open true",
            "closed 10.0.0.1:80 open -> not-open true",
            "changed 10.0.0.1:81 filtered -> closed true",
        ]
    );
    assert!(Comparison::between(&before, &before).is_same());
    let back = Comparison::between(&after, &before).counts;
    assert_eq!((back.opened, back.closed, back.changed), (1, 1, 1));
}

#[test]
fn what_one_did_not_scan_is_no_difference() {
    let wide = scan("1-100", "open", &[("10.0.0.1", 22, "open"), ("10.0.0.1", 80, "open")], DONE);
    let narrow = scan("1-50", "open", &[UP], DONE);
    assert_eq!(told(&wide, &narrow), ["closed 10.0.0.1:22 open -> not-open true"]);
    assert_eq!(Comparison::between(&wide, &narrow).counts.not_compared, 1);
    let cut = scan("1-100", "open", &[UP], CUT);
    assert!(told(&wide, &cut).is_empty(), "an unfinished scan proves no absence");
    assert!(cut.unfinished().unwrap().contains("5 ports have no verdict"));
    let without_summary = scan("1-100", "open", &[UP], "");
    assert!(told(&wide, &without_summary).is_empty() && without_summary.unfinished().is_some());
}

#[test]
fn states_that_were_not_to_be_shown() {
    let open_only = scan("1-100", "open", &[UP], DONE);
    let closed = scan("1-100", "open,closed", &[("10.0.0.1", 22, "closed")], DONE);
    assert!(told(&open_only, &closed).is_empty(), "closed is one of the states not shown");
    let not_asked = scan("1-100", "open,error", &[("10.0.0.1", 22, "error")], DONE);
    let open = scan("1-100", "open", &[("10.0.0.1", 22, "open")], DONE);
    assert!(told(&not_asked, &open).is_empty(), "a local failure is no state");
    assert_eq!(Comparison::between(&not_asked, &open).counts.not_compared, 1);
}

#[test]
fn hosts_come_and_go() {
    let one = scan("22", "open", &[("10.0.0.1", 22, "open")], DONE);
    let other = scan("22", "open", &[("10.0.0.2", 22, "open")], DONE);
    assert_eq!(
        told(&one, &other),
        [
            "host-down 10.0.0.1 true",
            "closed 10.0.0.1:22 open -> not-open true",
            "host-up 10.0.0.2 true",
            "opened 10.0.0.2:22 not-open -> open true",
        ]
    );
    let unsure = scan("22", "open", &[], ERRORS);
    let comparison = Comparison::between(&unsure, &other);
    assert_eq!(comparison.counts.opened, 1);
    assert!(matches!(&comparison.changes[1], ScanChange::Port(port) if !port.certain));
    assert_eq!(unsure.unlisted_errors(), 5);
}

#[test]
fn a_shard_proves_no_absence() {
    let rows = [("10.0.0.1", 22, "open"), ("10.0.0.1", 80, "open"), ("10.0.0.2", 22, "open")];
    let whole = scan("1-100", "open", &rows, DONE);
    let shard = |name: &str| {
        let text = text("1-100", "open", &[("10.0.0.1", 22, "open")], DONE);
        read(&text.replace("\"hosts\":8", &format!("\"hosts\":8,\"shard\":\"{name}\"")))
    };
    for (a, b) in [(&whole, &shard("1/4")), (&shard("1/4"), &whole)] {
        assert!(told(a, b).is_empty(), "{:?}", told(a, b));
        assert_eq!(Comparison::between(a, b).counts.not_compared, 3, "two ports and a host");
    }
    assert_eq!(shard("1/4").unfinished().unwrap(), "it is shard 1/4 of a scan");
    assert_eq!(told(&whole, &shard("1/1")).len(), 3);
    assert_eq!(shard("1/1").unfinished(), None);
}

#[test]
fn ports_of_hosts_that_discovery_left_out_are_not_known() {
    let rows = [("10.0.0.1", 22, "open"), ("10.0.0.1", 80, "open"), ("10.0.0.2", 22, "open")];
    let before = scan("1-100", "open", &rows, DONE);
    let discovered = |count: u32| {
        let summary = DONE.replace("\"errors\"", &format!("\"not_scanned\":{count},\"errors\""));
        scan("1-100", "open", &[("10.0.0.1", 22, "open")], &summary)
    };
    let after = discovered(7);
    assert_eq!(
        told(&before, &after),
        ["closed 10.0.0.1:80 open -> not-open true", "host-down 10.0.0.2 true"]
    );
    assert_eq!(Comparison::between(&before, &after).counts.not_compared, 1);
    assert_eq!(told(&before, &discovered(0)).len(), 3);
}

#[test]
fn the_last_scan_of_a_file_that_asked_holds() {
    let monday = text(
        "1-100",
        "open",
        &[("10.0.0.1", 22, "open"), ("10.0.0.1", 80, "open"), ("10.0.0.2", 22, "open")],
        DONE,
    );
    let tuesday = text("1-100", "open", &[("10.0.0.1", 22, "open")], DONE);
    let (before, after) = (read(&monday), read(&tuesday));
    let both = read(&(monday.clone() + &tuesday));
    assert_eq!(told(&before, &both), told(&before, &after));
    assert_eq!(told(&before, &both).len(), 3, "80 and all of 10.0.0.2 are gone");
    assert!(told(&both, &after).is_empty(), "{:?}", told(&both, &after));
    // What does not cover a port, or did not come to its end, says nothing against its row.
    for (later, kept) in [
        (text("1-21,81-100", "open", &[UP], DONE), "other ports"),
        (text("1-100", "open", &[UP], CUT), "cut short"),
        (text("1-100", "open", &[UP], "").replace("10.0.0.0-10.0.0.7", "10.0.0.8"), "elsewhere"),
        (tuesday.replace("\"hosts\":8", "\"hosts\":8,\"shard\":\"1/2\""), "a shard"),
    ] {
        let both = read(&(monday.clone() + &later));
        assert!(told(&before, &both).is_empty(), "{kept}: {:?}", told(&before, &both));
    }
    // And a row after all holds again.
    let back = read(&(monday.clone() + &tuesday + &monday));
    assert!(told(&before, &back).is_empty());
}

#[test]
fn silence_over_udp_is_no_proof() {
    let udp = |show: &str, state: &str| {
        let rows = [("10.0.0.1", 53, state), UP];
        let rows = if state.is_empty() { &rows[1..] } else { &rows[..1] };
        read(&text("1-100", show, rows, DONE).replace("tcp", "udp"))
    };
    let (open, closed) = (udp("open", "open"), udp("open,closed", "closed"));
    let (silent, refused) = (udp("open|filtered", "open|filtered"), udp("filtered", "filtered"));
    let unlisted = udp("open", "");
    for (before, after, expected) in [
        (&silent, &open, "opened 10.0.0.1:53 open|filtered -> open false"),
        (&open, &silent, "closed 10.0.0.1:53 open -> open|filtered false"),
        (&unlisted, &open, "opened 10.0.0.1:53 not-open -> open false"),
        (&refused, &silent, "changed 10.0.0.1:53 filtered -> open|filtered false"),
        (&refused, &open, "opened 10.0.0.1:53 filtered -> open true"),
        (&closed, &open, "opened 10.0.0.1:53 closed -> open true"),
        (&closed, &silent, "changed 10.0.0.1:53 closed -> open|filtered true"),
    ] {
        assert_eq!(told(before, after), [expected]);
    }
}

#[test]
fn an_address_outside_is_not_compared() {
    let outside = scan("22", "open", &[("10.0.9.9", 22, "open")], DONE);
    let empty = scan("22", "open", &[], DONE);
    let comparison = Comparison::between(&outside, &empty);
    assert!(comparison.is_same());
    assert_eq!(comparison.counts.not_compared, 2, "the host and its port");
}

proptest! {
    /// Both directions tell the same differences, and a record differs not from itself.
    #[test]
    fn there_and_back(
        before in prop::collection::btree_map(1_u16..12, 0_usize..4, 0..8),
        after in prop::collection::btree_map(1_u16..12, 0_usize..4, 0..8),
        shown in 1_usize..4,
    ) {
        let words = ["open", "closed", "filtered", "error"];
        let record = |ports: &std::collections::BTreeMap<u16, usize>| {
            let rows: Vec<_> = ports
                .iter()
                .filter(|(_, state)| **state < shown)
                .map(|(port, state)| ("10.0.0.1", *port, words[*state]))
                .collect();
            scan("1-10", &words[..shown].join(","), &rows, DONE)
        };
        let (a, b) = (record(&before), record(&after));
        prop_assert!(Comparison::between(&a, &a).is_same());
        let (there, back) = (Comparison::between(&a, &b), Comparison::between(&b, &a));
        prop_assert_eq!(there.counts.opened, back.counts.closed);
        prop_assert_eq!(there.counts.closed, back.counts.opened);
        prop_assert_eq!(there.counts.changed, back.counts.changed);
        prop_assert_eq!(there.changes.len(), back.changes.len());
    }
}
