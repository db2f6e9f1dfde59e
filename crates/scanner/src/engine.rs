//! The scan engine: what to probe next and what an answer means. No socket, no clock.

mod attempts;
mod config;
mod congestion;
mod groups;
mod held;
mod message;
mod pacer;
mod rtt;
mod shortage;
mod slots;
mod void;
mod waiting;
mod wheel;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attempts::Attempts;
pub use config::EngineConfig;
use congestion::Fate;
use groups::Groups;
use message::Voice;
pub use message::{EngineEvent, LocalError, Probe, Reply, Silence};
use pacer::Pacer;
use ports_core::Port;
pub use slots::ProbeId;
use slots::{Slot, Slots};
use wheel::TimerWheel;

use crate::plan::{PlanReader, ScanPlan};
use crate::state::{PortReport, Reason, Tally};

/// Ports that may wait for resources at once; no new one is begun before one of them went.
const MAX_PAUSED: usize = 64;
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
    in_turn: bool,
    pacer: Pacer,
    /// See [`Pacer::slowdowns`], as the attempts know it.
    slowdowns: u32,
    work: VecDeque<Range<u64>>,
    slots: Slots,
    groups: Groups,
    attempts: Attempts,
    timers: TimerWheel,
    /// Slots whose next attempt may go at once.
    ready: VecDeque<ProbeId>,
    /// Slots that wait out a lack of resources, in order of time.
    paused: VecDeque<(Instant, ProbeId)>,
    expired: VecDeque<ProbeId>,
    due: Vec<u32>,
    deferred: Vec<u64>,
    window: usize,
    outstanding: usize,
    starved_since: Option<Instant>,
    stalled: bool,
    events: VecDeque<EngineEvent>,
    tally: Tally,
}

impl Engine {
    /// An engine without work.
    pub fn new(now: Instant, plan: Arc<ScanPlan>, config: EngineConfig) -> Self {
        let config = config.bounded();
        Self {
            reader: PlanReader::new(&plan),
            attempts: Attempts::new(&config, plan.hosts(), plan.len() as f64 * config.share),
            groups: Groups::default(),
            questions: |_| 1,
            in_turn: false,
            pacer: Pacer::new(now, config.rate, config.share),
            slowdowns: 0,
            work: VecDeque::new(),
            slots: Slots::default(),
            timers: TimerWheel::new(now),
            ready: VecDeque::new(),
            paused: VecDeque::new(),
            expired: VecDeque::new(),
            due: Vec::new(),
            deferred: Vec::new(),
            window: config.max_in_flight,
            outstanding: 0,
            starved_since: None,
            stalled: false,
            events: VecDeque::new(),
            tally: Tally::default(),
            plan,
            config,
        }
    }

    /// The attempts at a port ask so many different questions in turn, at least one. Each is repeated as
    /// often as the one question of other ports is, and an answer to a question that was asked for the
    /// first time is no evidence of loss.
    pub fn ask_in_turn(&mut self, questions: fn(Port) -> u32) {
        self.questions = questions;
        self.in_turn = true;
    }

    /// How many ports the whole scan asks about, where it is not the whole plan. What may be missed of
    /// them is an estimate for all.
    pub fn expect(&mut self, ports: u64) {
        self.attempts.expect(ports as f64 * self.config.share);
    }

    /// Adds indices of the plan to the work; those beyond its end are none, and are left out.
    pub fn add_work(&mut self, indices: Range<u64>) {
        let indices = indices.start..indices.end.min(self.plan.len());
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
        let begun = if self.begins_first() { self.start_next_port(now) } else { None };
        let index = match begun.or_else(|| self.next_ready()) {
            Some(index) => index,
            None if self.paused.len() < MAX_PAUSED => self.start_next_port(now)?,
            None => return None,
        };
        let attempt = self.slots.at(index, 0)?.1.attempts.saturating_add(1);
        let (id, slot) = self.slots.at(index, attempt)?;
        let mut begun = *slot;
        self.forget_void(&mut begun, attempt);
        let (wait, as_last) = self.timeout_of(&begun, attempt);
        begun.begin_attempt(now, attempt);
        begun.as_last = as_last;
        let slot = self.slots.find(id)?;
        *slot = begun;
        let target = slot.target;
        self.timers.arm(id.index(), now + wait);
        self.pacer.sent();
        self.outstanding += 1;
        self.tally.sent += 1;
        Some(Probe { id, target })
    }

