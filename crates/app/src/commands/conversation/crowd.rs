//! What `-v` says of single clients, where they come and go by thousands: the first ones of each kind of
//! event, and how many the others were. The rule, with the time passed in.

use std::time::Duration;

use sockets_tcp::ServerEvent;
use tokio::time::Instant;

use crate::output::{bytes, counted};

/// How long one count lasts.
const SPAN: Duration = Duration::from_secs(10);
/// How many of a kind are said one by one in that time: all kinds together are some hundred lines, far
/// less than what waits for a slow reader of standard error.
const MOST_OF_A_KIND: u64 = 100;

/// What happened to a client.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) enum What {
    Connected,
    Gone {
        bytes_in: u64,
        bytes_out: u64,
        unread: u64,
    },
    Dropped {
        messages: u64,
        bytes: u64,
    },
    /// There was no place for more.
    Full,
    Refused,
    NoSession,
    Error,
}

impl From<&ServerEvent> for What {
    fn from(event: &ServerEvent) -> Self {
        match *event {
            ServerEvent::Connected { .. } => Self::Connected,
            ServerEvent::Disconnected { bytes_in, bytes_out, discarded, .. } => {
                Self::Gone { bytes_in, bytes_out, unread: discarded }
            }
            ServerEvent::Dropped { messages, bytes, .. } => {
                Self::Dropped { messages: messages as u64, bytes: bytes as u64 }
            }
            ServerEvent::Full { .. } => Self::Full,
            ServerEvent::Refused { .. } => Self::Refused,
            ServerEvent::HandshakeFailed { .. } => Self::NoSession,
            _ => Self::Error,
        }
    }
}

/// How many of a kind there were since the count began.
#[derive(Clone, Copy, Debug, Default)]
struct Kind(u64);

impl Kind {
    /// One more; whether it is to be said.
    fn hear(&mut self) -> bool {
        self.0 += 1;
        self.0 <= MOST_OF_A_KIND
    }

    /// How many were not said.
    fn unsaid(self) -> u64 {
        self.0.saturating_sub(MOST_OF_A_KIND)
    }
}

/// What is counted, and of what is not said the sums.
#[derive(Debug, Default)]
struct Count {
    connected: Kind,
    gone: Kind,
    bytes_in: u64,
    bytes_out: u64,
    unread: u64,
    dropped: Kind,
    messages: u64,
    message_bytes: u64,
    full: Kind,
    refused: Kind,
    no_session: Kind,
    errors: Kind,
}

/// See the module's first lines.
#[derive(Debug, Default)]
pub(in crate::commands) struct Crowd {
    count: Count,
    since: Option<Instant>,
}

impl Crowd {
    /// Takes what happened to a client. What is to be said before it, and whether it is to be said itself.
    #[must_use]
    pub(in crate::commands) fn hear(&mut self, what: What, now: Instant) -> (Option<String>, bool) {
        let before = match self.since {
            Some(since) if now.duration_since(since) >= SPAN => self.rest(),
            _ => None,
        };
        self.since.get_or_insert(now);
        (before, self.count.hear(what))
    }

    /// When there is something to say that has to wait.
    pub(super) fn due(&self) -> Option<Instant> {
        // The clock's end is never reached.
        self.count.in_words().and(self.since?.checked_add(SPAN))
    }

    /// What was not said, however short the time. Another count begins.
    pub(in crate::commands) fn rest(&mut self) -> Option<String> {
        self.since = None;
        std::mem::take(&mut self.count).in_words()
    }
}

impl Count {
    fn hear(&mut self, what: What) -> bool {
        match what {
            What::Connected => self.connected.hear(),
            What::Gone { bytes_in, bytes_out, unread } => {
                let is_said = self.gone.hear();
                if !is_said {
                    self.bytes_in += bytes_in;
                    self.bytes_out += bytes_out;
                    self.unread += unread;
                }
                is_said
            }
            What::Dropped { messages, bytes } => {
                let is_said = self.dropped.hear();
                if !is_said {
                    self.messages += messages;
                    self.message_bytes += bytes;
                }
                is_said
            }
            What::Full => self.full.hear(),
            What::Refused => self.refused.hear(),
            What::NoSession => self.no_session.hear(),
            What::Error => self.errors.hear(),
        }
    }

    fn in_words(&self) -> Option<String> {
        let unread = match self.unread {
            0 => String::new(),
            unread => format!(", {unread} not read"),
        };
        let kinds = [
            (self.connected, "connected".to_owned()),
            (
                self.gone,
                format!("gone, {} in, {} out{unread}", bytes(self.bytes_in), self.bytes_out),
            ),
            (
                self.dropped,
                format!(
                    "times dropped, {}, {}",
                    counted(self.messages, "message", "messages"),
                    bytes(self.message_bytes)
                ),
            ),
            (self.full, "times full".to_owned()),
            (self.refused, "refused".to_owned()),
            (self.no_session, "without a TLS session".to_owned()),
            (self.errors, "errors".to_owned()),
        ];
        let words: Vec<_> = kinds
            .into_iter()
            .filter(|(kind, _)| kind.unsaid() > 0)
            .map(|(kind, what)| format!("{} {what}", kind.unsaid()))
            .collect();
        (!words.is_empty())
            .then(|| format!("and of clients not said one by one: {}", words.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many at one time are said, and what is said of the rest.
    fn said(crowd: &mut Crowd, count: u64, now: Instant) -> (u64, Option<String>) {
        let heard: Vec<_> = (0..count).map(|_| crowd.hear(What::Refused, now)).collect();
        let said = heard.iter().filter(|(_, is_said)| *is_said).count();
        (said as u64, heard.into_iter().find_map(|(before, _)| before))
    }

    #[test]
    fn few_are_all_said() {
        let (mut crowd, now) = (Crowd::default(), Instant::now());
        assert_eq!(said(&mut crowd, MOST_OF_A_KIND, now), (MOST_OF_A_KIND, None));
        assert_eq!((crowd.due(), crowd.rest()), (None, None));
    }

    #[test]
    fn the_rest_is_counted_and_said_once() {
        let (mut crowd, now) = (Crowd::default(), Instant::now());
        assert_eq!(said(&mut crowd, 10_000, now), (MOST_OF_A_KIND, None));
        assert_eq!(crowd.due(), Some(now + SPAN));
        let rest = crowd.rest().unwrap();
        assert_eq!(rest, "and of clients not said one by one: 9900 refused");
        assert_eq!((crowd.due(), crowd.rest()), (None, None));
    }

    #[test]
    fn what_is_not_said_is_in_the_sums() {
        let (mut crowd, now) = (Crowd::default(), Instant::now());
        for _ in 0..MOST_OF_A_KIND + 3 {
            let gone = What::Gone { bytes_in: 10, bytes_out: 100, unread: 1 };
            let dropped = What::Dropped { messages: 2, bytes: 7 };
            assert_eq!(crowd.hear(gone, now).1, crowd.hear(dropped, now).1);
        }
        let rest = crowd.rest().unwrap();
        let sums =
            "3 gone, 30 bytes in, 300 out, 3 not read; 3 times dropped, 6 messages, 21 bytes";
        assert!(rest.ends_with(sums), "{rest}");
    }

    #[test]
    fn the_next_count_begins_with_what_the_last_one_left() {
        let (mut crowd, now) = (Crowd::default(), Instant::now());
        said(&mut crowd, MOST_OF_A_KIND + 1, now);
        let (said, before) = said(&mut crowd, 5, now + SPAN);
        assert_eq!((said, before.unwrap().ends_with(": 1 refused")), (5, true));
        assert_eq!(crowd.rest(), None);
    }
}
