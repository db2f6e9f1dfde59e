//! The file by itself: what is written is read again, and what is not ours is refused.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ports_core::{Port, Transport};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::block::{Blocks, CELL_LEN, Shard};
use crate::event::Method;
use crate::plan::ScanPlan;
use crate::state::{PortReport, PortState, Reason, Tally};
use crate::target::{AddressSet, TargetSpec};

const CELL: u64 = CELL_LEN;

fn plan(target: &str, seed: u64) -> ScanPlan {
    let targets: AddressSet = target.parse::<TargetSpec>().unwrap().addresses().unwrap();
    ScanPlan::new(&targets, &"1-1000".parse().unwrap(), Transport::Tcp, seed).unwrap()
}

fn description(plan: &ScanPlan, shard: Shard) -> Description {
    let shown = [PortState::Open];
    let targets = ["127.0.0.1".to_owned()];
    Description::new(plan, &plan.blocks(shard), Method::Connect, &targets, "1-1000", &shown)
}

struct Fixture {
    folder: TempDir,
    plan: ScanPlan,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), plan: plan("127.0.0.1", 7) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("scan.resume")
    }

    fn blocks(&self) -> Blocks {
        self.plan.blocks(Shard::WHOLE)
    }

    fn open(&self) -> Result<ResumeFile, ResumeError> {
        let scan = description(&self.plan, Shard::WHOLE);
        ResumeFile::open(&self.path(), &scan, self.blocks())
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    fn write(&self, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(), bytes).unwrap();
    }
}

fn finding(port: u16) -> PortReport {
    PortReport {
        address: [127, 0, 0, 1].into(),
        port: Port::new(port),
        transport: Transport::Tcp,
        reason: Reason::SynAck,
        rtt: Some(Duration::from_micros(u64::from(port))),
        attempts: 1,
    }
}

/// A finished cell with one open port.
fn one_cell(position: u64) -> Checkpoint {
    let mut checkpoint = Checkpoint::new(20 * (position + 1), 0);
    checkpoint.finish(std::iter::once(position..position + 1));
    let tally = Tally { open: 1, closed: CELL - 1, ..Tally::default() };
    checkpoint.add(&tally, None);
    checkpoint.ports.push(StoredPort::from(&finding(position as u16)));
    checkpoint
}

fn findings(file: &ResumeFile) -> Vec<Stored> {
    let mut found = Vec::new();
    file.replay(Transport::Tcp, |stored| found.push(stored)).unwrap();
    found
}

#[test]
fn what_is_written_is_read_again() {
    let fixture = Fixture::new();
    let mut file = fixture.open().unwrap();
    assert!(!file.begun_earlier());
    let address: IpAddr = [127, 0, 0, 1].into();
    let mut first = one_cell(0);
    first.hosts.push((address, 0, 85));
    file.append(&first).unwrap();
    // Two ports of cell 3 were put off, one of them is judged later, and is an error.
    let mut second = Checkpoint::new(60, 3);
    second.finish(std::iter::once(2..4));
    second.deferred = vec![3 * CELL, 3 * CELL + 5];
    second.add(&Tally { closed: 2 * CELL - 2, ..Tally::default() }, None);
    file.append(&second).unwrap();
    let mut third = Checkpoint::new(61, 3);
    third.judged = vec![3 * CELL + 5];
    third.add(&Tally { errors: 1, ..Tally::default() }, Some(Reason::OwnSocket));
    file.append(&third).unwrap();
    drop(file);

    let file = fixture.open().unwrap();
    assert!(file.begun_earlier());
    let standing = file.standing();
    assert_eq!(standing.finished.runs().collect::<Vec<_>>(), [0..1, 2..4]);
    assert_eq!(standing.deferred.iter().copied().collect::<Vec<_>>(), [3 * CELL]);
    let tally = standing.tally;
    assert_eq!((tally.probes, tally.open, tally.closed, tally.errors), (47, 1, 45, 1));
    assert_eq!((tally.sent, standing.kernel_drops, standing.hosts_up), (61, 3, 1));
    assert_eq!(standing.first_error, Some(Reason::OwnSocket));
    let host = Stored::Host { address, group: 0, rtt: Duration::from_micros(85) };
    assert_eq!(findings(&file), [host, Stored::Port(finding(0))]);
}

#[test]
fn only_one_has_it_at_a_time() {
    let fixture = Fixture::new();
    let file = fixture.open().unwrap();
    assert!(matches!(fixture.open().unwrap_err(), ResumeError::InUse { .. }));
    drop(file);
    assert!(fixture.open().is_ok());
}

