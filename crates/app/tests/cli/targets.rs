//! Targets of `ports scan` from files and standard input.

use std::io::Write;
use std::process::Stdio;

use super::program::{Run, ports, run};

fn hosts(scan: &Run) -> u64 {
    scan.lines_of("summary").iter().map(|line| line["hosts"].as_u64().unwrap()).sum()
}

#[test]
fn from_a_file_and_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hosts.txt");
    std::fs::write(&path, "# mine\r\n127.88.9.0/30 127.88.9.9\r\n\r\n::1 # six\n").unwrap();
    let file = format!("@{}", path.display());
    let scan = run(&["scan", &file, "127.88.9.20", "-p", "1", "--format", "jsonl"]);
    scan.assert_code(0);
    assert_eq!(hosts(&scan), 7);
    assert_eq!(scan.lines_of("scan")[0]["targets"][0], file);
    assert_eq!(
        scan.lines_of("scan")[0]["addresses"],
        "127.88.9.0-127.88.9.3,127.88.9.9,127.88.9.20,::1"
    );

    let mut child = ports(&["scan", "-", "-p", "1", "--format", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"127.88.9.1\n127.88.9.2").unwrap();
    let scan = Run::from(child.wait_with_output().unwrap());
    scan.assert_code(0);
    assert_eq!(hosts(&scan), 2);
}

#[test]
fn errors_name_the_file_and_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hosts.txt");
    std::fs::write(&path, "127.88.9.1\n\n127.88.9.1/40\n").unwrap();
    let file = format!("@{}", path.display());
    let wrong = run(&["scan", &file, "-p", "1"]);
    wrong.assert_code(2);
    let part = format!("`{}` line 3: `127.88.9.1/40` is not a prefix", path.display());
    assert!(wrong.stderr.contains(&part), "{}", wrong.stderr);
    let missing = run(&["scan", "@/no/such/file", "-p", "1"]);
    missing.assert_code(4);
    assert!(missing.stderr.contains("cannot read `/no/such/file`"), "{}", missing.stderr);
}

#[test]
fn one_name_among_several_that_does_not_resolve() {
    // RFC 6761 section 6.4: never resolves.
    let scan = run(&["scan", "127.88.9.1", "no-such-host.invalid", "-p", "1", "--format", "jsonl"]);
    scan.assert_code(4);
    assert_eq!(hosts(&scan), 1, "the others are scanned");
    assert!(scan.stderr.contains("cannot resolve `no-such-host.invalid`"), "{}", scan.stderr);
    assert!(
        scan.stderr.contains("1 target has no address, and was not scanned"),
        "{}",
        scan.stderr
    );
}

#[test]
fn the_broadcast_addresses_of_a_link_only_by_name() {
    // Those of 127.0.0.0/8, the network of the loopback interface.
    let swept = ["scan", "127.255.255.252/30", "127.0.0.0/30", "-p", "1", "--format", "jsonl"];
    assert_eq!(hosts(&run(&swept)), 6);
}
