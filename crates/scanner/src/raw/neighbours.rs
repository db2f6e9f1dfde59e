//! Who is behind a next hop: asked once for all workers, remembered, asked again when that is old, and
//! let go when silent.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A neighbour that packets go to: the target itself, or a router before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Hop {
    pub(crate) interface: u32,
    pub(crate) address: IpAddr,
}

/// An Ethernet address.
pub(crate) type EthernetAddress = [u8; 6];

/// Questions about one neighbour are this far apart at least, whoever wants to know.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(100);
/// What a neighbour said of itself is true for so long; then it is asked again. The kernel's own wait
/// is 15 to 45 seconds (RFC 4861 section 6.3.2).
const ANSWER_HOLDS: Duration = Duration::from_secs(30);
/// Questions about a neighbour that goes on being used meanwhile are this far apart.
const BETWEEN_CONFIRMATIONS: Duration = Duration::from_secs(1);
/// For this long a neighbour that did not answer is not asked again for its own sake.
const SILENCE_HOLDS: Duration = Duration::from_mins(1);
/// And for this long where it is a router: all that is behind it hangs on it.
const ROUTER_SILENCE_HOLDS: Duration = Duration::from_secs(1);
/// Silent neighbours remembered; past that the oldest knowledge goes.
const MOST_SILENT: usize = 1 << 18;
/// Neighbours remembered that answered; past that the oldest is asked again when it is needed.
const MOST_RESOLVED: usize = 1 << 16;

/// What is known of the neighbours of a scan. Pure: whoever holds it sends the questions.
#[derive(Debug, Default)]
pub(super) struct Neighbourhood {
    entries: HashMap<Hop, Entry>,
    silent: usize,
    resolved: usize,
    /// Those that answered and when, in order of time; out of date where the entry says another time.
    answers: VecDeque<(Instant, Hop)>,
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    Asked {
        last: Instant,
    },
    Resolved {
        address: EthernetAddress,
        since: Instant,
        asked: Instant,
    },
    /// By this machine's own configuration: nobody is asked.
    Configured(EthernetAddress),
    Silent {
        since: Instant,
    },
}

/// What to do with a packet for a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may go, there; `ask` where a question is to be sent all the same.
    Resolved { neighbour: Neighbour, ask: bool },
    /// It has to wait; `ask` where a question is to be sent now.
    Waiting { ask: bool },
    /// Nobody answered a while ago: it is not worth waiting.
    Silent,
}

/// Who is behind a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) address: EthernetAddress,
    /// Somebody is there: it is not only configured so.
    pub(super) is_confirmed: bool,
}

impl Neighbourhood {
    /// What somebody else, the kernel, found out.
    pub(super) fn learn(&mut self, now: Instant, hop: Hop, address: EthernetAddress) {
        self.set(hop, Entry::Resolved { address, since: now, asked: now });
        self.answers.push_back((now, hop));
        if self.answers.len() > 2 * MOST_RESOLVED {
            let Self { entries, answers, .. } = self;
            answers.retain(|(at, hop)| is_of(entries, *hop, *at));
        }
        while self.resolved > MOST_RESOLVED {
            let Some((at, hop)) = self.answers.pop_front() else { break };
            if is_of(&self.entries, hop, at) {
                self.entries.remove(&hop);
                self.resolved -= 1;
            }
        }
    }

    /// What the administrator set, or the kind of link: no answer changes it.
    pub(super) fn configure(&mut self, hop: Hop, address: EthernetAddress) {
        self.set(hop, Entry::Configured(address));
    }

    /// Where a packet to `target` by way of `hop` stands. Whoever is told to ask must ask.
    pub(super) fn standing(&mut self, now: Instant, hop: Hop, target: IpAddr) -> Standing {
        let silence_holds =
            if hop.address == target { SILENCE_HOLDS } else { ROUTER_SILENCE_HOLDS };
        match self.entries.get_mut(&hop) {
            Some(Entry::Configured(address)) => {
                let neighbour = Neighbour { address: *address, is_confirmed: false };
                return Standing::Resolved { neighbour, ask: false };
            }
            Some(Entry::Resolved { address, since, asked }) => {
                let ask = now.saturating_duration_since(*since) >= ANSWER_HOLDS
                    && now.saturating_duration_since(*asked) >= BETWEEN_CONFIRMATIONS;
                if ask {
                    *asked = now;
                }
                let neighbour = Neighbour { address: *address, is_confirmed: true };
                return Standing::Resolved { neighbour, ask };
            }
            Some(Entry::Silent { since })
                if now.saturating_duration_since(*since) < silence_holds =>
            {
                return Standing::Silent;
            }
            Some(Entry::Asked { last }) => {
                let ask = now.saturating_duration_since(*last) >= BETWEEN_QUESTIONS;
                if ask {
                    *last = now;
                }
                return Standing::Waiting { ask };
            }
            Some(Entry::Silent { .. }) | None => {}
        }
        self.set(hop, Entry::Asked { last: now });
        Standing::Waiting { ask: true }
    }

