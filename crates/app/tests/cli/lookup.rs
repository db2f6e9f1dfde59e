//! `ports lookup`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::program::{Run, ports, run};

#[test]
fn a_port_with_its_service() {
    let lookup = run(&["lookup", "443", "--format", "jsonl"]);
    lookup.assert_code(0);
    let first = &lookup.stdout.lines().next().unwrap();
    assert_eq!(
        *first,
        r#"{"type":"service","port":443,"transport":"tcp","name":"https","description":"http protocol over TLS/SSL","class":"system","source":"iana"}"#
    );
}

#[test]
fn a_name_in_any_case_and_a_range() {
    let named = run(&["lookup", "HTTPS", "--format", "csv"]);
    named.assert_code(0);
    assert!(
        named.stdout.starts_with("port,transport,name,description,class,source\n443,tcp,https,")
    );
    let ranged = run(&["lookup", "6000-6063", "--format", "jsonl"]);
    let x11 = ranged
        .json()
        .into_iter()
        .filter(|line| line["transport"] == "tcp" && line["name"] == "x11");
    assert_eq!(x11.count(), 64);
}

#[test]
fn every_port_of_the_reference_has_its_name() {
    for (port, name) in [
        (20, "ftp-data"),
        (21, "ftp"),
        (22, "ssh"),
        (23, "telnet"),
        (25, "smtp"),
        (53, "dns"),
        (67, "dhcp"),
        (68, "dhcp"),
        (80, "http"),
        (110, "pop3"),
        (143, "imap"),
        (443, "https"),
        (3306, "mysql"),
        (3389, "rdp"),
        (5432, "postgresql"),
        (6379, "redis"),
        (8080, "http-alt"),
        (27017, "mongodb"),
    ] {
        let lookup = run(&["lookup", &port.to_string(), "--format", "jsonl"]);
        assert!(lookup.json().iter().any(|line| line["name"] == name), "{port}: {}", lookup.stdout);
    }
}

#[test]
fn the_answer_no_is_exit_code_1() {
    let unknown = run(&["lookup", "no-such-service"]);
    unknown.assert_code(1);
    assert!(unknown.stderr.contains("no service is called `no-such-service`"));
    let unassigned = run(&["lookup", "50123"]);
    unassigned.assert_code(1);
    assert!(unassigned.stderr.contains("port 50123 (dynamic) has no service"));
    assert_eq!(unassigned.stdout, "");
}

#[test]
fn what_the_table_prints_can_be_asked_and_lists_too() {
    let one = run(&["lookup", "443/tcp,dns/udp", "--format", "jsonl"]);
    one.assert_code(0);
    let asked: Vec<_> = one
        .json()
        .iter()
        .map(|line| {
            (line["port"].as_u64().unwrap(), line["transport"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(asked, [(443, "tcp".to_owned()), (53, "udp".to_owned())]);
    run(&["lookup", "443/http"]).assert_code(2);
}

/// More than a pipe holds, so that the rows themselves meet its end.
#[test]
fn a_closed_pipe_ends_quietly() {
    for format in ["csv", "jsonl", "table"] {
        let mut child = ports(&["lookup", "1-65535", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let ended = Run::from(child.wait_with_output().unwrap());
        ended.assert_code(0);
        assert_eq!((first.is_empty(), ended.stderr.as_str()), (false, ""), "{format}");
    }
}

#[test]
fn a_copy_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("services.csv");
    run(&["lookup", "22", "-o", path.to_str().unwrap()]).assert_code(0);
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("22,tcp,ssh,"), "{text}");
}
