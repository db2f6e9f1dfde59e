//! `ports scan` on loopback.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::own_port::OwnPort;
use super::program::{Run, ports, run};
use super::pty::terminal;

/// An address of 127.0.0.0/8 for one test, so that other tests' listeners are not in its way.
const QUIET: Ipv4Addr = Ipv4Addr::new(127, 88, 1, 1);

fn open_ports(run: &Run) -> BTreeSet<u16> {
    let ports = run.lines_of("port").into_iter();
    ports.map(|line| u16::try_from(line["port"].as_u64().unwrap()).unwrap()).collect()
}

#[test]
fn exactly_the_open_ports_in_every_format() {
    let listeners: Vec<_> = (0..4).map(|_| TcpListener::bind((QUIET, 0)).unwrap()).collect();
    let ports: BTreeSet<u16> =
        listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    let refusing = OwnPort::at(QUIET);
    let closed = refusing.number();
    let list: Vec<String> = ports.iter().chain([&closed]).map(ToString::to_string).collect();
    let spec = list.join(",");
    let target = QUIET.to_string();

    let jsonl = run(&["scan", &target, "-p", &spec, "--format", "jsonl", "--method", "connect"]);
    jsonl.assert_code(0);
    assert_eq!(open_ports(&jsonl), ports);
    let kinds: Vec<_> = jsonl.json().iter().map(|line| line["type"].clone()).collect();
    assert_eq!(
        (kinds[0].as_str(), kinds.last().unwrap().as_str()),
        (Some("scan"), Some("summary"))
    );
    assert_eq!(jsonl.lines_of("host").len(), 1);
    let summary = &jsonl.lines_of("summary")[0];
    for (field, value) in
        [("hosts", 1), ("probes", 5), ("open", 4), ("closed", 1), ("filtered", 0), ("errors", 0)]
    {
        assert_eq!(summary[field], value, "{field} in {summary}");
    }
    assert_eq!(summary["method"], "connect");

    let csv = run(&["scan", &target, "-p", &spec, "--format", "csv", "--show", "open,closed"]);
    csv.assert_code(0);
    let rows: Vec<_> = csv.stdout.lines().collect();
    assert_eq!(rows[0], "host,port,transport,state,reason,service,rtt_us,attempts");
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().any(|row| row.starts_with(&format!("{QUIET},{closed},tcp,closed,reset,"))));

    let table = run(&["scan", &target, "-p", &spec]);
    table.assert_code(0);
    for port in ports {
        assert!(table.stdout.contains(&format!("{port}/tcp")), "{}", table.stdout);
    }
    assert!(table.stdout.contains("4 open, 1 closed, 0 filtered"), "{}", table.stdout);
    assert!(!table.stdout.contains('\x1b'), "no colours in a pipe");
}

/// Defect 8 of the reference: a lack of descriptors was called "closed".
#[test]
fn defect_8_few_descriptors_cost_time_but_no_port() {
    let listener = TcpListener::bind((QUIET, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let scan = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -Hn 40; ulimit -Sn 40; exec \"$0\" scan \"$1\" -p \"$2\" --format jsonl",
        ])
        .args([env!("CARGO_BIN_EXE_ports"), &QUIET.to_string(), &format!("1-1000,{port}")])
        .output();
    let scan = Run::from(scan.unwrap());
    scan.assert_code(0);
    assert!(open_ports(&scan).contains(&port));
    let summary = &scan.lines_of("summary")[0];
    assert_eq!((&summary["errors"], &summary["unfinished"]), (&0.into(), &0.into()));
}

/// Defect 10 of the reference: two tables of services in one file.
#[test]
fn defect_10_scan_and_lookup_read_one_table() {
    let scan = run(&["scan", "127.88.6.1", "-p", "top:40", "--show", "all", "--format", "jsonl"]);
    for report in scan.lines_of("port") {
        let lookup = run(&["lookup", &report["port"].to_string(), "--format", "jsonl"]);
        let mut services = lookup.json().into_iter();
        let first = services.find(|service| service["transport"] == "tcp");
        assert_eq!(report["service"], first.map_or(Value::Null, |service| service["name"].clone()));
    }
}

#[test]
fn files_get_their_own_formats() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let listener = TcpListener::bind((QUIET, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (json, csv, table) = (path("a.jsonl"), format!("csv:{}", path("b")), path("c.txt"));
    let target = QUIET.to_string();
    run(&["scan", &target, "-p", &port, "-o", &json, "-o", &csv, "-o", &table]).assert_code(0);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("a.jsonl").lines().all(|line| line.starts_with("{\"type\":")));
    assert!(read("b").starts_with("host,port,"));
    assert!(read("c.txt").contains(&format!("{port}/tcp")));
}

#[test]
fn a_file_that_cannot_be_written_is_known_before_the_scan() {
    let scan = run(&["scan", "127.0.0.1", "-p", "1", "-o", "/no/such/folder/file"]);
    scan.assert_code(4);
    assert!(scan.stderr.contains("cannot write `/no/such/folder/file`"), "{}", scan.stderr);
    assert_eq!(scan.stdout, "");
}

