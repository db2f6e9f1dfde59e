//! A run that ends at any moment, without a word: what the next one makes of its file. No sockets: a
//! network that answers at once, at virtual time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use tempfile::tempdir;

use super::super::*;
use crate::engine::{Engine, LocalError, Reply};
use crate::prober::{ProbeError, WorkSource, Worked, feed, tell};
use crate::state::{Reason, Tally};

/// Between two looks at the network.
const STEP: Duration = Duration::from_millis(20);

/// Ports answer by their number; those at a socket of our own are put off until the round after.
#[derive(Debug, Default)]
struct Network {
    /// Rounds begun: a worker of the first meets the sockets.
    workers: AtomicU64,
    /// Every so many ports one is never to be judged.
    lost_every: Option<u16>,
    /// To every so many ports there is no route.
    unroutable_every: Option<u16>,
    /// It is not of this machine: no socket of our own is met there.
    remote: bool,
}

impl Prober for Network {
    fn method(&self) -> Method {
        Method::Connect
    }

    fn run(&self, mut engine: Engine, source: &mut dyn WorkSource) -> Result<Worked, ProbeError> {
        let first = self.workers.fetch_add(1, Ordering::Relaxed) < 2;
        let mut now = Instant::now();
        let mut more_work = true;
        while !source.is_cancelled() {
            more_work = more_work && feed(&mut engine, source);
            for _ in 0..64 {
                let Some(probe) = engine.poll_probe(now) else { break };
                let port = probe.target.port();
                let one_of = |every: Option<u16>| every.is_some_and(|every| port % every == 0);
                let lost = one_of(self.lost_every);
                if one_of(self.unroutable_every) {
                    engine.handle_local_error(now, probe.id, LocalError::NoRoute);
                } else if lost || (first && !self.remote && port % 5 == 0) {
                    engine.handle_local_error(now, probe.id, LocalError::OwnSocket);
                } else {
                    let reply = if port % 7 == 0 { Reply::Open } else { Reply::Closed };
                    engine.handle_reply(now, probe.id, reply);
                }
                more_work = more_work && feed(&mut engine, source);
            }
            tell(&mut engine, source);
            if engine.is_idle() && !more_work {
                break;
            }
            now += STEP;
        }
        tell(&mut engine, source);
        Ok(Worked { engine, kernel_drops: 1 })
    }

    fn may_defer(&self, _address: IpAddr) -> bool {
        !self.remote
    }
}

fn scan(file: &Path, shard: &str) -> Scan {
    let target: crate::TargetSpec = "127.0.0.0/29".parse().unwrap();
    let mut scan = Scan::builder()
        .targets(crate::resolve(&[target], None).unwrap(), vec!["127.0.0.0/29".to_owned()])
        .ports(&"1-500".parse().unwrap())
        .show(&[PortState::Open, PortState::Error])
        .shard(shard.parse().unwrap())
        .workers(2)
        .resume(file)
        .build()
        .unwrap();
    scan.workers = 2;
    scan.checkpoint_every = Duration::ZERO;
    scan
}

/// What a run told.
#[derive(Debug, Default, PartialEq)]
struct Told {
    hosts: BTreeMap<IpAddr, usize>,
    ports: BTreeMap<(IpAddr, u16), Vec<Reason>>,
}

/// Runs to the end; at the event `crash_at`, keeps what a process killed then would leave in `left`.
fn run(scan: &Scan, network: &Network, crash_at: usize, left: &Path) -> (Told, ScanSummary) {
    let mut told = Told::default();
    let mut events = 0;
    let file = PathBuf::from(left).with_extension("begun");
    let summary = scan.run_with(network, &mut |event| {
        events += 1;
        if events == crash_at {
            std::fs::copy(&file, left).unwrap();
        }
        match event {
            ScanEvent::Host(host) => *told.hosts.entry(host.address).or_default() += 1,
            ScanEvent::Port(report) => {
                let of = told.ports.entry((report.address, report.port.number())).or_default();
                of.push(report.reason);
            }
            _ => {}
        }
    });
    if events < crash_at {
        std::fs::copy(&file, left).unwrap();
    }
    (told, summary.unwrap())
}

