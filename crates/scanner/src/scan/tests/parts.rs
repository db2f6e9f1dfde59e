//! Scans in parts: shards, and runs that are cut short and go on.

use std::path::Path;

use tempfile::tempdir;

use super::*;
use crate::block::Shard;
use crate::resume::{ResumeError, Resumed};

/// Each finding as it is told, after those of earlier runs.
type Verdicts = BTreeMap<(IpAddr, Port), (PortState, Reason)>;

fn verdicts(reports: &[PortReport]) -> Verdicts {
    let verdict =
        |report: &PortReport| ((report.address, report.port), (report.state(), report.reason));
    let verdicts: Verdicts = reports.iter().map(verdict).collect();
    assert_eq!(verdicts.len(), reports.len(), "no port is told twice");
    verdicts
}

fn builder(address: &str, ports: &str) -> ScanBuilder {
    let ports = ports.parse().unwrap();
    Scan::builder().address(address.parse().unwrap()).ports(&ports).show(&PortState::ALL)
}

/// Runs until `findings` more than in earlier runs are told, and stops then.
fn run_part(scan: &Scan, findings: usize) -> (Vec<PortReport>, usize, ScanSummary) {
    let before = scan.resumed().map_or(0, |resumed| resumed.done as usize);
    let (mut reports, mut hosts) = (Vec::new(), 0);
    let handle = scan.handle();
    let summary = scan.run(|event| match event {
        ScanEvent::Port(report) => {
            reports.push(report);
            if reports.len() >= before.saturating_add(findings) {
                handle.cancel();
            }
        }
        ScanEvent::Host(_) => hosts += 1,
        _ => {}
    });
    (reports, hosts, summary.unwrap())
}

/// Stops after every few hundred findings; the last run ends by itself. A worker is at most 64 batches ahead
/// of what is told, each of what its pace lets go in 2 ms.
fn in_parts(file: &Path, make: impl Fn() -> ScanBuilder, part: usize) -> (usize, Verdicts) {
    for runs in 1.. {
        let scan = make().resume(file).build().unwrap();
        let total = scan.blocks.probes();
        let resumed = scan.resumed();
        assert_eq!(resumed.is_some(), runs > 1);
        let (reports, hosts, summary) = run_part(&scan, part);
        let verdicts = verdicts(&reports);
        assert_eq!(summary.resumed, runs > 1);
        assert_eq!(summary.tally.probes, reports.len() as u64);
        assert_eq!(summary.tally.probes + summary.unfinished, total);
        assert_eq!((hosts, summary.hosts_up), (1, 1));
        assert!(summary.tally.sent >= summary.tally.probes - summary.tally.errors);
        assert_eq!(scan.handle().done(), summary.tally.probes);
        if summary.unfinished == 0 {
            return (runs, verdicts);
        }
        drop(scan);
        assert!(runs < 1_000, "it never ends");
    }
    unreachable!()
}

#[test]
fn a_scan_in_parts_is_the_scan() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("file");
    let listener = TcpListener::bind("127.77.4.1:0").unwrap();
    let spec = format!("1-3000,{}", port_of(&listener));
    // Slow enough to be stopped, however late it is told.
    let make = || builder("127.77.4.1", &spec).rate(3_000);
    let (whole, _) = run(make());
    let (runs, parts) = in_parts(&file, make, 400);
    assert!(runs > 2, "{runs}");
    assert_eq!(parts, verdicts(&whole));

    // Once more: everything is told again, nothing is asked.
    let scan = make().resume(&file).build().unwrap();
    assert_eq!(scan.resumed(), Some(Resumed { done: 3_001, probes: 3_001 }));
    assert!(scan.resumed().unwrap().is_finished());
    for _ in 0..2 {
        let (again, hosts, summary) = run_part(&scan, usize::MAX);
        assert_eq!((verdicts(&again), hosts), (parts.clone(), 1));
        assert_eq!((summary.tally.probes, summary.unfinished), (3_001, 0));
        assert_eq!(scan.handle().sent(), 0);
    }
}

/// Ports that meet a socket of our own are put off: that is kept, too.
#[test]
fn ports_that_were_put_off_are_not_lost() {
    let folder = tempdir().unwrap();
    let quiet = "127.77.4.2";
    let make = || {
        let source = quiet.parse().unwrap();
        builder(quiet, "30000-65535").source(source).workers(2).rate(200_000)
    };
    let before = open_on_every_address();
    let (_, verdicts) = in_parts(&folder.path().join("file"), make, 5_000);
    assert_eq!(verdicts.len(), 35_536);
    let open = verdicts.iter().filter(|(_, (state, _))| *state == PortState::Open);
    let open: BTreeSet<Port> = open.map(|((_, port), _)| *port).collect();
    assert!(open.is_subset(&(&before | &open_on_every_address())), "{open:?}");
    assert!(
        verdicts.values().all(|(state, _)| [PortState::Open, PortState::Closed].contains(state))
    );
}

#[test]
fn shards_are_the_scan() {
    let listener = TcpListener::bind("127.77.4.3:0").unwrap();
    let spec = format!("1-700,{}", port_of(&listener));
    let make = || builder("127.77.4.3", &spec);
    let (whole, _) = run(make());
    for count in [2, 5, 45, 100] {
        let mut all = Vec::new();
        let mut probes = 0;
        for number in 1..=count {
            let scan = make().shard(Shard::new(number, count).unwrap()).build().unwrap();
            let share = scan.blocks.probes();
            let (reports, _, summary) = run_part(&scan, usize::MAX);
            assert_eq!((summary.tally.probes, summary.unfinished), (share, 0));
            probes += share;
            all.extend(reports);
        }
        assert_eq!((probes, verdicts(&all)), (701, verdicts(&whole)));
    }
}

#[test]
fn a_shard_can_be_resumed() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("file");
    let shard: Shard = "2/3".parse().unwrap();
    let make = || builder("127.77.4.4", "1-3000").shard(shard).rate(1_000);
    let (whole, _) = run(make());
    let (runs, parts) = in_parts(&file, make, 300);
    assert!(runs > 1);
    assert_eq!(parts, verdicts(&whole));
    let other = make().shard(Shard::WHOLE).resume(&file).build().unwrap_err();
    assert!(matches!(other, ScanError::Resume(ResumeError::OtherPlan { .. })), "{other}");
}

#[test]
fn pace_may_differ_but_not_what_is_shown() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("file");
    let make = || builder("127.77.4.5", "1-50").resume(&file);
    make().build().unwrap().run(|_| {}).unwrap();
    make().rate(7).timeout(SECOND).retries(0).build().unwrap();
    let error = make().show(&[PortState::Open]).build().unwrap_err().to_string();
    assert!(
        error.contains("shown states open,closed,filtered,open|filtered,error there"),
        "{error}"
    );
}