#[test]
fn a_name_that_does_not_resolve() {
    // RFC 6761 section 6.4: never resolves.
    let scan = run(&["scan", "no-such-host.invalid", "-p", "1"]);
    scan.assert_code(4);
    assert!(scan.stderr.contains("cannot resolve `no-such-host.invalid`"), "{}", scan.stderr);
}

/// Which method it is to be is decided once, and said everywhere.
#[test]
fn the_method_used_is_the_one_that_is_said() {
    let args = ["scan", "127.88.8.1", "-p", "1-5", "--format", "jsonl"];
    for (more, method) in [
        (&[][..], None),
        (&["--method", "connect"], Some("connect")),
        (&["--udp", "--timeout", "50ms"], Some("udp")),
    ] {
        let scan = run(&[&["-v"], &args[..], more].concat());
        scan.assert_code(0);
        let (first, last) = (&scan.lines_of("scan")[0], &scan.lines_of("summary")[0]);
        let used = last["method"].as_str().unwrap();
        assert_eq!(first["method"], used);
        assert_eq!(method.unwrap_or(used), used);
        if method != Some("connect") {
            let note = format!("note: method: {used} (");
            assert!(scan.stderr.contains(&note), "{}", scan.stderr);
        }
    }
}

#[test]
fn exclusions_from_the_line_and_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("excluded");
    std::fs::write(&path, "127.88.2.0/31 # two\n\n127.88.2.3\n").unwrap();
    let path = path.to_str().unwrap();
    let scan = run(&[
        "scan",
        "127.88.2.0/29",
        "--exclude",
        "127.88.2.7",
        "--exclude-file",
        path,
        "-p",
        "1-3",
        "--exclude-ports",
        "2",
        "--format",
        "jsonl",
        "--show",
        "all",
    ]);
    scan.assert_code(0);
    assert_eq!(scan.lines_of("summary")[0]["hosts"], 4);
    assert_eq!(scan.lines_of("port").len(), 8);
    std::fs::write(path, "127.88.2.0/99\n").unwrap();
    let wrong = run(&["scan", "127.88.2.0", "--exclude-file", path, "-p", "1"]);
    wrong.assert_code(2);
    assert!(wrong.stderr.contains("line 1"), "{}", wrong.stderr);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child =
        ports(&["scan", "127.88.3.0/24", "-p", "1-500", "--format", "csv", "--show", "all"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let run = Run::from(child.wait_with_output().unwrap());
    run.assert_code(0);
    assert_eq!(
        (first.as_str(), run.stderr.as_str()),
        ("host,port,transport,state,reason,service,rtt_us,attempts\n", "")
    );
}

#[test]
fn signals_stop_it_in_order() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut child =
            ports(&["scan", "127.88.4.1", "-p", "1-65535", "--rate", "100", "--format", "jsonl"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Its own first line: by then it listens to signals.
        assert!(lines.next().unwrap().unwrap().contains("\"type\":\"scan\""));
        kill_process(Pid::from_child(&child), signal).unwrap();
        let last = lines.map(Result::unwrap).last().unwrap();
        let summary: Value = serde_json::from_str(&last).unwrap();
        assert_eq!(summary["type"], "summary");
        assert!(summary["unfinished"].as_u64().unwrap() > 0);
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}

#[test]
fn both_families_of_a_name_unless_told_otherwise() {
    let scan = run(&["scan", "localhost", "-4", "-p", "1", "--format", "jsonl"]);
    scan.assert_code(0);
    assert_eq!(scan.lines_of("scan")[0]["hosts"], 1);
    let none = run(&["scan", "127.0.0.1", "-6", "-p", "1"]);
    none.assert_code(4);
    assert!(none.stderr.contains("`127.0.0.1` has no IPv6 address"), "{}", none.stderr);
}

#[test]
fn own_addresses_are_scanned_in_full() {
    let scan = run(&["scan", "127.88.5.1", "--format", "jsonl"]);
    scan.assert_code(0);
    assert_eq!(scan.lines_of("summary")[0]["probes"], 65_535);
}

#[test]
fn nothing_that_could_be_asked_is_a_failure() {
    let scan = run(&["scan", "ff01::1", "-p", "80", "--format", "jsonl", "--show", "all"]);
    scan.assert_code(4);
    assert_eq!(scan.lines_of("port")[0]["state"], "error");
    assert!(scan.stderr.contains("no port could be asked: "), "{}", scan.stderr);
}

#[test]
fn a_bar_is_drawn_only_where_there_is_something_to_show() {
    let (mut seen, screen) = terminal();
    let status = ports(&["scan", "127.0.0.1", "-p", "1"]).stderr(screen).status().unwrap();
    assert_eq!(status.code(), Some(0));
    let mut shown = Vec::new();
    // The end of a terminal that nobody has any more is an error (EIO).
    let _ = seen.read_to_end(&mut shown);
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("method: ") && !shown.contains("0/0 ports"), "{shown}");
}