    /// A neighbour said who it is, asked or not. Of one that nobody wanted to know about, and against
    /// what is configured, it is not believed.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        hop: Hop,
        address: EthernetAddress,
    ) -> Option<Neighbour> {
        match self.entries.get(&hop)? {
            Entry::Configured(_) => return None,
            Entry::Asked { .. } | Entry::Resolved { .. } | Entry::Silent { .. } => {}
        }
        self.learn(now, hop, address);
        Some(Neighbour { address, is_confirmed: true })
    }

    /// The last attempt through `hop` has run out of time: whether that is because nobody there
    /// answers.
    pub(super) fn is_silent_at_last(&mut self, now: Instant, hop: Hop) -> bool {
        match self.entries.get(&hop) {
            Some(Entry::Asked { .. }) => {
                self.set(hop, Entry::Silent { since: now });
                true
            }
            Some(Entry::Silent { .. }) => true,
            Some(Entry::Resolved { .. } | Entry::Configured(_)) | None => false,
        }
    }

    fn set(&mut self, hop: Hop, entry: Entry) {
        if matches!(entry, Entry::Silent { .. }) {
            if self.silent >= MOST_SILENT {
                self.entries.retain(|_, entry| !matches!(entry, Entry::Silent { .. }));
                self.silent = 0;
            }
            self.silent += 1;
        }
        self.resolved += usize::from(matches!(entry, Entry::Resolved { .. }));
        match self.entries.insert(hop, entry) {
            Some(Entry::Silent { .. }) => self.silent -= 1,
            Some(Entry::Resolved { .. }) => self.resolved -= 1,
            _ => {}
        }
    }
}