#[test]
fn another_scan_is_told_by_what_differs() {
    let fixture = Fixture::new();
    drop(fixture.open().unwrap());
    let before = fixture.text();
    let whole = Shard::WHOLE;
    let open = |plan: &ScanPlan, shard| {
        let scan = description(plan, shard);
        ResumeFile::open(&fixture.path(), &scan, plan.blocks(shard)).unwrap_err().to_string()
    };
    let seed = open(&plan("127.0.0.1", 8), whole);
    assert!(seed.ends_with("is of another scan: seed 7 there, 8 here"), "{seed}");
    let shard = open(&fixture.plan, "1/2".parse().unwrap());
    assert!(shard.ends_with("is of another scan: shard 1/1 there, 1/2 here"), "{shard}");
    let hosts = open(&plan("127.0.0.2/31", 7), whole);
    assert!(
        hosts.ends_with(
            "targets or exclusions 127.0.0.1 (1 addresses) there, 127.0.0.1 (2 addresses) here"
        ),
        "{hosts}"
    );
    assert!(open(&plan("127.0.0.2", 7), whole).contains("targets or exclusions"));
    assert_eq!(fixture.text(), before);
}

#[test]
fn what_is_not_ours_is_refused_and_kept() {
    let fixture = Fixture::new();
    for foreign in ["\n", "hello", "hello\n", "{\"type\":\"scan\"}\n", "\0\u{1}\n\n"] {
        fixture.write(foreign);
        let error = fixture.open().unwrap_err();
        assert!(
            matches!(error, ResumeError::Damaged { line: 1, damage: Damage::Foreign, .. }),
            "{foreign:?}: {error}"
        );
        assert_eq!(fixture.text(), foreign);
    }
}

#[test]
fn a_later_version_is_said() {
    let fixture = Fixture::new();
    let mut line = br#"{"type":"resume","version":2,"new":[]"#.to_vec();
    let digest = crate::digest::Digest::of(&line);
    line.extend_from_slice(format!(",\"check\":\"{digest}\"}}\n").as_bytes());
    fixture.write(line);
    assert!(matches!(fixture.open().unwrap_err(), ResumeError::Version { version: 2, .. }));
}

#[test]
fn a_folder_is_no_file() {
    let fixture = Fixture::new();
    std::fs::create_dir(fixture.path()).unwrap();
    assert!(matches!(fixture.open().unwrap_err(), ResumeError::Open { .. }));
}

type Make<'a> = &'a dyn Fn(&Fixture) -> String;

