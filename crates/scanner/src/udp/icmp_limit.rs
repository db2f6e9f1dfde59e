//! Whether a host limits its ICMP errors: a pure judgement on which of its closed ports answered.
//!
//! Linux answers one datagram to a closed port per second and peer, after a burst of six
//! (`icmp_ratelimit` and `icmp_ratemask` in ip-sysctl, `inet_peer_xrlim_allow` in
//! `net/ipv4/inetpeer.c`), and 1,000 per second in all; other systems limit likewise (RFC 1812 section
//! 4.3.2.8, RFC 4443 section 2.4 (f)). A filter that lets some ports through looks the same by numbers:
//! a few answers, much silence. What tells them apart is which ports answer. Ports are asked in an
//! order that knows nothing of filters, so those a filter lets through are spread over it; a limit
//! answers the first ones and then only now and then, ports that kept silent before among them.

/// The chance below which an order of answers is not taken as chance.
const BY_CHANCE: f64 = 1e-3;
/// Attempts left silent for each that was answered with an error, before silence needs an explanation.
const SILENT_PER_CLOSED: u32 = 4;
/// Of so many answers one came to a repeated probe, where it is not loss.
const CLOSED_PER_LATE: u32 = 3;

/// What was seen of one host. An attempt that is in flight counts for nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IcmpLimit {
    /// Ports asked.
    ports: u32,
    /// Attempts at all of them that were given up.
    silent: u32,
    /// Ports whose first attempt was answered with "port unreachable".
    at_once: u32,
    /// How many ports had been asked up to the last one of those.
    front: u32,
    /// How many had been asked up to the last one whose first attempt was answered so or given up.
    judged: u32,
    /// Ports that answered so only to a later attempt.
    late: u32,
}

impl IcmpLimit {
    /// A port is asked for the first time. Returns its place in the order of the host's ports.
    pub(super) fn first_ask(&mut self) -> u32 {
        self.ports = self.ports.saturating_add(1);
        self.ports
    }

    /// An attempt at the port at `place` waited long enough.
    pub(super) fn gave_up(&mut self, place: u32) {
        self.silent = self.silent.saturating_add(1);
        self.judged = self.judged.max(place);
    }

    /// An attempt that was given up was answered after all.
    pub(super) fn took_back(&mut self) {
        self.silent = self.silent.saturating_sub(1);
    }

    /// The port at `place` answered that attempt with "port unreachable".
    pub(super) fn closed(&mut self, place: u32, attempt: u32) {
        if attempt == 1 {
            self.at_once = self.at_once.saturating_add(1);
            self.front = self.front.max(place);
            self.judged = self.judged.max(place);
        } else {
            self.late = self.late.saturating_add(1);
        }
    }

    /// Whether it is seen to limit: its silence then says little of a port.
    pub(super) fn is_seen(&self) -> bool {
        let closed = self.at_once.saturating_add(self.late);
        if closed == 0 || self.silent / SILENT_PER_CLOSED < closed {
            return false;
        }
        let now_and_then = self.late >= closed.div_ceil(CLOSED_PER_LATE);
        now_and_then || self.chance_of_front() < BY_CHANCE
    }

    /// How likely ports that answer, spread evenly, all lie in the front part of the order.
    fn chance_of_front(&self) -> f64 {
        (f64::from(self.front) / f64::from(self.judged.max(1))).powf(f64::from(self.at_once))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks `ports` ports once; `closed(place)` says which of them answer so, the others are given up.
    fn first_round(ports: u32, closed: impl Fn(u32) -> bool) -> IcmpLimit {
        let mut host = IcmpLimit::default();
        for _ in 0..ports {
            host.first_ask();
        }
        for place in 1..=ports {
            if closed(place) {
                host.closed(place, 1);
            } else {
                host.gave_up(place);
            }
        }
        host
    }

    #[test]
    fn a_burst_at_the_front_is_a_limit() {
        assert!(first_round(1_000, |place| place <= 6).is_seen());
        assert!(first_round(100, |place| (3..=9).contains(&place)).is_seen());
        assert!(first_round(10_000, |place| place <= 60).is_seen(), "1,000 a second in all");
    }

    #[test]
    fn what_a_filter_lets_through_is_spread() {
        assert!(!first_round(1_000, |place| place % 150 == 7).is_seen());
        assert!(!first_round(1_000, |place| place == 400).is_seen());
        assert!(!first_round(1_000, |_| false).is_seen(), "silence alone shows nothing");
    }

    #[test]
    fn a_host_that_answers_for_every_port_has_no_limit() {
        assert!(!first_round(1_000, |_| true).is_seen());
        assert!(!first_round(3, |place| place <= 2).is_seen());
    }

    /// A thousand ports were asked, the first hundred of which have had the time to answer.
    #[test]
    fn what_is_in_flight_shows_nothing() {
        let mut host = IcmpLimit::default();
        for _ in 0..1_000 {
            host.first_ask();
        }
        (2..=90).for_each(|place| host.closed(place, 1));
        host.gave_up(1);
        assert!(!host.is_seen(), "one lost probe");
        (91..=100).for_each(|place| host.gave_up(place));
        host.closed(1, 2);
        assert!(!host.is_seen(), "a few more");
    }

    #[test]
    fn an_answer_that_was_not_waited_for_is_no_silence() {
        let mut host = first_round(51, |_| false);
        (1..=11).for_each(|place| host.closed(place, 1));
        assert!(host.is_seen());
        (1..=11).for_each(|_| host.took_back());
        assert!(!host.is_seen(), "40 attempts at silent ports, for 11 that answered");
    }

    #[test]
    fn an_empty_bucket_shows_by_late_answers() {
        let mut host = first_round(1_000, |_| false);
        (1..=1_000).for_each(|place| host.gave_up(place));
        host.closed(412, 2);
        host.closed(77, 3);
        assert!(host.is_seen());
    }

    #[test]
    fn a_little_loss_behind_a_filter_is_no_limit() {
        let mut host = first_round(1_000, |place| place % 50 == 0);
        (1..=980).for_each(|place| host.gave_up(place));
        host.closed(25, 2);
        assert!(!host.is_seen());
    }
}
