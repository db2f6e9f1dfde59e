//! What the caller's own code does while a scan runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use ports_core::{Port, Transport};
use tempfile::tempdir;

use super::super::worker::BATCHES_BUFFERED;
use super::super::*;
use super::LOCALHOST;
use crate::engine::{Engine, EngineEvent};
use crate::prober::{ProbeError, WorkSource, Worked};
use crate::state::{PortReport, Reason};

/// Finds a port, again and again, until it is stopped.
#[derive(Debug, Default)]
struct Flood {
    found: AtomicUsize,
}

impl Prober for Flood {
    fn method(&self) -> Method {
        Method::Connect
    }

    fn run(&self, engine: Engine, source: &mut dyn WorkSource) -> Result<Worked, ProbeError> {
        let report = PortReport {
            address: LOCALHOST,
            port: Port::new(1),
            transport: Transport::Tcp,
            reason: Reason::SynAck,
            rtt: None,
            attempts: 1,
        };
        while !source.is_cancelled() {
            source.event(EngineEvent::Port { index: 0, report });
            self.found.fetch_add(1, Ordering::Relaxed);
            source.flush(&engine);
        }
        Ok(Worked { engine, kernel_drops: 0 })
    }
}

fn scan() -> ScanBuilder {
    let target: crate::TargetSpec = "127.0.0.1".parse().unwrap();
    Scan::builder()
        .targets(crate::resolve(&[target], None).unwrap(), vec!["127.0.0.1".to_owned()])
        .ports(&"1-9".parse().unwrap())
        .workers(1)
}

#[test]
fn a_sink_that_panics_ends_a_scan_that_it_has_held_up() {
    let (scan, flood) = (scan().build().unwrap(), Flood::default());
    let run = || {
        scan.run_with(&flood, &mut |event| {
            if matches!(event, ScanEvent::Port(_)) {
                // This one, those that wait, and the one that finds no room.
                while flood.found.load(Ordering::Relaxed) < BATCHES_BUFFERED + 2 {
                    std::thread::yield_now();
                }
                panic!("of the sink");
            }
        })
    };
    let panicked = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(panicked.downcast_ref(), Some(&"of the sink"));
}

#[test]
fn a_sink_may_ask_what_earlier_runs_had_done() {
    let folder = tempdir().unwrap();
    let scan = scan().resume(folder.path().join("resume")).build().unwrap();
    let mut asked = Vec::new();
    scan.run(|event| {
        if matches!(event, ScanEvent::Started(_)) {
            asked.push(scan.resumed());
        }
    })
    .unwrap();
    assert_eq!((asked, scan.resumed()), (vec![None], None));
}
