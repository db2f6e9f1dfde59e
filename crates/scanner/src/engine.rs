//! The scan engine: what to probe next and what an answer means. No socket, no clock.

mod config;
mod message;
mod pacer;
mod rtt;
mod slots;
mod wheel;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use config::EngineConfig;
pub use message::{EngineEvent, LocalError, Probe, Reply};
use pacer::Pacer;
use ports_core::Port;
use rtt::RttEstimator;
pub use slots::ProbeId;
use slots::{GroupsInFlight, Slot, Slots};
use wheel::TimerWheel;

use crate::plan::{PlanReader, ScanPlan};
use crate::state::{PortReport, Reason, Tally};

/// How long a probe waits that found no descriptor, port or buffer.
const RESOURCE_PAUSE: Duration = Duration::from_millis(5);
/// Ports that may wait for resources at once; no new one is begun before one of them went.
const MAX_PAUSED: usize = 64;
/// How long the machine may be out of resources, with no probe of ours in flight to give some back,
/// before the engine gives up.
const RESOURCE_PATIENCE: Duration = Duration::from_secs(2);

/// A scan as a state machine: feed it work, replies and the time, and it says what to send and what
/// was found.
///
/// The driver calls, in a loop: [`poll_probe`](Self::poll_probe) until `None`, sending each;
/// [`handle_reply`](Self::handle_reply) or [`handle_local_error`](Self::handle_local_error) for what
/// came of them; [`handle_timeout`](Self::handle_timeout) and [`poll_expired`](Self::poll_expired)
/// to let go of probes that waited long enough; [`poll_event`](Self::poll_event) until `None`. It may
/// sleep until [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Engine {
    plan: Arc<ScanPlan>,
    reader: PlanReader,
    config: EngineConfig,
    pacer: Pacer,
    work: VecDeque<Range<u64>>,
    slots: Slots,
    groups: GroupsInFlight,
    timers: TimerWheel,
    /// Slots whose next attempt may go at once.
    ready: VecDeque<ProbeId>,
    /// Slots that wait out a lack of resources, in order of time.
    paused: VecDeque<(Instant, ProbeId)>,
    expired: VecDeque<ProbeId>,
    due: Vec<u32>,
    deferred: Vec<u64>,
    hosts: HashMap<IpAddr, Host>,
    /// The latest group that a host of `hosts` belongs to.
    hosts_group: u64,
    window: usize,
    outstanding: usize,
    starved_since: Option<Instant>,
    stalled: bool,
    events: VecDeque<EngineEvent>,
    tally: Tally,
}

#[derive(Debug)]
struct Host {
    rtt: RttEstimator,
    group: u64,
}

impl Engine {
    /// An engine without work.
    pub fn new(now: Instant, plan: Arc<ScanPlan>, config: EngineConfig) -> Self {
        let config = config.bounded();
        Self {
            reader: PlanReader::new(&plan),
            plan,
            groups: GroupsInFlight::default(),
            pacer: Pacer::new(now, config.rate, config.share),
            work: VecDeque::new(),
            slots: Slots::default(),
            timers: TimerWheel::new(now),
            ready: VecDeque::new(),
            paused: VecDeque::new(),
            expired: VecDeque::new(),
            due: Vec::new(),
            deferred: Vec::new(),
            hosts: HashMap::new(),
            hosts_group: 0,
            window: config.max_in_flight,
            outstanding: 0,
            starved_since: None,
            stalled: false,
            events: VecDeque::new(),
            tally: Tally::default(),
            config,
        }
    }

    /// Adds indices of the plan to the work.
    pub fn add_work(&mut self, indices: Range<u64>) {
        if !indices.is_empty() {
            self.work.push_back(indices);
        }
    }

    /// Whether the engine could start on more work than it has.
    pub fn wants_work(&self) -> bool {
        self.work.is_empty() && !self.stalled
    }

    /// Whether all work has a verdict or was put off.
    pub fn is_idle(&self) -> bool {
        self.stalled || (self.work.is_empty() && self.slots.is_empty())
    }