/// Whether the neighbour's last answer is of that time.
fn is_of(entries: &HashMap<Hop, Entry>, hop: Hop, at: Instant) -> bool {
    matches!(entries.get(&hop), Some(Entry::Resolved { since, .. }) if *since == at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: EthernetAddress = [2, 0, 0, 0, 0, 7];

    fn hop(last: u8) -> Hop {
        Hop { interface: 3, address: IpAddr::from([192, 0, 2, last]) }
    }

    /// Of a packet to the neighbour itself.
    fn standing(neighbours: &mut Neighbourhood, now: Instant, hop: Hop) -> Standing {
        neighbours.standing(now, hop, hop.address)
    }

    fn resolved(address: EthernetAddress, ask: bool) -> Standing {
        Standing::Resolved { neighbour: Neighbour { address, is_confirmed: true }, ask }
    }

    #[test]
    fn one_question_for_all_who_wait() {
        let mut neighbours = Neighbourhood::default();
        let now = Instant::now();
        assert_eq!(standing(&mut neighbours, now, hop(1)), Standing::Waiting { ask: true });
        assert_eq!(standing(&mut neighbours, now, hop(1)), Standing::Waiting { ask: false });
        let later = now + BETWEEN_QUESTIONS;
        assert_eq!(standing(&mut neighbours, later, hop(1)), Standing::Waiting { ask: true });
        assert!(neighbours.answered(later, hop(1), LINK).is_some());
        assert_eq!(standing(&mut neighbours, later, hop(1)), resolved(LINK, false));
        assert!(!neighbours.is_silent_at_last(later, hop(1)));
    }

    #[test]
    fn the_silent_are_left_alone_for_a_while() {
        let mut neighbours = Neighbourhood::default();
        let now = Instant::now();
        standing(&mut neighbours, now, hop(1));
        assert!(neighbours.is_silent_at_last(now, hop(1)));
        assert_eq!(standing(&mut neighbours, now, hop(1)), Standing::Silent);
        assert!(neighbours.is_silent_at_last(now, hop(1)), "the next port of the same host");
        let later = now + SILENCE_HOLDS;
        assert_eq!(standing(&mut neighbours, later, hop(1)), Standing::Waiting { ask: true });
        assert_eq!(neighbours.silent, 0);
    }

    #[test]
    fn a_silent_router_is_asked_again_soon() {
        let mut neighbours = Neighbourhood::default();
        let (now, behind) = (Instant::now(), hop(200).address);
        neighbours.standing(now, hop(1), behind);
        assert!(neighbours.is_silent_at_last(now, hop(1)));
        assert_eq!(neighbours.standing(now, hop(1), behind), Standing::Silent);
        let later = now + ROUTER_SILENCE_HOLDS;
        assert_eq!(standing(&mut neighbours, later, hop(1)), Standing::Silent, "for itself");
        let asked = neighbours.standing(later, hop(1), behind);
        assert_eq!(asked, Standing::Waiting { ask: true });
    }

    #[test]
    fn a_late_answer_counts_and_an_unasked_one_does_not() {
        let mut neighbours = Neighbourhood::default();
        let now = Instant::now();
        assert_eq!(neighbours.answered(now, hop(1), LINK), None);
        standing(&mut neighbours, now, hop(2));
        neighbours.is_silent_at_last(now, hop(2));
        assert!(neighbours.answered(now, hop(2), LINK).is_some());
        assert_eq!(standing(&mut neighbours, now, hop(2)), resolved(LINK, false));
        assert!(!neighbours.is_silent_at_last(now, hop(9)), "never asked: no statement");
    }

    #[test]
    fn what_is_old_is_asked_again_and_goes_on_being_used() {
        let mut neighbours = Neighbourhood::default();
        let now = Instant::now();
        neighbours.learn(now, hop(1), LINK);
        let old = now + ANSWER_HOLDS;
        assert_eq!(standing(&mut neighbours, old, hop(1)), resolved(LINK, true));
        assert_eq!(standing(&mut neighbours, old, hop(1)), resolved(LINK, false), "asked just now");
        let later = old + BETWEEN_CONFIRMATIONS;
        assert_eq!(standing(&mut neighbours, later, hop(1)), resolved(LINK, true));
        assert!(!neighbours.is_silent_at_last(later, hop(1)));
        let moved = [2, 0, 0, 0, 0, 8];
        assert!(neighbours.answered(later, hop(1), moved).is_some());
        assert_eq!(standing(&mut neighbours, later, hop(1)), resolved(moved, false));
    }

    #[test]
    fn what_is_configured_is_neither_asked_nor_changed() {
        let mut neighbours = Neighbourhood::default();
        let now = Instant::now();
        neighbours.configure(hop(1), LINK);
        assert_eq!(neighbours.answered(now, hop(1), [2, 0, 0, 0, 0, 8]), None);
        let neighbour = Neighbour { address: LINK, is_confirmed: false };
        let standing = standing(&mut neighbours, now + ANSWER_HOLDS, hop(1));
        assert_eq!(standing, Standing::Resolved { neighbour, ask: false });
    }

    #[test]
    fn of_those_that_answered_the_oldest_are_forgotten() {
        let mut neighbours = Neighbourhood::default();
        let start = Instant::now();
        let numbered =
            |number: u32| Hop { interface: 3, address: IpAddr::from(number.to_be_bytes()) };
        for number in 0..MOST_RESOLVED as u32 {
            neighbours.learn(start, numbered(number), LINK);
        }
        // The first one says it again, so it is the youngest.
        neighbours.learn(start + BETWEEN_QUESTIONS, numbered(0), LINK);
        for number in 0..10 {
            let hop = numbered(MOST_RESOLVED as u32 + number);
            neighbours.learn(start + BETWEEN_QUESTIONS, hop, LINK);
        }
        assert!(neighbours.entries.len() <= MOST_RESOLVED);
        assert!(neighbours.entries.contains_key(&numbered(0)));
        assert!(!neighbours.entries.contains_key(&numbered(1)));
        assert!(neighbours.answers.len() <= 2 * MOST_RESOLVED);
    }

    #[test]
    fn what_is_remembered_of_the_silent_is_bounded() {
        let mut neighbours = Neighbourhood::default();
        let now = Instant::now();
        for number in 0..(MOST_SILENT as u32 + 10) {
            let hop = Hop { interface: 3, address: IpAddr::from(number.to_be_bytes()) };
            standing(&mut neighbours, now, hop);
            neighbours.is_silent_at_last(now, hop);
        }
        assert!(neighbours.entries.len() <= MOST_SILENT);
    }
}
