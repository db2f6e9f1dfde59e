//! Datagrams that the kernel dropped before they were read: said when the first are seen, and at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use ports_core::Transport;
use stats::{Snapshot, SocketStats};
use tokio::task::AbortHandle;

use crate::output::{Terminal, counted};

/// How often it is looked whether there are any, until there are.
const LOOK: Duration = Duration::from_secs(1);

/// See the module's first line.
#[derive(Debug)]
pub(in crate::commands) struct KernelDrops {
    terminal: Terminal,
    /// How many were said.
    said: Arc<AtomicU64>,
    looking: Option<AbortHandle>,
}

impl KernelDrops {
    pub(in crate::commands) fn new(terminal: Terminal) -> Self {
        Self { terminal, said: Arc::default(), looking: None }
    }

    /// Begins to look; within a runtime.
    pub(in crate::commands) fn look(&mut self, stats: &SocketStats) {
        let (terminal, said, stats) = (self.terminal, Arc::clone(&self.said), stats.clone());
        let looking = tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let drops = dropped(&stats.snapshot());
                if drops > 0 {
                    said.store(drops, Relaxed);
                    let datagrams = counted(drops, "datagram", "datagrams");
                    terminal.warn(&format!(
                        "the kernel drops what comes faster than it is read: {datagrams} so far"
                    ));
                    return;
                }
            }
        });
        self.looking = Some(looking.abort_handle());
    }

    /// Says how many it were, once all sockets are closed.
    pub(in crate::commands) fn end(self, last: &Snapshot) {
        if let Some(looking) = self.looking {
            looking.abort();
        }
        let drops = dropped(last);
        if drops > self.said.load(Relaxed) {
            let datagrams = counted(drops, "datagram", "datagrams");
            self.terminal.warn(&format!(
                "the kernel dropped what came faster than it was read: {datagrams}"
            ));
        }
    }
}

fn dropped(snapshot: &Snapshot) -> u64 {
    let datagrams = snapshot.groups.iter().filter(|group| group.transport == Transport::Udp);
    datagrams.map(|group| group.counters.dropped_received).sum()
}
