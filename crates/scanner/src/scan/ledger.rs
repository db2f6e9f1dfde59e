//! Keeps the resume file up to date while a scan runs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::pieces::Counted;
use crate::block::{Blocks, CellSet};
use crate::progress::ScanHandle;
use crate::resume::{Checkpoint, ResumeError, ResumeFile, StoredPort};
use crate::state::{PortReport, PortState};

/// How long what is done may stay unwritten; half of the second that is promised.
pub(super) const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
/// Ports that could not be asked are kept one by one, up to so many, for the next run to ask them
/// again. What is more stays an error. All in one line are far from the longest that is read.
const MAX_FAILED: usize = 1 << 18;
/// How many hosts and findings may stay unwritten.
const MAX_ROWS: usize = 16_384;

/// What was done and is not written yet.
#[derive(Debug)]
pub(super) struct Ledger<'a> {
    file: &'a mut ResumeFile,
    handle: &'a ScanHandle,
    blocks: Blocks,
    /// Findings in pieces that are in work, by index.
    findings: BTreeMap<u64, PortReport>,
    finished: CellSet,
    pending: Checkpoint,
    written: Instant,
    every: Duration,
    failed: bool,
    /// Probes sent in earlier runs.
    sent_before: u64,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(
        file: &'a mut ResumeFile,
        handle: &'a ScanHandle,
        blocks: Blocks,
        every: Duration,
    ) -> Self {
        let standing = file.standing();
        let (sent_before, kernel_drops) = (standing.tally.sent, standing.kernel_drops);
        let pending = Checkpoint::new(sent_before, kernel_drops);
        Self {
            file,
            handle,
            blocks,
            findings: BTreeMap::new(),
            finished: CellSet::default(),
            pending,
            written: Instant::now(),
            every,
            failed: false,
            sent_before,
        }
    }

    pub(super) fn host(&mut self, address: IpAddr, group: u64, rtt: Duration) {
        self.pending.hosts.push((address, group, rtt.as_micros() as u64));
    }

    /// A finding, to be kept once its piece is finished.
    pub(super) fn finding(&mut self, index: u64, report: &PortReport) {
        self.findings.insert(index, *report);
    }

    /// A piece is finished.
    pub(super) fn piece(&mut self, piece: &Range<u64>, mut counted: Counted) {
        let (first, last) = (self.blocks.cell(piece.start), self.blocks.cell(piece.end - 1));
        // A piece is handed out, and so finished, but once.
        let new = self.finished.insert(first..last + 1);
        debug_assert!(new, "the piece {piece:?} was finished twice");
        let asked_again = self.has_room_for(counted.failed.len());
        if asked_again {
            counted.put_off_failed();
        }
        self.pending.add(&counted.tally, counted.error);
        self.pending.deferred.extend(counted.deferred);
        let findings = self.findings.extract_if(piece.clone(), |_, _| true);
        let kept = findings
            .map(|(_, report)| report)
            .filter(|report| !asked_again || report.state() != PortState::Error);
        self.pending.ports.extend(kept.map(|report| StoredPort::from(&report)));
    }

    /// Whether so many more ports can be kept one by one, to be asked again.
    fn has_room_for(&self, failed: usize) -> bool {
        let kept = self.file.standing().deferred.len() + self.pending.deferred.len();
        kept + failed <= MAX_FAILED
    }

    /// A port that had been put off has its verdict, which is a finding where it is `shown`. One that
    /// could not be asked again waits for the next run.
    pub(super) fn judged_late(&mut self, index: u64, report: &PortReport, shown: bool) {
        if report.state() == PortState::Error {
            return;
        }
        let mut counted = Counted::default();
        counted.count(index, report);
        self.pending.add(&counted.tally, counted.error);
        self.pending.judged.push(index);
        self.pending.ports.extend(shown.then(|| StoredPort::from(report)));
    }

    /// The kernel dropped so many answers.
    pub(super) const fn kernel_drops(&mut self, count: u64) {
        self.pending.kernel_drops = self.pending.kernel_drops.saturating_add(count);
    }

    /// Writes what is done, where that is due.
    pub(super) fn write_if_due(&mut self) -> Result<(), ResumeError> {
        if self.pending.rows() >= MAX_ROWS || self.written.elapsed() >= self.every {
            return self.write();
        }
        Ok(())
    }

    /// Writes what is done, down to the disk.
    pub(super) fn close(&mut self) -> Result<(), ResumeError> {
        self.write()?;
        self.file.sync()
    }

    fn write(&mut self) -> Result<(), ResumeError> {
        self.written = Instant::now();
        let sent = self.sent_before.saturating_add(self.handle.sent());
        let kernel_drops = self.pending.kernel_drops;
        let standing = self.file.standing();
        let nothing_new = self.pending.rows() == 0
            && self.finished.runs().next().is_none()
            && (sent, kernel_drops) == (standing.tally.sent, standing.kernel_drops);
        if nothing_new || self.failed {
            return Ok(());
        }
        let next = Checkpoint::new(sent, kernel_drops);
        let mut pending = std::mem::replace(&mut self.pending, next);
        pending.sent = sent;
        pending.finish(std::mem::take(&mut self.finished).runs());
        let result = self.file.append(&pending);
        // What could not be written is not done: nothing may be written after it.
        self.failed = result.is_err();
        result
    }
}

