//! Tests of the verdicts.

use super::super::contender::{Contender, LineUp, Side};
use super::super::findings::OutputFormat;
use super::super::report::{Report, Setting};
use super::super::summary::{Run, Series};
use super::*;

const OURS: &str = "ports syn";
const PEER: &str = "peer";

/// Rows of 200 open ports: ours with these (seconds, found) a run, and a peer that takes 10 s.
fn rows(ours: &[(f64, usize)]) -> Vec<Row> {
    let series = |runs: &[(f64, usize)]| {
        let mut series = Series::default();
        for &(seconds, found_open) in runs {
            series.push(Ok(Run {
                wall_ms: seconds * 1e3,
                peak_rss_kib: Some(8192),
                found_open,
                false_opens: Vec::new(),
                packets: None,
                asked_per_s: Some(100.0 / seconds),
            }));
        }
        series
    };
    let contender = |name, side| Contender {
        name,
        side,
        program: "/nowhere/tool".into(),
        arguments: Vec::new(),
        output: OutputFormat::Bare,
        most_rounds: None,
    };
    let line_up = LineUp {
        present: vec![contender(OURS, Side::Ours), contender(PEER, Side::Peer)],
        absent: Vec::new(),
    };
    let setting = Setting {
        group: "group".into(),
        unix_time: 1,
        scene: "scene".into(),
        quick: false,
        open: 200,
        rounds: 1,
        reference: PEER,
        champion: OURS,
        exact: true,
    };
    Report::new(setting, line_up, &[series(ours), series(&[(10.0, 200)])], &[]).rows
}

#[track_caller]
fn assert_judged(bar: Bar, rows: &[Row], expected: &str) {
    assert_eq!(bar.judge(rows, 200, false).to_string(), expected);
}

#[test]
fn a_time_is_measured_by_a_peers() {
    let bar = Bar::Time { row: OURS, peer: PEER, at_most: 0.5 };
    let text = "bar ports syn: time <= 0.5x peer:";
    assert_judged(bar, &rows(&[(5.0, 200)]), &format!("{text} 0.50x, met"));
    assert_judged(bar, &rows(&[(6.0, 200)]), &format!("{text} 0.60x, MISSED"));
    assert_judged(bar, &rows(&[]), &format!("{text} -, not judged (ports syn was not measured)"));
}

#[test]
fn a_rate_is_measured_by_a_peers() {
    let bar = Bar::Rate { row: OURS, peer: PEER, at_least: 1.3 };
    let text = "bar ports syn: rate >= 1.3x peer:";
    assert_judged(bar, &rows(&[(5.0, 200)]), &format!("{text} 2.00x, met"));
    assert_judged(bar, &rows(&[(10.0, 200)]), &format!("{text} 1.00x, MISSED"));
}

#[test]
fn one_incomplete_or_slow_run_misses_and_too_few_runs_prove_nothing() {
    let bar = Bar::Complete { row: OURS, runs: 3, seconds: Some(5.0) };
    let text = "bar ports syn: all open, no false, in each of 3 runs of <= 5 s:";
    let whole = (2.0, 200);
    assert_judged(
        bar,
        &rows(&[whole, whole, whole]),
        &format!("{text} 3 of 3 runs, slowest 2.00 s, met"),
    );
    assert_judged(
        bar,
        &rows(&[whole, (2.0, 199), whole]),
        &format!("{text} 2 of 3 runs, slowest 2.00 s, MISSED"),
    );
    assert_judged(
        bar,
        &rows(&[whole, whole, (6.0, 200)]),
        &format!("{text} 3 of 3 runs, slowest 6.00 s, MISSED"),
    );
    assert_judged(
        bar,
        &rows(&[whole, whole]),
        &format!("{text} 2 of 2 runs, slowest 2.00 s, not judged (2 runs, the bar asks for 3)"),
    );
}

#[test]
fn an_average_takes_all_runs() {
    let bar = Bar::Average { row: OURS, at_least: 199.0, seconds: 10.0 };
    let verdict = |runs: &[(f64, usize)]| bar.judge(&rows(runs), 200, false).verdict;
    assert_eq!(verdict(&[(9.0, 200), (9.0, 198)]), Verdict::Met);
    assert_eq!(verdict(&[(9.0, 200), (9.0, 197)]), Verdict::Missed);
    assert_eq!(verdict(&[(9.0, 200), (11.0, 200)]), Verdict::Missed);
}

#[test]
fn a_false_open_or_a_failed_run_is_never_complete() {
    let bar = Bar::Complete { row: OURS, runs: 1, seconds: None };
    let mut failed = rows(&[(2.0, 200)]);
    failed[0].failures.push("no summary line".into());
    let mut invented = rows(&[(2.0, 200)]);
    invented[0].runs[0].false_opens.push("10.77.0.2:81".parse().unwrap());
    for rows in [failed, invented] {
        assert_eq!(bar.judge(&rows, 200, false).verdict, Verdict::Missed);
    }
}

#[test]
fn memory_and_findings_count_the_worst_run() {
    let rows = rows(&[(2.0, 200), (2.0, 190)]);
    let memory = Bar::Memory { row: OURS, at_most: 32.0 };
    assert_judged(memory, &rows, "bar ports syn: memory <= 32 MiB: 8.0 MiB, met");
    let found = Bar::Found { row: OURS, at_least: 195 };
    assert_judged(found, &rows, "bar ports syn: >= 195 open in every run: 190, MISSED");
}

#[test]
fn a_quick_run_is_shown_and_not_judged() {
    let bar = Bar::Time { row: OURS, peer: PEER, at_most: 0.5 };
    assert_eq!(
        bar.judge(&rows(&[(6.0, 200)]), 200, true).to_string(),
        "bar ports syn: time <= 0.5x peer: 0.60x, not judged (a quick run)"
    );
}
