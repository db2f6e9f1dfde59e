//! Standard output that is closed or not read, a file that cannot grow, and signals.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::program::{Run, ports};

/// Runs `ports` behind some words of the shell; `exec "$0" "$@"` becomes it.
fn behind(script: &str, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_ports")]).args(args).stdin(Stdio::null());
    command
}

#[test]
fn a_closed_standard_output_is_an_error_that_names_it() {
    for args in [
        &["scan", "127.88.11.1", "-p", "1-3"][..],
        &["scan", "127.88.11.1", "-p", "1-3", "--format", "jsonl"],
        &["lookup", "443"],
        &["lookup", "443", "--format", "csv"],
        &["diff", "no-such-file", "no-such-file"],
        &["demo", "--tcp-port", "0", "--udp-port", "0"],
        &["completions", "bash"],
        &["man"],
        &["listen", "tcp://127.0.0.1:0"],
        &["listen", "udp://127.0.0.1:0"],
        &["listen", "tcp://127.0.0.1:0", "--service", "echo", "--events", "-"],
        &["forward", "tcp://127.0.0.1:0", "tcp://127.0.0.1:1", "--events", "-"],
        &["connect", "tcp://127.0.0.1:1"],
        &["--help"],
        &["help"],
        &["help", "scan"],
        &["lookup", "--help"],
        &["--version"],
    ] {
        let run = Run::from(behind("exec \"$0\" \"$@\" >&-", args).output().unwrap());
        run.assert_code(4);
        let expected = "cannot write to standard output: it is closed";
        assert!(run.stderr.contains(expected), "{args:?}: {}", run.stderr);
    }
}

#[test]
fn a_full_disk_is_an_error_that_names_standard_output() {
    for args in [
        &["scan", "127.88.11.1", "-p", "1-3"][..],
        &["lookup", "443"],
        &["--help"],
        &["help"],
        &["help", "scan"],
        &["lookup", "--help"],
        &["--version"],
    ] {
        let run = Run::from(behind("exec \"$0\" \"$@\" >/dev/full", args).output().unwrap());
        run.assert_code(4);
        assert!(run.stderr.contains("cannot write to standard output: "), "{}", run.stderr);
    }
}

/// One output that fails leaves the others whole: with their end, and how the scan ended.
#[test]
fn a_full_disk_is_one_outputs_matter() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (xml, csv) = (file("all.xml"), file("all.csv"));
    let scan = ["scan", "127.88.11.2", "-p", "1-2000", "--show", "all", "--format", "jsonl"];
    let outputs = ["-o", "/dev/full", "-o", &xml, "-o", &csv];
    let run = Run::from(ports(&scan).args(outputs).output().unwrap());
    run.assert_code(4);
    assert!(run.stderr.contains("cannot write `/dev/full`: "), "{}", run.stderr);
    assert_eq!(run.lines_of("summary").len(), 1);
    assert!(std::fs::read_to_string(xml).unwrap().trim_end().ends_with("</nmaprun>"));
    let rows = std::fs::read_to_string(csv).unwrap();
    assert_eq!(rows.lines().count(), 1 + run.lines_of("port").len());

    let table = file("services.txt");
    let args = ["lookup", "1-2000", "-o", "/dev/full", "-o", &format!("table:{table}")];
    Run::from(ports(&args).output().unwrap()).assert_code(4);
    let table = std::fs::read_to_string(table).unwrap();
    assert!(table.lines().count() > 1, "{table}");
}

#[test]
fn help_that_is_not_read_to_its_end_is_no_error() {
    for args in [&["--help"][..], &["help", "scan"], &["man"]] {
        let script = "{ \"$0\" \"$@\"; echo \"ended with $?\" >&2; } | :";
        let run = Run::from(behind(script, args).output().unwrap());
        assert_eq!(run.stderr, "ended with 0\n", "{args:?}");
    }
}

#[test]
fn standard_output_to_nowhere_is_no_error() {
    for nowhere in [">/dev/null", "1<>/dev/null"] {
        let script = format!("exec \"$0\" \"$@\" {nowhere}");
        Run::from(behind(&script, &["lookup", "443"]).output().unwrap()).assert_code(0);
    }
}