/// Lines with the right digest that cannot follow one another.
#[test]
fn what_cannot_be_is_damage() {
    let overlap = |file: &Fixture| format!("{}{}", file.text(), last_line(file));
    let beyond = |file: &Fixture| {
        let mut checkpoint = Checkpoint::new(1, 0);
        checkpoint.finish(std::iter::once(62..64));
        checkpoint.add(&Tally { closed: 2 * CELL, ..Tally::default() }, None);
        file.text() + &line(&checkpoint)
    };
    let miscounted = |file: &Fixture| {
        let mut checkpoint = one_cell(5);
        checkpoint.add(&Tally { closed: 1, ..Tally::default() }, None);
        file.text() + &line(&checkpoint)
    };
    let never_deferred = |file: &Fixture| {
        let mut checkpoint = Checkpoint::new(1, 0);
        checkpoint.judged.push(3);
        checkpoint.add(&Tally { closed: 1, ..Tally::default() }, None);
        file.text() + &line(&checkpoint)
    };
    let header_again = |file: &Fixture| {
        let text = file.text();
        let header = text.lines().next().unwrap();
        format!("{text}{header}\n")
    };
    let cases: [(Make<'_>, Damage); 5] = [
        (&overlap, Damage::Cells),
        (&beyond, Damage::Cells),
        (&miscounted, Damage::Count),
        (&never_deferred, Damage::Cells),
        (&header_again, Damage::Syntax),
    ];
    for (case, (make, expected)) in cases.into_iter().enumerate() {
        let fixture = Fixture::new();
        fixture.open().unwrap().append(&one_cell(0)).unwrap();
        fixture.write(make(&fixture));
        match fixture.open().unwrap_err() {
            ResumeError::Damaged { line: 3, damage, .. } => assert_eq!(damage, expected, "{case}"),
            other => panic!("{case}: {other}"),
        }
    }
}

fn line(checkpoint: &Checkpoint) -> String {
    String::from_utf8(record::encode(checkpoint)).unwrap()
}

fn last_line(fixture: &Fixture) -> String {
    fixture.text().lines().last().unwrap().to_owned() + "\n"
}

#[test]
fn many_lines_become_few() {
    let fixture = Fixture { plan: plan("127.0.0.0/16", 7), ..Fixture::new() };
    let mut file = fixture.open().unwrap();
    for position in 0..1_500 {
        let mut checkpoint = Checkpoint::new(position, 1);
        checkpoint.finish(std::iter::once(2 * position..2 * position + 1));
        checkpoint.deferred = vec![2 * position * CELL];
        checkpoint.add(&Tally { closed: CELL - 1, ..Tally::default() }, None);
        checkpoint.hosts.push(([127, 0, (position >> 8) as u8, position as u8].into(), 0, 1));
        checkpoint.ports.push(StoredPort::from(&finding(position as u16)));
        file.append(&checkpoint).unwrap();
    }
    let (standing, mut found) = (file.standing().clone(), findings(&file));
    drop(file);
    let long = std::fs::metadata(fixture.path()).unwrap().len();
    for _ in 0..2 {
        let mut file = fixture.open().unwrap();
        assert!(std::fs::metadata(fixture.path()).unwrap().len() < long);
        assert_eq!(fixture.text().lines().count(), 3);
        assert_eq!(file.standing().finished, standing.finished);
        assert_eq!(file.standing().deferred, standing.deferred);
        assert_eq!(file.standing().tally, standing.tally);
        assert_eq!(file.standing().hosts_up, 1_500);
        let mut again = findings(&file);
        // Hosts of a line come before its ports.
        let is_port = |stored: &Stored| matches!(stored, Stored::Port(_));
        again.sort_by_key(is_port);
        found.sort_by_key(is_port);
        assert_eq!(again, found);
        // It is ours still, and goes on.
        assert!(matches!(fixture.open().unwrap_err(), ResumeError::InUse { .. }));
        file.append(&Checkpoint::new(1_499, 1)).unwrap();
        drop(file);
        let text = fixture.text();
        fixture.write(text.strip_suffix(&last_line(&fixture)).unwrap());
    }
    assert_eq!(std::fs::read_dir(fixture.folder.path()).unwrap().count(), 1);
}

proptest! {
    // Each case waits for the disk.
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Wherever the file is cut off, the checkpoints before are read, and the rest is written anew.
    #[test]
    fn a_torn_end_costs_its_line_only(cells in 1_u64..6, cut in 0.0_f64..1.0) {
        let fixture = Fixture::new();
        let mut file = fixture.open().unwrap();
        let header = fixture.text().len();
        for position in 0..cells {
            file.append(&one_cell(position)).unwrap();
        }
        drop(file);
        let text = fixture.text();
        let at = header + ((text.len() - header) as f64 * cut) as usize;
        fixture.write(&text[..at]);
        let whole = text[header..at].matches('\n').count() as u64;
        let mut file = fixture.open().unwrap();
        prop_assert_eq!(file.standing().tally.probes, whole * CELL);
        prop_assert_eq!(findings(&file).len() as u64, whole);
        for position in whole..cells {
            file.append(&one_cell(position)).unwrap();
        }
        drop(file);
        prop_assert_eq!(fixture.text(), text);
    }

    /// A changed byte is noticed, and its line is named. Nothing is written.
    #[test]
    fn a_changed_byte_is_damage(place in 0.0_f64..1.0, to: u8) {
        let fixture = Fixture::new();
        let mut file = fixture.open().unwrap();
        for position in 0..4 {
            file.append(&one_cell(position)).unwrap();
        }
        drop(file);
        let mut bytes = fixture.text().into_bytes();
        let at = ((bytes.len() - 1) as f64 * place) as usize;
        // With a newline in its middle or without its end a line has another number.
        prop_assume!(bytes[at] != to && bytes[at] != b'\n' && to != b'\n');
        let line_of = bytes[..at].split(|byte| *byte == b'\n').count() as u64;
        bytes[at] = to;
        fixture.write(&bytes);
        match fixture.open().unwrap_err() {
            ResumeError::Damaged { line, .. } => prop_assert_eq!(line, line_of),
            other => prop_assert!(false, "{}", other),
        }
        prop_assert_eq!(std::fs::read(fixture.path()).unwrap(), bytes);
    }

    /// Any bytes at all are an answer, not a panic, and stay as they are.
    #[test]
    fn any_bytes_are_refused(tail in prop::collection::vec(any::<u8>(), 1..200)) {
        let fixture = Fixture::new();
        drop(fixture.open().unwrap());
        let mut bytes = fixture.text().into_bytes();
        bytes.extend(tail);
        bytes.push(b'\n');
        fixture.write(&bytes);
        let refused = matches!(fixture.open(), Err(ResumeError::Damaged { line: 2, .. }));
        prop_assert!(refused);
        prop_assert_eq!(std::fs::read(fixture.path()).unwrap(), bytes);
    }
}
