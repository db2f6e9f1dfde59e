//! Keeps the resume file up to date while a scan runs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::pieces::Counted;
use crate::block::{Blocks, CellSet};
use crate::progress::ScanHandle;
use crate::resume::{Checkpoint, ResumeError, ResumeFile, StoredPort};
use crate::state::PortReport;

/// How long what is done may stay unwritten; half of the second that is promised.
pub(super) const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
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
    pub(super) fn piece(&mut self, piece: &Range<u64>, counted: Counted) {
        let (first, last) = (self.blocks.cell(piece.start), self.blocks.cell(piece.end - 1));
        // A piece is handed out, and so finished, but once.
        let new = self.finished.insert(first..last + 1);
        debug_assert!(new, "the piece {piece:?} was finished twice");
        self.pending.add(&counted.tally, counted.error);
        self.pending.deferred.extend(counted.deferred);
        let findings = self.findings.extract_if(piece.clone(), |_, _| true);
        self.pending.ports.extend(findings.map(|(_, report)| StoredPort::from(&report)));
    }

    /// A port that had been put off has its verdict, which is a finding where it is `shown`.
    pub(super) fn judged_late(&mut self, index: u64, report: &PortReport, shown: bool) {
        let mut counted = Counted::default();
        counted.count(report);
        self.pending.add(&counted.tally, counted.error);
        self.pending.judged.push(index);
        self.pending.ports.extend(shown.then(|| StoredPort::from(report)));
    }

    /// The kernel dropped so many answers.
    pub(super) const fn kernel_drops(&mut self, count: u64) {
        self.pending.kernel_drops += count;
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
        let sent = self.sent_before.wrapping_add(self.handle.sent());
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
