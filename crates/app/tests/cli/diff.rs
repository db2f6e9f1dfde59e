//! `ports diff`, on files that `ports scan` wrote.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;

use super::own_port::OwnPort;
use super::program::{Run, ports, run};

const QUIET: Ipv4Addr = Ipv4Addr::new(127, 88, 7, 1);

struct Folder(tempfile::TempDir);

impl Folder {
    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn scan(&self, name: &str, ports: &str, more: &[&str]) {
        let (json, xml) = (self.path(&format!("{name}.jsonl")), self.path(&format!("{name}.xml")));
        let target = QUIET.to_string();
        let mut args = vec!["scan", &target, "-p", ports, "-o", &json, "-o", &xml];
        args.extend(more);
        run(&args).assert_code(0);
    }

    fn diff(&self, before: &str, after: &str, more: &[&str]) -> Run {
        let (before, after) = (self.path(before), self.path(after));
        let mut args = vec!["diff", &before, &after];
        args.extend(more);
        run(&args)
    }
}

#[test]
fn a_port_that_opens_and_one_that_closes() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let [stays, goes, comes] = [(); 3].map(|()| OwnPort::at(QUIET));
    let (kept, gone, new) = (stays.number(), goes.number(), comes.number());
    let spec = format!("{kept},{gone},{new}");
    let (_stays, goes) = (stays.listen(), goes.listen());
    folder.scan("a", &spec, &[]);
    drop(goes);
    let _comes = comes.listen();
    folder.scan("b", &spec, &[]);

    for (a, b) in
        [("a.jsonl", "b.jsonl"), ("a.xml", "b.xml"), ("a.jsonl", "b.xml"), ("a.xml", "b.jsonl")]
    {
        let diff = folder.diff(a, b, &["--format", "jsonl"]);
        diff.assert_code(1);
        assert_eq!(diff.stderr, "");
        let mut changes: Vec<_> = diff
            .lines_of("change")
            .iter()
            .map(|line| {
                (line["port"].as_u64().unwrap(), line["change"].as_str().unwrap().to_owned())
            })
            .collect();
        changes.sort_unstable();
        let mut expected =
            [(u64::from(gone), "closed".to_owned()), (u64::from(new), "opened".to_owned())];
        expected.sort_unstable();
        assert_eq!(changes, expected, "{a} {b}");
        let summary = &diff.lines_of("comparison")[0];
        assert_eq!((&summary["same"], &summary["opened"]), (&false.into(), &1.into()));
    }
    for (a, b) in [("a.jsonl", "a.xml"), ("b.xml", "b.jsonl")] {
        let same = folder.diff(a, b, &[]);
        same.assert_code(0);
        assert_eq!(same.stdout, "0 ports opened, 0 closed, 0 changed; 0 hosts up, 0 down\n");
    }
    let table = folder.diff("a.xml", "b.xml", &[]);
    assert!(table.stdout.contains(&format!("  - {gone}/tcp")), "{}", table.stdout);
    assert!(table.stdout.contains("closed -> open"), "{}", table.stdout);
    let csv = folder.diff("a.jsonl", "b.jsonl", &["--format", "csv"]);
    assert!(
        csv.stdout.starts_with("change,host,name,port,transport,service,before,after,certain\n")
    );
    assert!(csv.stdout.contains(&format!("closed,{QUIET},,{gone},tcp,")), "{}", csv.stdout);
}

#[test]
fn an_unfinished_scan_is_said_and_proves_no_absence() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let listener = TcpListener::bind((QUIET, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    folder.scan("a", &port, &[]);
    for ending in ["jsonl", "xml"] {
        let whole = std::fs::read_to_string(folder.path(&format!("a.{ending}"))).unwrap();
        let cut = format!("cut.{ending}");
        let first = whole.find("\"seed\":0}").unwrap() + 12;
        std::fs::write(folder.path(&cut), &whole[..first]).unwrap();
        let diff = folder.diff(&format!("a.{ending}"), &cut, &[]);
        diff.assert_code(0);
        assert!(diff.stderr.contains("is unfinished"), "{}", diff.stderr);
        assert!(diff.stdout.contains("2 not in both scans"), "{}", diff.stdout);
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = Folder(tempfile::tempdir().unwrap());
    std::fs::write(folder.path("empty"), "").unwrap();
    std::fs::write(folder.path("bad"), "{\"type\":\"scan\"}\n").unwrap();
    let missing = folder.diff("missing", "empty", &[]);
    missing.assert_code(4);
    assert!(missing.stderr.contains("missing`"), "{}", missing.stderr);
    let empty = folder.diff("empty", "empty", &[]);
    empty.assert_code(4);
    assert!(empty.stderr.contains("empty` is empty: it holds no scan"), "{}", empty.stderr);
    let bad = folder.diff("bad", "empty", &[]);
    bad.assert_code(4);
    assert!(bad.stderr.contains("bad` line 1: "), "{}", bad.stderr);
}

#[test]
fn one_scan_from_standard_input() {
    let folder = Folder(tempfile::tempdir().unwrap());
    folder.scan("a", "1-3", &["--show", "all"]);
    let saved = std::fs::File::open(folder.path("a.xml")).unwrap();
    let diff =
        ports(&["diff", "-", &folder.path("a.jsonl")]).stdin(Stdio::from(saved)).output().unwrap();
    Run::from(diff).assert_code(0);
}
