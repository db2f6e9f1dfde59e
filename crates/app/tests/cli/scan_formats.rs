//! What a scan writes, in which format, and when.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use super::program::{Run, ports, run};

const QUIET: Ipv4Addr = Ipv4Addr::new(127, 88, 8, 1);

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((QUIET, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn nmap_formats_count_what_they_do_not_list() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("a.jsonl");
    let (_listener, port) = listener();
    let (target, spec) = (QUIET.to_string(), format!("1-50,{port}"));
    let xml = run(&["scan", &target, "-p", &spec, "--format", "xml", "-o", json.to_str().unwrap()]);
    xml.assert_code(0);
    assert!(xml.stdout.starts_with("<?xml") && xml.stdout.ends_with("</nmaprun>\n"));
    let row = format!(
        "<port protocol=\"tcp\" portid=\"{port}\"><state state=\"open\" reason=\"syn-ack\""
    );
    assert!(xml.stdout.contains(&row), "{}", xml.stdout);
    assert!(xml.stdout.contains("<extraports state=\"closed\" count=\"50\">"), "{}", xml.stdout);
    assert!(xml.stdout.contains("exit=\"success\""));
    // The other outputs hear of what is shown only.
    let json = std::fs::read_to_string(json).unwrap();
    assert_eq!(json.matches("\"type\":\"port\"").count(), 1);
    assert!(json.contains("\"show\":[\"open\"]"), "{json}");

    let grepable = run(&["scan", &target, "-p", &spec, "--format", "grepable"]);
    grepable.assert_code(0);
    let lines: Vec<_> = grepable.stdout.lines().collect();
    assert!(lines[0].starts_with("# ports ") && lines[0].contains(" as: ports scan "));
    assert!(lines.contains(&format!("Host: {QUIET} ()\tStatus: Up").as_str()));
    assert!(
        lines.iter().any(|line| {
            line.starts_with(&format!("Host: {QUIET} ()\tPorts: {port}/open/tcp//"))
        })
    );
    assert!(lines.contains(&format!("Host: {QUIET} ()\tIgnored State: closed (50)").as_str()));
    assert!(lines.last().unwrap().starts_with("# ports done at "));
}

#[test]
fn a_scan_that_cannot_begin_empties_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.jsonl");
    let output = path.to_str().unwrap();
    let before = "an earlier scan\n".repeat(1_000);
    std::fs::write(&path, &before).unwrap();
    for (args, code) in [
        (&["127.88.8.4", "-p", "1", "--exclude-ports", "1"][..], 2),
        (&["127.88.8.4", "-p", "1", "--udp", "--method", "connect"], 2),
        (&["127.88.8.4", "-p", "1", "--exclude-file", "/no/such/file"], 4),
        // RFC 6761 section 6.4: never resolves.
        (&["no-such-host.invalid", "-p", "1"], 4),
    ] {
        run(&[&["scan", "-o", output], args].concat()).assert_code(code);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before, "{args:?}");
    }
    run(&["scan", "-o", output, "127.88.8.4", "-p", "1"]).assert_code(0);
    let after = std::fs::read_to_string(&path).unwrap();
    assert!(after.lines().all(|line| line.starts_with("{\"type\":")), "{after}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_pipe_is_a_file_to_write_to() {
    let scan = run(&["scan", "127.88.8.4", "-p", "1", "-o", "jsonl:/dev/stderr"]);
    scan.assert_code(0);
    assert!(scan.stderr.starts_with("{\"type\":\"scan\","), "{}", scan.stderr);
}

/// A scan that takes many seconds: its first row is there long before its end.
#[test]
fn rows_come_while_the_scan_runs() {
    let address = Ipv4Addr::new(127, 88, 8, 3);
    // So many are open that one of them is among the first that are asked.
    let listeners: Vec<_> = (0..60).map(|_| TcpListener::bind((address, 0)).unwrap()).collect();
    let open: Vec<String> = listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap().port().to_string())
        .collect();
    let (target, spec) = (address.to_string(), format!("1-1000,{}", open.join(",")));
    for (format, row) in [
        ("jsonl", "\"state\":\"open\""),
        ("csv", ",tcp,open,"),
        ("grepable", "/open/tcp//"),
        ("table", "/tcp"),
    ] {
        let mut child = ports(&["scan", &target, "-p", &spec, "--rate", "60"])
            .args(["--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(row) {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "{format}: no row");
        }
        assert!(child.try_wait().unwrap().is_none(), "{format}: the scan still runs");
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        stdout.read_to_string(&mut line).unwrap();
        Run::from(child.wait_with_output().unwrap()).assert_code(130);
    }
}

#[test]
fn an_interrupted_scan_is_a_whole_document() {
    let mut child = ports(&["scan", "127.88.8.2", "-p", "1-65535", "--rate", "100"])
        .args(["--format", "xml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    // Its head is there as soon as it runs.
    while !text.contains("<?ports") {
        assert_ne!(stdout.read_line(&mut text).unwrap(), 0);
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    stdout.read_to_string(&mut text).unwrap();
    Run::from(child.wait_with_output().unwrap()).assert_code(143);
    assert!(text.contains("exit=\"interrupted\"") && text.ends_with("</nmaprun>\n"), "{text}");
}

#[test]
fn a_file_that_the_scan_reads_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (list, kept) = (path("list.txt"), path("kept"));
    std::fs::write(&list, "127.0.0.1\n").unwrap();
    let at_list = format!("@{list}");
    let roundabout = path("./list.txt");
    for arguments in [
        &["scan", &at_list, "-p", "1", "-o", &list][..],
        &["scan", "::1", "--exclude-file", &list, "-p", "1", "-o", &roundabout],
        &["scan", "127.0.0.1", "-p", "1", "--resume", &kept, "-o", &kept],
    ] {
        let refused = run(arguments);
        refused.assert_code(2);
        assert!(refused.stderr.contains("is read by this scan"), "{}", refused.stderr);
    }
    assert_eq!(std::fs::read_to_string(&list).unwrap(), "127.0.0.1\n");
    assert!(!std::path::Path::new(&kept).exists());
}