/// A reader that takes nothing, and then Ctrl-C: what can be written is, and the program ends.
#[test]
fn a_reader_that_does_not_read_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.jsonl");
    let scan = ["scan", "127.88.7.0/24", "-p", "1-500", "--show", "all", "--format", "jsonl"];
    let (mut stdout, theirs) = std::io::pipe().unwrap();
    // Room for one write; with something in it there is none for the summary, which comes last.
    fcntl_setpipe_size(&theirs, 4096).unwrap();
    let child = ports(&scan)
        .args(["--method", "connect", "-o", file.to_str().unwrap()])
        .stdout(theirs)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    read_line(&mut stdout);
    poll(&mut [PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::IN)], None).unwrap();
    signal(&child, Signal::INT);
    let ended = Run::from(child.wait_with_output().unwrap());
    ended.assert_code(130);
    assert!(ended.stderr.contains("standard output is not read"), "{}", ended.stderr);
    let written = std::fs::read_to_string(file).unwrap();
    let last: Value = serde_json::from_str(written.lines().last().unwrap()).unwrap();
    assert_eq!(last["type"], "summary", "the file is whole");
    drop(stdout);
}

fn read_line(stream: &mut impl Read) {
    let mut byte = [0];
    while byte != *b"\n" {
        stream.read_exact(&mut byte).unwrap();
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A scan that takes its time, once it listens to signals.
fn slow_scan(command: &mut Command) -> (Child, BufReader<std::process::ChildStdout>) {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    assert!(first.contains("\"type\":\"scan\""), "{first}");
    (child, stdout)
}

const SLOW: [&str; 6] = ["scan", "127.88.12.1", "--rate", "100", "--format", "jsonl"];

fn summary(stdout: BufReader<std::process::ChildStdout>) -> Value {
    let last = stdout.lines().map(Result::unwrap).last().unwrap();
    serde_json::from_str(&last).unwrap()
}

/// A row would come after minutes only, if ever.
#[test]
fn a_reader_that_leaves_a_slow_scan_ends_it_at_once() {
    let mut command = ports(&["scan", "127.88.12.2", "--rate", "1", "--format", "jsonl"]);
    let (child, stdout) = slow_scan(&mut command);
    drop(stdout);
    let ended = Run::from(child.wait_with_output().unwrap());
    ended.assert_code(0);
    assert!(!ended.stderr.contains("error"), "{}", ended.stderr);
}

/// The terminal is closed. What was found is written and kept.
#[test]
fn a_hangup_stops_it_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    // Whoever runs the tests may ignore it.
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_ports")]).args(SLOW);
    command.args(["-p", "1-65535", "--resume", kept.to_str().unwrap()]);
    let (mut child, stdout) = slow_scan(&mut command);
    signal(&child, Signal::HUP);
    let summary = summary(stdout);
    assert_eq!(summary["type"], "summary");
    assert!(summary["unfinished"].as_u64().unwrap() > 0);
    assert_eq!(child.wait().unwrap().code(), Some(129));
    assert!(std::fs::metadata(kept).unwrap().len() > 0);
}

/// As nohup(1) starts its commands.
#[test]
fn a_hangup_that_was_ignored_stays_ignored() {
    let mut command = behind("trap '' HUP; exec \"$0\" \"$@\"", &SLOW);
    let (mut child, stdout) = slow_scan(command.args(["-p", "1-50"]));
    signal(&child, Signal::HUP);
    let summary = summary(stdout);
    assert_eq!((&summary["closed"], &summary["unfinished"]), (&50.into(), &0.into()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_file_that_may_not_grow_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.jsonl");
    let file = file.to_str().unwrap();
    for args in [
        &["scan", "127.88.13.1", "-p", "1-300", "--show", "all", "-o", file][..],
        &["lookup", "1-2000", "-o", file],
    ] {
        let run = behind("ulimit -f 1; exec \"$0\" \"$@\"", args).output().unwrap();
        let run = Run::from(run);
        run.assert_code(4);
        assert!(run.stderr.contains(&format!("cannot write `{file}`: ")), "{}", run.stderr);
    }
}
