//! What every way of asking has in common: work in, findings out.

use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use ports_core::Port;

use crate::engine::{Engine, EngineEvent};
use crate::event::Method;

/// The longest sleep: how late a cancellation may be seen.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// The port that stands for an echo request where raw packets ask for hosts, not for ports.
pub(crate) const ECHO: Port = Port::ANY;

/// A way of asking ports, shared by all workers of a scan. Each worker gives it an engine to drive.
pub(crate) trait Prober: Sync {
    /// Its name.
    fn method(&self) -> Method;

    /// Works until there is no more work, or until cancelled.
    ///
    /// # Errors
    ///
    /// [`ProbeError`] where the worker's sockets or poller could not be had, or failed.
    fn run(&self, engine: Engine, source: &mut dyn WorkSource) -> Result<Worked, ProbeError>;

    /// Whether ports of `address` may be put off to a later pass, because only the scanner's own
    /// sockets kept it from judging them.
    fn may_defer(&self, _address: IpAddr) -> bool {
        false
    }
}

/// What a worker leaves behind.
#[derive(Debug)]
pub(crate) struct Worked {
    /// Knows what was done and what was put off.
    pub(crate) engine: Engine,
    /// Answers the kernel dropped before they were read.
    pub(crate) kernel_drops: u64,
}

/// Why a worker could not begin or go on.
#[derive(Debug)]
pub(crate) struct ProbeError {
    /// What was tried, to follow "cannot".
    pub(crate) operation: &'static str,
    /// What the system said.
    pub(crate) source: io::Error,
}

impl ProbeError {
    /// For `map_err`.
    pub(crate) fn of(operation: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { operation, source }
    }
}

/// Where a worker gets its work and leaves its findings.
pub(crate) trait WorkSource {
    /// More indices for the engine; `None` once there are no more.
    fn next_work(&mut self) -> Option<Range<u64>>;
    /// A finding, as soon as it is known.
    fn event(&mut self, event: EngineEvent);
    /// Indices that were put off, see [`Engine::take_deferred`].
    fn deferred(&mut self, indices: Vec<u64>);
    /// The engine has nothing more to say for now: pass on what was kept back.
    fn flush(&mut self, engine: &Engine);
    /// Whether to stop now.
    fn is_cancelled(&self) -> bool;
}

/// Gives the engine work as long as it wants some; `false` once there is no more.
pub(crate) fn feed(engine: &mut Engine, source: &mut dyn WorkSource) -> bool {
    while engine.wants_work() {
        let Some(indices) = source.next_work() else { return false };
        engine.add_work(indices);
    }
    true
}

/// How long a driver may sleep: until the engine has something to do.
pub(crate) fn sleep_time(engine: &Engine, now: Instant) -> Duration {
    let until = |at: Instant| at.saturating_duration_since(now).min(LONGEST_SLEEP);
    engine.poll_timeout().map_or(LONGEST_SLEEP, until)
}

/// Passes on what the engine has to say.
pub(crate) fn tell(engine: &mut Engine, source: &mut dyn WorkSource) {
    while let Some(event) = engine.poll_event() {
        source.event(event);
    }
    source.deferred(engine.take_deferred());
    source.flush(engine);
}
