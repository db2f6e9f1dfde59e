//! Which address is tried next, and when: happy eyeballs (RFC 8305), without I/O or clock.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// Addresses that are tried one beside the other until the first connects.
///
/// They are tried in the order in which they come, families taking turns (RFC 8305 section 4). The
/// next one follows when the last was tried a delay ago (section 5), or at once when one failed.
#[derive(Clone, Debug)]
pub(super) struct Race {
    waiting: VecDeque<SocketAddr>,
    running: usize,
    delay: Duration,
    /// When the next one may be tried while others run.
    next_at: Duration,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Try this address, and ask again.
    Try(SocketAddr),
    /// Ask again then, or once a try has ended.
    WaitUntil(Duration),
    /// Ask again once a try has ended.
    Wait,
    /// All addresses have failed.
    Lost,
}

impl Race {
    pub(super) fn new(addresses: Vec<SocketAddr>, delay: Duration) -> Self {
        Self { waiting: interleave(addresses), running: 0, delay, next_at: Duration::ZERO }
    }

    /// What to do `now`, the time since the race began.
    #[must_use]
    pub(super) fn step(&mut self, now: Duration) -> Step {
        if self.waiting.is_empty() {
            return if self.running == 0 { Step::Lost } else { Step::Wait };
        }
        if self.running > 0 && now < self.next_at {
            return Step::WaitUntil(self.next_at);
        }
        match self.waiting.pop_front() {
            None => Step::Lost,
            Some(address) => {
                self.running += 1;
                self.next_at = now.saturating_add(self.delay);
                Step::Try(address)
            }
        }
    }

    /// A try has failed: the next one does not wait.
    pub(super) fn failed(&mut self) {
        debug_assert!(self.running > 0);
        self.running -= 1;
        self.next_at = Duration::ZERO;
    }

    /// The addresses that were not tried.
    pub(super) fn into_untried(self) -> Vec<SocketAddr> {
        self.waiting.into()
    }
}

/// Each address once; beginning with the first one's family, the families in turn.
fn interleave(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let begins_with_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second) = (VecDeque::new(), VecDeque::new());
    for address in addresses {
        let family = if address.is_ipv6() == begins_with_ipv6 { &mut first } else { &mut second };
        if !family.contains(&address) {
            family.push_back(address);
        }
    }
    let mut interleaved = VecDeque::with_capacity(first.len() + second.len());
    while !(first.is_empty() && second.is_empty()) {
        interleaved.extend(first.pop_front());
        interleaved.extend(second.pop_front());
    }
    interleaved
}

#[cfg(test)]
mod tests;
