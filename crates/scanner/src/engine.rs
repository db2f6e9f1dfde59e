//! The scan engine: what to probe next and what an answer means. No socket, no clock.

mod config;
mod message;
mod pacer;
mod rtt;
mod slots;
mod wheel;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use config::EngineConfig;
pub use message::{EngineEvent, LocalError, Probe, Reply, Silence};
use pacer::Pacer;
use ports_core::{Port, Transport};
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
    /// How many different questions a port is asked, see [`Self::ask_in_turn`].
    questions: fn(Port) -> u32,
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
            questions: |_| 1,
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

    /// The attempts at a port ask so many different questions in turn, at least one. Each is repeated as
    /// often as the one question of other ports is, and an answer to a question that was asked for the
    /// first time is no evidence of loss.
    pub fn ask_in_turn(&mut self, questions: fn(Port) -> u32) {
        self.questions = questions;
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
        // A port in `ready` may have been answered meanwhile, late.
        let waiting =
            std::iter::from_fn(|| self.ready.pop_front()).find(|id| self.slots.find(*id).is_some());
        let index = match waiting {
            Some(id) => id.index(),
            None if self.paused.len() < MAX_PAUSED => self.start_next_port(now)?,
            None => return None,
        };
        let (id, slot) = self.slots.at(index, 0)?;
        let (id, slot) =
            self.slots.at(index, slot.attempts.saturating_add(1)).unwrap_or((id, slot));
        let target = slot.target;
        let wait = self.timeout_of(target.ip(), id.attempt());
        let slot = self.slots.find(id)?;
        slot.attempts = id.attempt();
        slot.sent_at = now;
        slot.in_flight = true;
        if slot.attempts == 1 {
            slot.first_sent = now;
        }
        self.timers.arm(id.index(), now + wait);
        self.pacer.sent();
        self.outstanding += 1;
        self.tally.sent += 1;
        Some(Probe { id, target })
    }

    fn start_next_port(&mut self, now: Instant) -> Option<u32> {
        let range = self.work.front_mut()?;
        let index = range.start;
        range.start += 1;
        if range.is_empty() {
            self.work.pop_front();
        }
        let (group, target) = self.reader.read(&self.plan, index);
        self.groups.start(group);
        let slot = Slot {
            index,
            group,
            target,
            attempts: 0,
            first_sent: now,
            sent_at: now,
            in_flight: false,
        };
        Some(self.slots.insert(slot))
    }

    /// The id of a probe that an answer names by its number ([`ProbeId::index`]), its port and its
    /// attempt; `None` where no such port is under way, or it was not asked that often yet.
    #[must_use]
    pub fn find(&self, index: u32, target: SocketAddr, attempt: u32) -> Option<ProbeId> {
        let (id, slot) = self.slots.at(index, attempt)?;
        (slot.target == target && (1..=slot.attempts).contains(&attempt)).then_some(id)
    }

    /// The probe left only now: something had to be found out first. Its wait begins anew.
    pub fn note_departed(&mut self, now: Instant, id: ProbeId) {
        let Some(slot) = self.slots.find(id) else { return };
        if !slot.in_flight || slot.attempts != id.attempt() {
            return;
        }
        slot.sent_at = now;
        if slot.attempts == 1 {
            slot.first_sent = now;
        }
        let target = slot.target;
        self.timers.disarm(id.index());
        self.timers.arm(id.index(), now + self.timeout_of(target.ip(), id.attempt()));
    }

    /// The kernel dropped `count` packets of ours, or answers to us, for want of room.
    pub fn handle_kernel_drops(&mut self, now: Instant, count: u64) {
        if count > 0 {
            self.pacer.answered(now, true);
        }
    }

    /// A probe was answered. An answer for a port that has its verdict is ignored; one to an earlier
    /// attempt is as good as any.
    pub fn handle_reply(&mut self, now: Instant, id: ProbeId, reply: Reply) {
        let Some(slot) = self.end_attempt(id) else { return };
        self.starved_since = None;
        self.widen();
        let asked_at = if id.attempt() == slot.attempts {
            Some(slot.sent_at)
        } else {
            (id.attempt() == 1).then_some(slot.first_sent)
        };
        let rtt = asked_at.map(|at| now.saturating_duration_since(at));
        let reason = match reply {
            Reply::Open => Reason::SynAck,
            Reply::Datagram => Reason::UdpResponse,
            Reply::Closed => Reason::Reset,
            Reply::HostUnreachable => Reason::HostUnreachable,
            Reply::NetworkUnreachable => Reason::NetworkUnreachable,
            Reply::PortUnreachable => Reason::PortUnreachable,
            Reply::AdminProhibited => Reason::AdminProhibited,
            Reply::ProtocolUnreachable => Reason::ProtocolUnreachable,
        };
        let from_host = match reply {
            Reply::Open | Reply::Closed | Reply::Datagram => true,
            Reply::PortUnreachable => self.plan.transport() == Transport::Udp,
            _ => false,
        };
        if from_host {
            // A host that limits its ICMP errors answers late attempts without any loss.
            let questions = self.questions_for(slot.target);
            let repeated = id.attempt() > questions && reply != Reply::PortUnreachable;
            self.pacer.answered(now, repeated);
            self.note_rtt(&slot, rtt.unwrap_or_default());
        }
        self.conclude(id, reason, rtt.filter(|_| from_host));
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
        self.handle_silence(now, |target| match local_cause(target.ip()) {
            Some(error) => Silence::Local(error),
            None => Silence::Remote(Reason::NoResponse),
        });
    }

    /// As [`handle_timeout`](Self::handle_timeout), where the driver has more to say of a port that
    /// stayed silent: `meaning` is asked at the last attempt only.
    pub fn handle_silence(&mut self, now: Instant, mut meaning: impl FnMut(SocketAddr) -> Silence) {
        self.timers.expire(now, &mut self.due);
        while let Some(index) = self.due.pop() {
            let attempts = self.slots.at(index, 0).map_or(0, |(_, slot)| slot.attempts);
            let Some((id, _)) = self.slots.at(index, attempts) else { continue };
            let Some(slot) = self.end_attempt(id) else { continue };
            self.starved_since = None;
            self.widen();
            self.expired.push_back(id);
            let rounds = u32::from(self.config.retries) + 1;
            if slot.attempts >= rounds.saturating_mul(self.questions_for(slot.target)) {
                let reason = match meaning(slot.target) {
                    Silence::Remote(reason) => reason,
                    Silence::Local(error) => {
                        self.uncount_unsent(&slot, error);
                        error.reason()
                    }
                };
                self.conclude(id, reason, None);
            } else {
                self.ready.push_back(id);
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

    fn questions_for(&self, target: SocketAddr) -> u32 {
        (self.questions)(Port::new(target.port())).max(1)
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
        let slot = self.slots.find(id)?;
        if std::mem::replace(&mut slot.in_flight, false) {
            self.outstanding -= 1;
            self.timers.disarm(id.index());
        }
        Some(*slot)
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
        self.paused.push_back((now + RESOURCE_PAUSE, id));
    }

    fn conclude(&mut self, id: ProbeId, reason: Reason, rtt: Option<Duration>) {
        let Some(slot) = self.slots.remove(id) else { return };
        self.groups.end(slot.group);
        let report = PortReport {
            address: slot.target.ip(),
            port: Port::new(slot.target.port()),
            transport: self.plan.transport(),
            reason,
            rtt,
            attempts: slot.attempts,
        };
        self.tally.count(report.state());
        self.events.push_back(EngineEvent::Port { index: slot.index, report });
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
