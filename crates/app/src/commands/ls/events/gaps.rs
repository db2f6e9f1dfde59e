//! What the looks of `ports ls --watch` could not tell: a line each time, and once each in words.

use std::time::SystemTime;

use stats::system::{SocketEvents, SocketWatch};

use super::line::{Line, millis};
use crate::commands::ls::coverage::INTERRUPTED;

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// Of all looks.
    losses: u64,
    forgotten: u64,
    has_said_interrupted: bool,
    has_said_forgotten: bool,
}

impl Gaps {
    /// A look is the first of those that are compared; what it lacks is said with its sockets.
    pub(super) const fn begin(&mut self, is_interrupted: bool) {
        self.has_said_interrupted |= is_interrupted;
    }

    /// The line for what a look could not tell, where there was anything.
    pub(super) fn line(&mut self, found: &SocketEvents, time: SystemTime) -> Option<Line<'static>> {
        let losses = found.losses - std::mem::replace(&mut self.losses, found.losses);
        let forgotten = found.forgotten - std::mem::replace(&mut self.forgotten, found.forgotten);
        let is_whole = found.dropped == 0 && losses == 0 && forgotten == 0 && !found.interrupted;
        (!is_whole).then(|| Line::Missed {
            time_ms: millis(time),
            events: found.dropped,
            losses,
            forgotten,
            interrupted: found.interrupted,
        })
    }

    /// What is to be said of it and was not yet.
    pub(super) fn notes(&mut self, found: &SocketEvents) -> Vec<String> {
        let mut notes = Vec::new();
        if found.interrupted && !std::mem::replace(&mut self.has_said_interrupted, true) {
            notes.push(format!("{INTERRUPTED}, or told late (said once)"));
        }
        if found.forgotten > 0 && !std::mem::replace(&mut self.has_said_forgotten, true) {
            notes.push(format!(
                "more than {} sockets were told as closed before the kernel told of their end: the \
                 older ones are forgotten, and may be told again (said once)",
                SocketWatch::MOST_AWAITED
            ));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(losses: u64, forgotten: u64, interrupted: bool) -> SocketEvents {
        let mut found = SocketEvents::default();
        (found.losses, found.forgotten, found.interrupted) = (losses, forgotten, interrupted);
        found
    }

    #[test]
    fn each_look_has_its_own_line_and_the_words_come_once() {
        let mut gaps = Gaps::default();
        let mut told = |found: SocketEvents| {
            let line = gaps.line(&found, SystemTime::UNIX_EPOCH);
            let line = line.map(|line| serde_json::to_value(line).unwrap());
            (line, gaps.notes(&found).len())
        };
        let missed = |losses: u64, forgotten: u64, interrupted: bool| {
            Some(json!({
                "type": "missed", "time_ms": 0, "events": 0,
                "losses": losses, "forgotten": forgotten, "interrupted": interrupted,
            }))
        };
        assert_eq!(told(found(0, 0, false)), (None, 0));
        assert_eq!(told(found(2, 0, true)), (missed(2, 0, true), 1));
        assert_eq!(told(found(2, 0, true)), (missed(0, 0, true), 0));
        assert_eq!(told(found(2, 9, false)), (missed(0, 9, false), 1));
        assert_eq!(told(found(3, 10, false)), (missed(1, 1, false), 0));
        assert_eq!(told(found(3, 10, false)), (None, 0));
        let mut dropped = found(3, 10, false);
        dropped.dropped = 5;
        assert_eq!(told(dropped).0.unwrap()["events"], 5);
    }

    #[test]
    fn what_was_said_of_the_first_look_is_not_said_again() {
        let mut gaps = Gaps::default();
        gaps.begin(true);
        assert!(gaps.notes(&found(0, 0, true)).is_empty());
    }
}
