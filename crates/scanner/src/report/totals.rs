//! All scans of one report together.

use std::time::Duration;

use crate::event::ScanSummary;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) hosts: u64,
    pub(super) hosts_up: u64,
    pub(super) elapsed: Duration,
    pub(super) unfinished: u64,
}

impl Totals {
    /// One more scan has ended.
    pub(super) fn add(&mut self, summary: &ScanSummary) {
        self.hosts += summary.hosts;
        self.hosts_up += summary.hosts_up;
        self.elapsed += summary.elapsed;
        self.unfinished += summary.unfinished;
    }
}
