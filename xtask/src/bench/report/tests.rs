//! Tests of the table, the JSON and the comparison.

use std::path::PathBuf;

use super::super::findings::OutputFormat;
use super::*;

fn row(name: &'static str, walls: &[f64], all: &[(&'static str, &[f64])]) -> Row {
    let series_of = |walls: &[f64]| {
        let mut series = Series::default();
        for &wall_ms in walls {
            series.push(Ok(Run {
                wall_ms,
                peak_rss_kib: Some(2048),
                found_open: 12,
                false_opens: Vec::new(),
            }));
        }
        series
    };
    let named =
        |wanted| all.iter().find(|(name, _)| *name == wanted).map(|(_, walls)| series_of(walls));
    let contender = Contender {
        name,
        program: PathBuf::from("/nowhere/tool"),
        arguments: vec!["-x".into()],
        output: OutputFormat::Bare,
    };
    Row::new(&contender, &series_of(walls), named(OURS).as_ref(), named(BARE).as_ref())
}

fn report(all: &[(&'static str, &[f64])]) -> Report {
    Report {
        unix_time: 1,
        ports: "1-65535".into(),
        open: 12,
        rounds: 3,
        cores: 2,
        kernel: None,
        memory: "none".into(),
        absent: Vec::new(),
        rows: all.iter().map(|(name, walls)| row(name, walls, all)).collect(),
    }
}

const NOW: [(&str, &[f64]); 3] = [
    (OURS, &[900.0, 1000.0, 800.0]),
    (BARE, &[800.0, 800.0, 800.0]),
    ("nmap -sT", &[1800.0, 2000.0, 1600.0]),
];

#[test]
fn rows_carry_medians_and_ratios() {
    let report = report(&NOW);
    let [ours, bare, nmap] = &report.rows[..] else { panic!("three rows") };
    assert_eq!(
        (ours.median_ms, ours.min_ms, ours.max_ms),
        (Some(900.0), Some(800.0), Some(1000.0))
    );
    assert_eq!((ours.to_bare, ours.ours_to_it), (Some(1.125), Some(1.0)));
    assert_eq!((bare.to_bare, bare.ours_to_it), (Some(1.0), Some(1.125)));
    assert_eq!((nmap.to_bare, nmap.ours_to_it), (Some(2.25), Some(0.5)));
    assert_eq!(nmap.command, "tool -x");
    assert!(!report.failed());
}

#[test]
fn the_table_shows_every_row() {
    let table = report(&NOW).table();
    let expected =
        "nmap -sT       1.800     1.600     2.000       2.0   12/12      0     2.25      0.50";
    assert!(table.contains(expected), "{table}");
}

#[test]
fn a_failed_run_is_shown_and_makes_the_report_fail() {
    let mut report = report(&[(OURS, &[])]);
    report.rows[0].failures.push("no summary line".into());
    assert!(report.failed());
    let table = report.table();
    assert!(table.contains("failed: ports: no summary line"), "{table}");
    assert!(table.lines().nth(1).unwrap().contains(" - "), "{table}");
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
fn compares_ratios_with_a_baseline_that_went_through_json() {
    let before = report(&[(OURS, &[1800.0]), (BARE, &[800.0])]);
    let before: Report = serde_json::from_str(&serde_json::to_string(&before).unwrap()).unwrap();
    let text = report(&NOW).comparison(&before, "old.json");
    assert!(text.contains("ports      2.25 -> 1.12 (-50.0 %)"), "{text}");
    assert!(text.contains("nmap -sT   not measured in both"), "{text}");
    assert!(!text.contains("bare  "), "{text}");
}

#[test]
fn other_work_is_not_compared() {
    let mut before = report(&NOW);
    before.ports = "1-8192".into();
    assert_eq!(
        report(&NOW).comparison(&before, "old.json"),
        "not compared with old.json: it scanned 1-8192 with 12 open\n"
    );
}
