//! `ports scan --resume` and `--shard`: the real binary, cut short in every way.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

#[path = "cli/program.rs"]
mod program;

use program::{Run, ports, run};

/// The ports of the scans here: below those that other tests listen on.
const PORTS: &str = "1-3000";

struct Fixture {
    folder: TempDir,
    /// Of the resume file.
    path: String,
    target: &'static str,
}

impl Fixture {
    /// `target` is one test's own.
    fn new(target: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scan.resume").to_str().unwrap().to_owned();
        Self { folder, path, target }
    }

    fn file(&self) -> &Path {
        Path::new(&self.path)
    }

    /// How many checkpoints are in the file.
    fn checkpoints(&self) -> usize {
        let text = std::fs::read_to_string(self.file()).unwrap_or_default();
        text.matches('\n').count().saturating_sub(1)
    }

    fn args<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let file = self.path.as_str();
        let fixed = ["scan", self.target, "-p", PORTS, "--show", "all", "--format", "jsonl"];
        fixed.into_iter().chain(["--resume", file]).chain(more.iter().copied()).collect()
    }

    /// A scan that takes fifteen seconds, and keeps what it found every second.
    fn slow(&self) -> Child {
        let mut command = ports(&self.args(&["--rate", "200"]));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn uninterrupted(&self) -> Run {
        let args = ["scan", self.target, "-p", PORTS, "--show", "all", "--format", "jsonl"];
        let run = run(&args);
        run.assert_code(0);
        run
    }
}

/// What was found, without times; each port once.
fn findings(run: &Run) -> BTreeSet<String> {
    let lines = run.lines_of("port");
    let found: BTreeSet<String> = lines
        .iter()
        .map(|line| {
            format!("{} {} {} {}", line["host"], line["port"], line["state"], line["reason"])
        })
        .collect();
    assert_eq!(found.len(), lines.len(), "no port twice");
    found
}

fn summary(run: &Run) -> Value {
    run.lines_of("summary").pop().unwrap()
}

type Lines = std::io::Lines<BufReader<ChildStdout>>;

/// Reads what it finds until its file has more checkpoints: the scan writes all the time.
fn read_until_more(fixture: &Fixture, child: &mut Child, checkpoints: usize) -> Lines {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while fixture.checkpoints() <= checkpoints {
        let line = lines.next().expect("the scan ended too early").unwrap();
        assert!(!line.contains("\"type\":\"summary\""), "the scan ended too early");
    }
    lines
}

/// Lets it find something that it keeps, and ends it at once.
fn kill_once_it_kept_something(fixture: &Fixture) {
    let before = fixture.checkpoints();
    let mut child = fixture.slow();
    let lines = read_until_more(fixture, &mut child, before);
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
    drop(lines);
}

#[test]
fn killed_twice_and_resumed_it_is_the_scan() {
    let fixture = Fixture::new("127.88.20.1");
    let whole = fixture.uninterrupted();
    kill_once_it_kept_something(&fixture);
    kill_once_it_kept_something(&fixture);
    let resumed = run(&fixture.args(&[]));
    resumed.assert_code(0);
    assert_eq!(findings(&resumed), findings(&whole));
    let (whole, resumed) = (summary(&whole), summary(&resumed));
    for count in
        ["hosts", "hosts_up", "probes", "open", "closed", "filtered", "errors", "unfinished"]
    {
        assert_eq!(resumed[count], whole[count], "{count}");
    }
    assert_eq!((&resumed["resumed"], &whole["resumed"]), (&true.into(), &Value::Null));
    // What was sent before it was killed is counted, too.
    assert!(resumed["sent"].as_u64() >= resumed["probes"].as_u64(), "{resumed}");

    // Once more: it is finished, says so, and reports in every format.
    let again = run(&[&["-v"], &*fixture.args(&[])].concat());
    again.assert_code(0);
    assert_eq!(findings(&again).len(), 3_000);
    assert_eq!(summary(&again)["sent"], resumed["sent"], "nothing was asked");
    assert!(again.stderr.contains("is finished; this is what it found"), "{}", again.stderr);
    let csv = fixture.folder.path().join("found.csv");
    let csv = csv.to_str().unwrap();
    run(&fixture.args(&["-o", csv])).assert_code(0);
    assert_eq!(std::fs::read_to_string(csv).unwrap().lines().count(), 3_001);
}

#[test]
fn interrupted_and_resumed() {
    let fixture = Fixture::new("127.88.20.2");
    let mut child = fixture.slow();
    let lines = read_until_more(&fixture, &mut child, 0);
    // A second one on the same file while the first has it.
    let second = run(&fixture.args(&[]));
    second.assert_code(4);
    assert!(second.stderr.contains("is in use by another scan"), "{}", second.stderr);
    assert_eq!(second.stdout, "");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let last = lines.map(Result::unwrap).last().unwrap();
    let first: Value = serde_json::from_str(&last).unwrap();
    assert_eq!((&first["type"], &first["resumed"]), (&"summary".into(), &Value::Null));
    assert!(first["unfinished"].as_u64().unwrap() > 0);
    assert_eq!(child.wait().unwrap().code(), Some(130));

    let resumed = run(&[&["-v"], &*fixture.args(&[])].concat());
    resumed.assert_code(0);
    assert_eq!(findings(&resumed), findings(&fixture.uninterrupted()));
    assert_eq!(summary(&resumed)["probes"], 3_000);
    assert!(resumed.stderr.contains("of 3000 ports done by"), "{}", resumed.stderr);
}

