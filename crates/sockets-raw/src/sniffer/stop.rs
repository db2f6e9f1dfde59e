//! Waking a sniffer that waits.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// Ends a [`Sniffer`](super::Sniffer)'s waiting, for good; from any thread.
#[derive(Clone, Debug)]
pub struct SnifferStop {
    event: Arc<OwnedFd>,
    is_set: Arc<AtomicBool>,
}

impl SnifferStop {
    /// The sniffer waits no more.
    pub fn stop(&self) {
        self.is_set.store(true, Ordering::Release);
        // It cannot fail but where the counter is full: then it is readable already.
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }
}

/// The sniffer's end of it.
#[derive(Debug)]
pub(super) struct StopEvent(SnifferStop);

impl StopEvent {
    pub(super) fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(SnifferStop { event: Arc::new(event), is_set: Arc::default() }))
    }

    pub(super) fn handle(&self) -> SnifferStop {
        self.0.clone()
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.is_set.load(Ordering::Acquire)
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}