/// Of every host of two groups one port is asked again after all others: the hosts are known by then.
#[test]
fn a_host_that_is_met_again_is_told_once() {
    let folder = tempdir().unwrap();
    let scan = |file: &str| {
        let target: crate::TargetSpec = "127.0.0.0/17".parse().unwrap();
        let mut scan = Scan::builder()
            .targets(crate::resolve(&[target], None).unwrap(), Vec::new())
            .ports(&"1-2".parse().unwrap())
            .resume(folder.path().join(file))
            .build()
            .unwrap();
        scan.workers = 2;
        scan
    };
    let left = folder.path().join("left");
    let failing = Network { remote: true, unroutable_every: Some(2), ..Network::default() };
    let (told, summary) = run(&scan("left.begun"), &failing, usize::MAX, &left);
    let hosts = 1 << 15;
    assert_eq!(
        (told.hosts.len(), summary.hosts_up, summary.tally.errors),
        (hosts, 1 << 15, 1 << 15)
    );
    let again = Network { remote: true, ..Network::default() };
    let (told, summary) = run(&scan("left.begun"), &again, usize::MAX, &left);
    assert!(told.hosts.len() == hosts && told.hosts.values().all(|times| *times == 1));
    assert_eq!((summary.hosts_up, summary.tally.closed, summary.unfinished), (1 << 15, 1 << 16, 0));
}

proptest! {
    // Each case waits for the disk.
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Killed twice, at any events: the third run tells what one whole run tells, each thing once.
    #[test]
    fn a_crash_loses_nothing(
        first in 1_usize..900,
        second in 1_usize..900,
        shard in prop::sample::select(vec!["1/1", "2/2", "3/7"]),
        lost_every in prop::sample::select(vec![None, Some(11)]),
    ) {
        let folder = tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let network = || Network { lost_every, ..Network::default() };
        let whole = scan(&path("a.begun"), shard);
        let (expected, summary) = run(&whole, &network(), first, &path("a"));
        prop_assert_eq!((summary.resumed, summary.unfinished), (false, 0));
        std::fs::copy(path("a"), path("b.begun")).unwrap();
        run(&scan(&path("b.begun"), shard), &network(), second, &path("b"));
        let last = scan(&path("b"), shard);
        let before = last.resumed().unwrap();
        std::fs::copy(path("b"), path("c.begun")).unwrap();
        let (told, resumed) = run(&last, &network(), usize::MAX, &path("c"));
        prop_assert!(told == expected);
        prop_assert!(told.hosts.values().all(|times| *times == 1));
        prop_assert!(told.ports.values().all(|reasons| reasons.len() == 1));
        let counts = |summary: &ScanSummary| {
            let mut tally = summary.tally;
            tally.sent = 0;
            (tally, summary.hosts_up, summary.unfinished, summary.first_error)
        };
        prop_assert_eq!(counts(&resumed), counts(&summary));
        prop_assert!(resumed.tally.sent + resumed.tally.errors >= before.done);
        prop_assert!(before.done <= before.probes);
        prop_assert!(resumed.resumed);
        drop(last);
        let finished = scan(&path("b"), shard);
        // What could not be asked is still to be asked.
        prop_assert_eq!(finished.resumed().unwrap().is_finished(), lost_every.is_none());
        let (again, _) = run(&finished, &network(), usize::MAX, &path("c"));
        prop_assert!(again == expected);
    }

    /// Two runs that cannot ask some ports, both killed, and a third that can: it tells what one whole
    /// run tells that can ask all.
    #[test]
    fn what_could_not_be_asked_is_asked_again(
        first in 1_usize..900,
        second in 1_usize..900,
        every in prop::sample::select(vec![(2, 2), (3, 3), (3, 4), (40, 7)]),
    ) {
        let folder = tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (expected, summary) =
            run(&scan(&path("whole.begun"), "1/1"), &Network::default(), 1, &path("whole"));
        let failing =
            |every| Network { unroutable_every: Some(every), ..Network::default() };
        let (told, failed) = run(&scan(&path("a.begun"), "1/1"), &failing(every.0), first, &path("a"));
        prop_assert_eq!((failed.unfinished, failed.first_error), (0, Some(Reason::NoRoute)));
        prop_assert_eq!(failed.tally.errors, 8 * u64::from(500 / every.0));
        prop_assert!(told.ports.values().all(|reasons| reasons.len() == 1));
        std::fs::copy(path("a"), path("b.begun")).unwrap();
        run(&scan(&path("b.begun"), "1/1"), &failing(every.1), second, &path("b"));
        std::fs::copy(path("b"), path("c.begun")).unwrap();
        let (told, resumed) =
            run(&scan(&path("c.begun"), "1/1"), &Network::default(), usize::MAX, &path("c"));
        prop_assert!(told == expected, "each port and host once, as a whole run");
        let counts = |summary: &ScanSummary| {
            let sent = 0;
            (Tally { sent, ..summary.tally }, summary.hosts_up, summary.unfinished)
        };
        prop_assert_eq!(counts(&resumed), counts(&summary));
        prop_assert_eq!(resumed.first_error, None);
        prop_assert!(scan(&path("c"), "1/1").resumed().unwrap().is_finished());
    }
}
