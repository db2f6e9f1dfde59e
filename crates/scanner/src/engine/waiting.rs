//! How long and how often the engine waits for a port, and what it learns of the host meanwhile.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::slots::Slot;
use super::{Engine, EngineConfig, EngineEvent, LocalError, ProbeId, Silence};
use crate::state::Reason;

/// Attempts that follow each other at once, and how much longer than the last each further one waits.
const CLOSE_ATTEMPTS: u32 = 2;
const SPACING: f64 = 1.5;

impl Engine {
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
        self.note_slowdown();
        self.attempts.update();
        self.timers.expire(now, &mut self.due);
        while let Some(index) = self.due.pop() {
            let attempts = self.slots.at(index, 0).map_or(0, |(_, slot)| slot.attempts);
            let Some((id, _)) = self.slots.at(index, attempts) else { continue };
            self.starved_since = None;
            self.silent(now, id, &mut meaning);
        }
    }

    fn silent(
        &mut self,
        now: Instant,
        id: ProbeId,
        meaning: &mut impl FnMut(SocketAddr) -> Silence,
    ) {
        if self.slots.find(id).is_some_and(|slot| slot.is_held()) {
            return self.held_long(now, id, meaning);
        }
        let Some(slot) = self.end_attempt(id) else { return };
        self.note_silence(now, &slot);
        let rounds = self.worth(now, &slot);
        if !self.was_asked(&slot, rounds) {
            self.ask_again(id);
            return;
        }
        if let Some(left) = self.patience_left(now, &slot)
            && let Some(slot) = self.slots.find(id)
        {
            (slot.in_flight, slot.as_last) = (true, true);
            self.outstanding += 1;
            self.timers.arm(id.index(), now + left);
            return;
        }
        if self.may_be_lost(&slot) {
            self.ask_again(id);
            return;
        }
        self.widen();
        self.expired.push_back(id);
        let reason = match (slot.soft, meaning(slot.target)) {
            (_, Silence::Local(error)) => {
                self.uncount_unsent(&slot, error);
                error.reason()
            }
            (Some(soft), _) => soft,
            (None, Silence::Remote(reason)) => reason,
        };
        self.conclude(id, reason, None);
    }

    /// What waits for the answer to the last attempt may go; the next one follows.
    fn ask_again(&mut self, id: ProbeId) {
        self.widen();
        self.expired.push_back(id);
        self.ready.push_back(id);
    }

    /// One more attempt at the port was not answered.
    pub(super) fn note_silence(&mut self, now: Instant, slot: &Slot) {
        if slot.attempts == 1 {
            self.attempts.tried();
        }
        let host = self.groups.host(slot.group, slot.host);
        if host.up {
            self.attempts.up_but_silent();
        } else if now.saturating_duration_since(slot.first_sent) >= self.config.timeout {
            // Only now would a host that is far away have answered, too.
            host.silent = host.silent.saturating_add(1);
        }
    }

    /// How many attempts the silence of this port is worth.
    pub(super) fn worth(&mut self, now: Instant, slot: &Slot) -> u32 {
        let host = self.groups.host(slot.group, slot.host);
        let waited = now.saturating_duration_since(slot.first_sent) >= self.config.timeout;
        if !host.up && waited && host.silent > self.attempts.dead_after() {
            return 1;
        }
        self.attempts.needed()
    }

    /// How much longer the last attempt is to be waited for: it was not known to be the last when it
    /// was sent, and other hosts' times must not judge a slow one.
    pub(super) fn patience_left(&mut self, now: Instant, slot: &Slot) -> Option<Duration> {
        if slot.as_last {
            return None;
        }
        let whole = self.wait_for(slot, slot.attempts, true);
        let left = whole.saturating_sub(now.saturating_duration_since(slot.sent_at));
        (!left.is_zero()).then_some(left)
    }

    /// The host of `slot` was heard.
    pub(super) fn hear(&mut self, slot: &Slot, rtt: Option<Duration>) {
        let host = self.groups.host(slot.group, slot.host);
        let first = !std::mem::replace(&mut host.up, true);
        let silent = host.silent;
        if let Some(rtt) = rtt {
            host.rtt.sample(rtt);
            self.groups.group(slot.group).rtt.sample(rtt);
        }
        if first {
            self.attempts.host_up(silent);
            let (address, group) = (slot.target.ip(), self.groups.number(slot.group));
            let rtt = rtt.unwrap_or_default();
            self.events.push_back(EngineEvent::HostUp { address, group, rtt });
        }
    }

    /// Attempts are put further apart the more there were: what lost the last one may last.
    fn spacing(attempt: u32) -> f64 {
        SPACING.powi(attempt.clamp(CLOSE_ATTEMPTS, 16).cast_signed() - CLOSE_ATTEMPTS.cast_signed())
    }

    /// How long to wait for the answer to an attempt, and whether that is the wait of a last one.
    pub(super) fn timeout_of(&mut self, slot: &Slot, attempt: u32) -> (Duration, bool) {
        let host = *self.groups.host(slot.group, slot.host);
        let dead = !host.up && host.silent > self.attempts.dead_after();
        let round = self.counted(slot, self.round_of(slot.target, attempt));
        let last = dead || round.is_some_and(|round| round >= self.attempts.needed());
        (self.wait_for(slot, attempt, last), last)
    }

    pub(super) fn wait_for(&mut self, slot: &Slot, attempt: u32, last: bool) -> Duration {
        let EngineConfig { min_timeout, timeout, late_answers, .. } = self.config;
        let host = *self.groups.host(slot.group, slot.host);
        let round = self.round_of(slot.target, attempt);
        let wait = match host.rtt.timeout(if last { 2 * min_timeout } else { min_timeout }) {
            Some(wait) if late_answers => wait.mul_f64(Self::spacing(round)),
            Some(wait) => wait * (1 << round.saturating_sub(1).min(16)),
            // What other hosts need says something, but must not be what a slow one is judged by.
            None if last || !late_answers => timeout,
            None => self.groups.group(slot.group).rtt.timeout(2 * min_timeout).unwrap_or(timeout),
        };
        wait.min(timeout)
    }
}