#[cfg(test)]
mod tests {
    use ports_core::{Port, Transport};

    use super::*;
    use crate::block::Shard;
    use crate::event::Method;
    use crate::plan::ScanPlan;
    use crate::resume::Description;
    use crate::state::{Reason, Tally};

    /// 32 hosts x 16,384 ports.
    fn plan() -> ScanPlan {
        let targets: crate::TargetSpec = "127.0.0.0/27".parse().unwrap();
        let ports = "1-16384".parse().unwrap();
        ScanPlan::new(&targets.addresses().unwrap(), &ports, Transport::Tcp, 1).unwrap()
    }

    fn error(port: u16) -> PortReport {
        PortReport {
            address: [127, 0, 0, 1].into(),
            port: Port::new(port),
            transport: Transport::Tcp,
            reason: Reason::NoRoute,
            rtt: None,
            attempts: 1,
        }
    }

    #[test]
    fn past_the_bound_what_could_not_be_asked_stays_an_error() {
        let (plan, folder) = (plan(), tempfile::tempdir().unwrap());
        let blocks = plan.blocks(Shard::WHOLE);
        let scan = Description::new(&plan, &blocks, Method::Connect, &[], "", &[PortState::Error]);
        let path = folder.path().join("file");
        let mut file = ResumeFile::open(&path, &scan, blocks).unwrap();
        let handle = ScanHandle::default();
        let mut ledger = Ledger::new(&mut file, &handle, blocks, Duration::ZERO);
        let mut reports = 0;
        for number in 0..blocks.len() {
            let piece = blocks.get(number).unwrap();
            let mut counted = Counted::default();
            for index in piece.clone() {
                counted.count(index, &error(1));
            }
            ledger.finding(piece.start, &error(1));
            reports += 1;
            ledger.piece(&piece, counted);
            ledger.write_if_due().unwrap();
        }
        ledger.close().unwrap();
        drop(file);
        let file = ResumeFile::open(&path, &scan, blocks).unwrap();
        let standing = file.standing();
        assert_eq!((plan.len(), standing.deferred.len()), (1 << 19, MAX_FAILED));
        let errors = Tally { probes: 1 << 18, errors: 1 << 18, ..Tally::default() };
        assert_eq!((standing.tally, standing.first_error), (errors, Some(Reason::NoRoute)));
        let mut kept = 0;
        file.replay(Transport::Tcp, |_| kept += 1).unwrap();
        assert_eq!((reports, kept), (128, 64), "only errors that stay are findings");
    }
}
