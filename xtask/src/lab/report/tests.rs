//! What passes, and what the table says.

use super::super::catalogue;
use super::super::judgement::Judgement;
use super::*;

fn round(found: u64, problems: &[&str]) -> Round {
    Round {
        seed: 1,
        judgement: Judgement {
            open: 200,
            found,
            problems: problems.iter().map(|&text| text.to_owned()).collect(),
            ..Judgement::default()
        },
        sent: 65_535,
        method: "connect".to_owned(),
        elapsed_ms: 1500,
        kernel_drops: 0,
        device_drops: 0,
        simulation: None,
    }
}

fn report(rows: Vec<Row>) -> Report {
    Report::new(0, "ports 0.1.0".to_owned(), rows)
}

#[test]
fn a_row_shows_its_worst_run() {
    let case = catalogue::cases()[0];
    let row = Row::new(&case, vec![Ok(round(200, &[])), Ok(round(198, &["two are missing"]))]);
    assert_eq!(
        row.to_string(),
        "closed/connect              198/200      0            0    65535      1.50  FAILED\n    \
         failed: seed 1: two are missing"
    );
    assert!(!report(vec![row]).passed());
}

#[test]
fn nothing_run_is_no_pass() {
    let case = catalogue::cases()[1];
    let not_run = || Row::not_run(&case, &case.needs());
    assert_eq!(
        not_run().to_string(),
        "closed/syn               not run: `ports scan` lacks --method syn"
    );
    let report_of_nothing = report(vec![not_run()]);
    assert!(!report_of_nothing.passed());
    assert_eq!(
        report_of_nothing.conclusion(),
        "lab: 0 cases passed, 0 failed, 1 not run: nothing was tested"
    );
    let ran = || Row::new(&case, vec![Ok(round(200, &[]))]);
    assert!(report(vec![ran()]).passed());
    assert!(!report(vec![ran(), not_run()]).passed());
    assert!(!report(vec![]).passed());
}

#[test]
fn a_run_without_a_result_fails() {
    let case = catalogue::cases()[0];
    let row = Row::new(&case, vec![Ok(round(200, &[])), Err("the scan took more than 9 s".into())]);
    assert!(row.to_string().contains("failed: the scan took more than 9 s"));
    assert!(!report(vec![row]).passed());
}