#[test]
fn another_scan_is_refused() {
    let fixture = Fixture::new("127.88.20.3");
    run(&fixture.args(&[])).assert_code(0);
    let kept = std::fs::read(fixture.file()).unwrap();
    for (more, what) in [
        (&["--seed", "5"][..], "seed 0 there, 5 here"),
        (&["--shard", "2/3"], "shard 1/1 there, 2/3 here"),
        (&["--exclude-ports", "80"], "ports 1-3000 there, 1-79,81-3000 here"),
        (
            &["127.88.20.9"],
            "127.88.20.3 (1 addresses) there, 127.88.20.3 127.88.20.9 (2 addresses) here",
        ),
    ] {
        let other = run(&fixture.args(more));
        other.assert_code(2);
        assert!(other.stderr.contains(what), "{}", other.stderr);
        assert_eq!(other.stdout, "");
    }
    assert_eq!(std::fs::read(fixture.file()).unwrap(), kept);
}

#[test]
fn a_damaged_or_foreign_file_is_refused() {
    let fixture = Fixture::new("127.88.20.4");
    run(&fixture.args(&[])).assert_code(0);
    let text = std::fs::read_to_string(fixture.file()).unwrap();
    let damaged = text.replacen("\"closed\":", "\"closed\":1", 1);
    for (text, message) in [
        (damaged.as_str(), "line 2: damaged: its check does not fit"),
        ("my notes\n", "line 1: this is no resume file"),
    ] {
        std::fs::write(fixture.file(), text).unwrap();
        let refused = run(&fixture.args(&[]));
        refused.assert_code(4);
        assert!(refused.stderr.contains(message), "{}", refused.stderr);
        assert_eq!(std::fs::read_to_string(fixture.file()).unwrap(), text);
    }
}

/// A disk that is full: the scan stops and says so, and what was kept is good.
#[test]
fn a_file_that_cannot_be_written_stops_the_scan() {
    let fixture = Fixture::new("127.88.20.5");
    let scan = Command::new("sh")
        // 16 KiB at most, and an error instead of a signal past that; setrlimit(2).
        .args(["-c", "trap '' XFSZ; ulimit -f 32; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_ports")])
        .args(fixture.args(&[]))
        .output();
    let scan = Run::from(scan.unwrap());
    scan.assert_code(4);
    assert!(scan.stderr.contains("cannot write the resume file"), "{}", scan.stderr);
    assert_eq!(scan.lines_of("summary").len(), 1);
    let resumed = run(&fixture.args(&[]));
    resumed.assert_code(0);
    assert_eq!(findings(&resumed), findings(&fixture.uninterrupted()));
}

#[test]
fn shards_say_what_is_theirs_and_add_up() {
    let scan = |shard: &str| {
        let args = ["scan", "127.88.20.6", "-p", PORTS, "--show", "all", "--format", "jsonl"];
        run(&[&args[..], &["--shard", shard]].concat())
    };
    let mut all = BTreeSet::new();
    let mut probes = 0;
    for shard in ["1/4", "2/4", "3/4", "4/4"] {
        let run = scan(shard);
        run.assert_code(0);
        let first = &run.lines_of("scan")[0];
        assert_eq!((&first["shard"], &first["probes"]), (&shard.into(), &summary(&run)["probes"]));
        probes += first["probes"].as_u64().unwrap();
        let found = findings(&run);
        assert!(all.is_disjoint(&found));
        all.extend(found);
    }
    assert_eq!((probes, all.len()), (3_000, 3_000));
    let whole = scan("1/1");
    assert_eq!(all, findings(&whole));
    assert_eq!(whole.lines_of("scan")[0]["shard"], Value::Null);
    for (shard, message) in [
        ("0/4", "there is no shard 0 of 4: they are 1/4 to 4/4"),
        ("5/4", "there is no shard 5 of 4"),
        ("1/0", "there must be at least one shard"),
        ("1of4", "`1of4` is no shard: write I/N"),
    ] {
        let wrong = scan(shard);
        wrong.assert_code(2);
        assert!(wrong.stderr.contains(message), "{}", wrong.stderr);
    }
}

#[test]
fn one_file_keeps_one_scan() {
    let fixture = Fixture::new("127.88.20.7");
    // TEST-NET-1 (RFC 5737): refused before anything is sent.
    let two = run(&["scan", fixture.target, "192.0.2.1", "--resume", &fixture.path]);
    two.assert_code(2);
    assert!(two.stderr.contains("say which ports with -p"), "{}", two.stderr);
    assert!(!fixture.file().exists());
}
