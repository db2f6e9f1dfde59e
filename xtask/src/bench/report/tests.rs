//! Tests of the table, the JSON and the comparison.

use super::super::findings::OutputFormat;
use super::*;

pub(super) fn run(wall_ms: f64) -> Run {
    Run {
        wall_ms,
        peak_rss_kib: Some(2048),
        found_open: 12,
        false_opens: Vec::new(),
        packets: Some(100),
        asked_per_s: Some(1e6 / wall_ms),
    }
}

/// A report of a group with these wall times, `ports x` against `peer`.
fn report(all: &[(&'static str, &[f64])]) -> Report {
    let mut line_up = LineUp::default();
    let mut rows = Vec::new();
    for (name, walls) in all {
        let side = if name.starts_with("ports") { Side::Ours } else { Side::Peer };
        line_up.present.push(Contender {
            name,
            side,
            program: "/nowhere/tool".into(),
            arguments: vec!["-x".into()],
            output: OutputFormat::Bare,
            most_rounds: None,
        });
        let mut series = Series::default();
        for &wall in *walls {
            series.push(Ok(run(wall)));
        }
        rows.push(series);
    }
    let setting = Setting {
        group: "veth".into(),
        unix_time: 1,
        scene: "12 open".into(),
        quick: false,
        open: 12,
        rounds: 3,
        reference: "bare",
        champion: "ports x",
        exact: true,
    };
    Report::new(setting, line_up, &rows, &[])
}

const NOW: [(&str, &[f64]); 3] = [
    ("ports x", &[900.0, 1000.0, 800.0]),
    ("bare", &[800.0, 800.0, 800.0]),
    ("peer", &[1800.0, 2000.0, 1600.0]),
];

#[test]
fn rows_carry_medians_and_ratios() {
    let report = report(&NOW);
    let [ours, bare, peer] = &report.rows[..] else { panic!("three rows") };
    assert_eq!(
        (ours.median_ms, ours.min_ms, ours.max_ms),
        (Some(900.0), Some(800.0), Some(1000.0))
    );
    assert_eq!((ours.to_reference, bare.to_reference), (Some(1.125), Some(1.0)));
    assert_eq!((bare.ours_to_it["ports x"], peer.ours_to_it["ports x"]), (1.125, 0.5));
    assert!((peer.our_rate_to_its["ports x"] - 2.0).abs() < 1e-9);
    assert_eq!(peer.command, "tool -x");
    assert!(!report.failed());
}

#[test]
fn the_table_shows_every_row_and_who_is_absent() {
    let mut report = report(&NOW);
    report.absent.push("zmap (not on PATH)".into());
    let table = report.table();
    let line = table.lines().find(|line| line.starts_with("peer ")).unwrap();
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(
        cells,
        ["peer", "3", "1.800", "1.600", "2.000", "2.0", "12/12", "0", "100", "556", "2.25", "0.50"]
    );
    assert!(table.contains("not measured: zmap (not on PATH)"), "{table}");
}

#[test]
fn a_failed_run_is_shown_and_makes_the_report_fail() {
    let mut report = report(&[("ports x", &[])]);
    report.rows[0].failures.push("no summary line".into());
    assert!(report.failed());
    let table = report.table();
    assert!(table.contains("failed: ports x: no summary line"), "{table}");
}

#[test]
fn a_wrong_answer_of_ours_makes_the_report_fail_and_a_peers_does_not() {
    for (index, fails) in [(0, true), (2, false)] {
        let mut missed = report(&NOW);
        missed.rows[index].found_open = Some(11);
        let mut invented = report(&NOW);
        invented.rows[index].false_opens = 1;
        assert_eq!((missed.failed(), invented.failed()), (fails, fails));
    }
}

#[test]
fn where_packets_are_lost_the_bars_decide_how_many_ports_may_be() {
    let mut missed = report(&NOW);
    missed.rows[0].found_open = Some(11);
    missed.exact = false;
    assert!(!missed.failed());
}

#[test]
fn compares_ratios_with_a_baseline_that_went_through_json() {
    let before = report(&[("ports x", &[1800.0]), ("bare", &[800.0])]);
    let before: Report = serde_json::from_str(&serde_json::to_string(&before).unwrap()).unwrap();
    let text = report(&NOW).comparison(&before);
    assert!(text.contains("ports x        2.25 -> 1.12 (-50.0 %)"), "{text}");
    assert!(text.contains("peer           not measured in both"), "{text}");
}

#[test]
fn other_work_is_not_compared() {
    let mut before = report(&NOW);
    before.scene = "8 open".into();
    assert_eq!(
        report(&NOW).comparison(&before),
        "veth: not compared, it was another scene: 8 open\n"
    );
}
