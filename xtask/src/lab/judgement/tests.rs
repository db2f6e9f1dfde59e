//! Verdicts right, wrong, missing and made up.

use std::time::Duration;

use super::super::findings::Summary;
use super::super::{catalogue, findings::Findings};
use super::*;

/// Port 1 is open, 2 closed, 3 silent, the rest prohibited.
fn truth(_: IpAddr, port: u16) -> Truth {
    match port {
        1 => Truth::Open,
        2 => Truth::Closed,
        3 => Truth::Silent,
        _ => Truth::Filtered("admin-prohibited"),
    }
}

fn scenario(tolerance: Tolerance) -> Scenario {
    let any = catalogue::cases()[0].scenario;
    Scenario { targets: &["10.0.0.0/31"], ports: "1-4", tolerance, ..any }
}

const RIGHT: [(&str, &str); 4] = [
    ("open", "syn-ack"),
    ("closed", "reset"),
    ("filtered", "no-response"),
    ("filtered", "admin-prohibited"),
];

fn findings(verdicts: &[(&str, &str); 4]) -> Findings {
    let mut rows = Vec::new();
    for host in [[10, 0, 0, 0], [10, 0, 0, 1]] {
        for (port, (state, reason)) in (1..).zip(verdicts) {
            let (state, reason) = (String::from(*state), String::from(*reason));
            rows.push(PortRow { host: host.into(), port, state, reason });
        }
    }
    let open = rows.iter().filter(|row| row.state == "open").count() as u64;
    let summary = Summary {
        probes: 8,
        sent: 8,
        open,
        unfinished: 0,
        kernel_drops: 0,
        method: "connect".to_owned(),
    };
    Findings { rows, summary, elapsed: Duration::ZERO, exit: Some(0), errors: String::new() }
}

fn judged(tolerance: Tolerance, verdicts: &[(&str, &str); 4]) -> Judgement {
    judge(&scenario(tolerance), truth, &findings(verdicts)).unwrap()
}

#[test]
fn what_is_right_has_no_problem() {
    let judgement = judged(Tolerance::NONE, &RIGHT);
    let right = Judgement { open: 2, found: 2, ..Judgement::default() };
    assert_eq!(judgement, right);
}

#[test]
fn a_false_open_or_closed_port_is_never_tolerated() {
    let mut verdicts = RIGHT;
    verdicts[1] = ("open", "syn-ack");
    verdicts[2] = ("closed", "reset");
    let judgement = judged(Tolerance { missed: u64::MAX, mistaken: u64::MAX }, &verdicts);
    assert_eq!(judgement.false_opens, 2);
    assert!(judgement.problems[0].starts_with("2 false open ports"), "{:?}", judgement.problems);
    assert!(judgement.problems[1].starts_with("2 false closed ports"), "{:?}", judgement.problems);
}

#[test]
fn a_missed_port_and_a_wrong_reason_are_tolerated_where_the_scenario_says_so() {
    let mut verdicts = RIGHT;
    verdicts[0] = ("filtered", "no-response");
    verdicts[3] = ("filtered", "host-unreachable");
    let judgement = judged(Tolerance { missed: 2, mistaken: 2 }, &verdicts);
    assert_eq!((judgement.found, judgement.mistaken), (0, 2));
    assert_eq!(judgement.problems, [""; 0]);
    assert_eq!(judged(Tolerance { missed: 1, mistaken: 1 }, &verdicts).problems.len(), 2);
}

#[test]
fn verdicts_that_are_missing_doubled_or_made_up_are_problems() {
    let mut few = findings(&RIGHT);
    few.rows.pop();
    let judgement = judge(&scenario(Tolerance::NONE), truth, &few).unwrap();
    assert_eq!(judgement.problems, ["verdicts written: 7 instead of 8"]);

    let mut twice = findings(&RIGHT);
    twice.rows[1].port = 1;
    let judgement = judge(&scenario(Tolerance::NONE), truth, &twice).unwrap();
    assert_eq!(
        judgement.problems,
        ["1 verdicts nobody asked for, or given twice: 10.0.0.0 port 1"]
    );

    let mut boasting = findings(&RIGHT);
    boasting.summary.open = 3;
    let judgement = judge(&scenario(Tolerance::NONE), truth, &boasting).unwrap();
    assert_eq!(judgement.problems, ["open ports by the summary: 3 instead of 2"]);
}

#[test]
fn targets_are_read_as_the_scanner_reads_them() {
    let all = addresses(&["10.0.0.0/30", "fd00::/127", "::1"]).unwrap();
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    let expected = ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::", "fd00::1", "::1"];
    assert_eq!(all, expected);
    assert!(addresses(&["localhost"]).is_err());
}