    /// Where ports are asked many questions, each is asked its first one before others are asked again.
    fn begins_first(&self) -> bool {
        self.in_turn && self.paused.is_empty() && self.slots.len() < self.config.max_in_flight
    }

    /// A port in `ready` may have been answered meanwhile, late.
    fn next_ready(&mut self) -> Option<u32> {
        let ready = std::iter::from_fn(|| self.ready.pop_front());
        let mut waiting =
            ready.filter(|id| self.slots.find(*id).is_some_and(|slot| !slot.in_flight));
        waiting.next().map(ProbeId::index)
    }

    fn start_next_port(&mut self, now: Instant) -> Option<u32> {
        let range = self.work.front_mut()?;
        let index = range.start;
        range.start += 1;
        if range.is_empty() {
            self.work.pop_front();
        }
        let place = self.reader.read(&self.plan, index);
        let group = self.groups.start(place.group, place.group_hosts);
        Some(self.slots.insert(Slot::new(now, index, group, &place)))
    }

    /// The id of a probe that an answer names by its number ([`ProbeId::index`]), its port and its
    /// attempt; `None` where no such port is under way, or it was not asked that often yet.
    #[must_use]
    pub fn find(&self, index: u32, target: SocketAddr, attempt: u32) -> Option<ProbeId> {
        let (id, slot) = self.slots.at(index, attempt)?;
        (slot.target == target && (1..=slot.attempts).contains(&attempt)).then_some(id)
    }

    /// The kernel dropped packets of ours, or answers to us, for want of room.
    pub fn handle_kernel_drops(&mut self) {
        self.pacer.overrun();
    }

    /// The host of a probe spoke by itself, as in an ICMP error of its own: it is up.
    pub fn note_host(&mut self, id: ProbeId) {
        if let Some(slot) = self.slots.find(id).copied() {
            self.hear(&slot, None);
        }
    }

    /// A probe was answered. An answer for a port that has its verdict is ignored; one to an earlier
    /// attempt is as good as any.
    ///
    /// That a host or network cannot be reached may be true of one path or moment only (a soft error,
    /// RFC 1122 section 4.2.3.9): the port is asked again, and it is the verdict where nothing better
    /// comes.
    pub fn handle_reply(&mut self, now: Instant, id: ProbeId, reply: Reply) {
        if matches!(reply, Reply::HostUnreachable | Reply::NetworkUnreachable) {
            if let Some(slot) = self.slots.find(id) {
                slot.soft = Some(reply.reason());
            }
            return;
        }
        let Some(slot) = self.end_attempt(id) else { return };
        self.starved_since = None;
        self.widen();
        let rtt = slot.asked_at(id.attempt()).map(|at| now.saturating_duration_since(at));
        let voice = reply.voice(self.plan.transport());
        if voice == Voice::Port {
            let round = self.round_of(slot.target, id.attempt());
            // The attempt before is known to be lost, if it asked the same; later ones were needless.
            let lost = (round == id.attempt()).then(|| slot.asked_at(round.saturating_sub(1)));
            let fate = Fate { answered: slot.asked_at(id.attempt()), lost: lost.flatten() };
            self.pacer.answered(now, fate);
            let open = matches!(reply, Reply::Open | Reply::Datagram | Reply::Echo);
            self.attempts.answered(self.counted(&slot, round), open);
        }
        if reply == Reply::Neighbour {
            // Each wait was for a question of its own.
            self.attempts.answered(Some(u32::from(slot.held).max(1)), false);
            self.uncount_unsent(&slot, LocalError::NeighbourUnresolved);
        }
        if voice != Voice::Network {
            self.hear(&slot, rtt);
        }
        if slot.attempts == 1 {
            self.attempts.tried();
        }
        self.conclude(id, reply.reason(), rtt.filter(|_| voice != Voice::Network));
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

    fn questions_for(&self, target: SocketAddr) -> u32 {
        (self.questions)(Port::new(target.port())).max(1)
    }

    /// How often, with that attempt, the port has been asked its question.
    fn round_of(&self, target: SocketAddr, attempt: u32) -> u32 {
        attempt.div_ceil(self.questions_for(target))
    }

    fn end_attempt(&mut self, id: ProbeId) -> Option<Slot> {
        let slot = self.slots.find(id)?;
        if std::mem::replace(&mut slot.in_flight, false) {
            self.outstanding -= 1;
            self.timers.disarm(id.index());
        }
        Some(*slot)
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
}

#[cfg(test)]
mod any_order;
#[cfg(test)]
mod model;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod tests;
