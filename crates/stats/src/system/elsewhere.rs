//! Other systems than Linux: nothing is read yet, and that is said.

use std::time::Duration;

use super::{
    EndedSocket, EndingsError, OtherNetworks, PortRules, ProcessDetails, Query, Snapshot,
    SnapshotError, UserNames,
};

/// Reads nothing.
#[derive(Debug)]
pub(super) struct Backend;

impl Backend {
    pub(super) const fn new(_: Duration) -> Self {
        Self
    }

    #[allow(clippy::unused_self, reason = "the same as on Linux")]
    pub(super) const fn set_recheck_after(&mut self, _: Duration) {}

    #[allow(clippy::unused_self, reason = "the same as on Linux")]
    pub(super) const fn snapshot(
        &mut self,
        _: &Query,
        _: Option<&Snapshot>,
    ) -> Result<Snapshot, SnapshotError> {
        Err(SnapshotError::Unsupported)
    }
}

/// Hears nothing.
#[derive(Debug)]
pub(super) enum Listener {}

impl Listener {
    pub(super) const fn open(_: usize) -> Result<Self, EndingsError> {
        Err(EndingsError::Unsupported)
    }

    pub(super) const fn wait(
        &mut self,
        _: Duration,
        _: usize,
        _: &mut Vec<EndedSocket>,
    ) -> Result<usize, EndingsError> {
        match *self {}
    }

    pub(super) const fn losses(&self) -> u64 {
        match *self {}
    }
}

pub(super) const fn process_uid(_: u32) -> Result<Option<u32>, SnapshotError> {
    Err(SnapshotError::Unsupported)
}

pub(super) const fn process_cgroup(_: u32) -> Result<Option<String>, SnapshotError> {
    Err(SnapshotError::Unsupported)
}

pub(super) const fn process_details(
    _: u32,
    _: &UserNames,
) -> Result<Option<ProcessDetails>, SnapshotError> {
    Err(SnapshotError::Unsupported)
}

pub(super) const fn other_networks() -> Result<OtherNetworks, SnapshotError> {
    Err(SnapshotError::Unsupported)
}

pub(super) const fn port_rules() -> Result<PortRules, SnapshotError> {
    Err(SnapshotError::Unsupported)
}

#[cfg(test)]
mod tests {
    use crate::system::{Endings, EndingsError, Query, SnapshotError, SystemSockets, UserNames};

    #[test]
    fn it_is_said_that_nothing_is_read_here() {
        let mut sockets = SystemSockets::new();
        let snapshot = sockets.snapshot(&Query::default());
        assert!(matches!(snapshot, Err(SnapshotError::Unsupported)));
        let details = crate::system::ProcessDetails::of(1, &UserNames::default());
        assert!(matches!(details, Err(SnapshotError::Unsupported)));
        assert!(matches!(Endings::open(), Err(EndingsError::Unsupported)));
    }
}