    /// The indices of ports that only the scanner's own sockets kept it from judging. To be scanned
    /// again once those sockets are closed.
    pub fn take_deferred(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.deferred)
    }

    /// What was done so far.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// The next probe to send now, if any may go.
    #[must_use]
    pub fn poll_probe(&mut self, now: Instant) -> Option<Probe> {
        if self.stalled || self.outstanding >= self.window || !self.pacer.may_send(now) {
            return None;
        }
        while self.paused.front().is_some_and(|(at, _)| *at <= now) {
            self.ready.extend(self.paused.pop_front().map(|(_, id)| id));
        }
        let id = match self.ready.pop_front() {
            Some(id) => id,
            None if self.paused.len() < MAX_PAUSED => self.start_next_port(now)?,
            None => return None,
        };
        // A slot in `ready` lives until its attempt is sent.
        let slot = self.slots.find(id)?;
        slot.attempts = slot.attempts.saturating_add(1);
        slot.sent_at = now;
        let probe = Probe { id, target: slot.target, attempt: slot.attempts };
        let wait = self.timeout_of(probe.target.ip(), probe.attempt);
        self.timers.arm(id.index(), now + wait);
        self.pacer.sent();
        self.outstanding += 1;
        self.tally.sent += 1;
        Some(probe)
    }

    fn start_next_port(&mut self, now: Instant) -> Option<ProbeId> {
        let range = self.work.front_mut()?;
        let index = range.start;
        range.start += 1;
        if range.is_empty() {
            self.work.pop_front();
        }
        let (group, target) = self.reader.read(&self.plan, index);
        self.groups.start(group);
        Some(self.slots.insert(Slot { index, group, target, attempts: 0, sent_at: now }))
    }

    /// A probe was answered. An answer to a probe that is over is ignored.
    pub fn handle_reply(&mut self, now: Instant, id: ProbeId, reply: Reply) {
        let Some(slot) = self.end_attempt(id) else { return };
        self.starved_since = None;
        self.widen();
        let rtt = now.saturating_duration_since(slot.sent_at);
        let reason = match reply {
            Reply::Open => Reason::SynAck,
            Reply::Closed => Reason::Reset,
            Reply::HostUnreachable => Reason::HostUnreachable,
            Reply::NetworkUnreachable => Reason::NetworkUnreachable,
            Reply::PortUnreachable => Reason::PortUnreachable,
            Reply::AdminProhibited => Reason::AdminProhibited,
        };
        let from_host = matches!(reply, Reply::Open | Reply::Closed);
        if from_host {
            self.pacer.answered(now, slot.attempts > 1);
            self.note_rtt(&slot, rtt);
        }
        self.conclude(id, reason, from_host.then_some(rtt));
    }

    /// A probe could not be sent or judged, by no fault of the target.
    pub fn handle_local_error(&mut self, now: Instant, id: ProbeId, error: LocalError) {
        let Some(slot) = self.end_attempt(id) else { return };
        self.uncount_unsent(&slot, error);
        match error {
            LocalError::Resources => self.pause(now, id),
            LocalError::OwnSocket => {
                self.slots.remove(id);
                self.groups.end(slot.group);
                self.deferred.push(slot.index);
            }
            _ => self.conclude(id, error.reason(), None),
        }
    }

    /// The time has come to `now`: probes that waited long enough expire. Before the silence of a
    /// host becomes a verdict, `local_cause` may say that it is this machine's own failure.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        mut local_cause: impl FnMut(IpAddr) -> Option<LocalError>,
    ) {
        self.timers.expire(now, &mut self.due);
        while let Some(index) = self.due.pop() {
            let Some(id) = self.slots.id_at(index) else { continue };
            let Some(slot) = self.end_attempt(id) else { continue };
            self.starved_since = None;
            self.widen();
            self.expired.push_back(id);
            if slot.attempts > u32::from(self.config.retries) {
                let cause = local_cause(slot.target.ip());
                if let Some(error) = cause {
                    self.uncount_unsent(&slot, error);
                }
                self.conclude(id, cause.map_or(Reason::NoResponse, LocalError::reason), None);
            } else {
                let next = self.slots.next_attempt(id);
                self.ready.extend(next);
            }
        }
    }

    /// A probe that timed out: its socket is of no more use.
    #[must_use]
    pub fn poll_expired(&mut self) -> Option<ProbeId> {
        self.expired.pop_front()
    }

    /// When the engine next has something to do by itself; `None` where only a reply can move it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let pending = if self.outstanding >= self.window {
            None
        } else if self.ready.is_empty() && (self.work.is_empty() || self.paused.len() >= MAX_PAUSED)
        {
            self.paused.front().map(|(at, _)| *at)
        } else {
            Some(self.pacer.next_at())
        };
        let send = pending.map(|at| at.max(self.pacer.next_at()));
        [send, self.timers.next_look()].into_iter().flatten().min()
    }

    /// The next thing found.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<EngineEvent> {
        self.events.pop_front()
    }

    /// The lowest host group that still has ports under way, or that the next port will be of.
    pub(crate) fn oldest_group(&self) -> u64 {
        self.groups.oldest().unwrap_or(self.hosts_group)
    }

    /// After a lack of resources: each probe that ends makes room for one more.
    fn widen(&mut self) {
        self.window = (self.window + 1).min(self.config.max_in_flight);
    }

    /// Whatever the error, this probe never left the machine; to a neighbour that never resolved,
    /// none of the earlier ones did.
    fn uncount_unsent(&mut self, slot: &Slot, error: LocalError) {
        let unresolved = error == LocalError::NeighbourUnresolved;
        self.tally.sent -= if unresolved { u64::from(slot.attempts) } else { 1 };
    }

    fn end_attempt(&mut self, id: ProbeId) -> Option<Slot> {
        let slot = *self.slots.find(id)?;
        self.timers.disarm(id.index());
        self.outstanding -= 1;
        Some(slot)
    }

    /// The probe did not leave: not an attempt. The window shrinks to what the machine can hold.
    fn pause(&mut self, now: Instant, id: ProbeId) {
        if let Some(slot) = self.slots.find(id) {
            slot.attempts -= 1;
        }
        self.window = self.outstanding.max(1);
        if self.outstanding > 0 {
            self.starved_since = None;
        } else {
            let since = *self.starved_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= RESOURCE_PATIENCE {
                self.stalled = true;
                self.conclude(id, Reason::NoResources, None);
                self.events.push_back(EngineEvent::Stalled);
                return;
            }
        }
        let next = self.slots.next_attempt(id);
        self.paused.extend(next.map(|id| (now + RESOURCE_PAUSE, id)));
    }

    fn conclude(&mut self, id: ProbeId, reason: Reason, rtt: Option<Duration>) {
        let Some(slot) = self.slots.remove(id) else { return };
        self.groups.end(slot.group);
        self.tally.count(reason.state());
        self.events.push_back(EngineEvent::Port(PortReport {
            address: slot.target.ip(),
            port: Port::new(slot.target.port()),
            transport: self.plan.transport(),
            reason,
            rtt,
            attempts: slot.attempts,
        }));
    }

    fn note_rtt(&mut self, slot: &Slot, rtt: Duration) {
        let address = slot.target.ip();
        if let Some(host) = self.hosts.get_mut(&address) {
            host.rtt.sample(rtt);
            return;
        }
        if slot.group > self.hosts_group {
            // What is known of the hosts of a group that is done is of no more use.
            self.hosts_group = slot.group;
            let oldest = self.oldest_group();
            self.hosts.retain(|_, host| host.group >= oldest);
        }
        self.hosts.insert(address, Host { rtt: RttEstimator::new(rtt), group: slot.group });
        self.events.push_back(EngineEvent::HostUp { address, group: slot.group, rtt });
    }

    /// Each further attempt waits twice as long: an estimate that is too low corrects itself.
    fn timeout_of(&self, address: IpAddr, attempt: u32) -> Duration {
        let EngineConfig { min_timeout, timeout, .. } = self.config;
        let Some(host) = self.hosts.get(&address) else { return timeout };
        let doublings = attempt.saturating_sub(1).min(16);
        (host.rtt.timeout(min_timeout) * (1 << doublings)).min(timeout)
    }
}

#[cfg(test)]
mod tests;
