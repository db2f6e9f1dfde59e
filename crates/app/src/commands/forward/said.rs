//! Why the target cannot be reached, for the user: each reason once, whoever met it.

use std::sync::{Mutex, PoisonError};

use crate::output::Terminal;

/// How many reasons are said. What follows may hold what differs with each try.
const MOST_REASONS: usize = 16;

/// See the module's first line.
pub(super) struct Said {
    terminal: Terminal,
    reasons: Mutex<Reasons>,
}

impl Said {
    pub(super) fn new(terminal: Terminal) -> Self {
        Self { terminal, reasons: Mutex::default() }
    }

    pub(super) fn say(&self, why: &str) {
        let news = self.reasons.lock().unwrap_or_else(PoisonError::into_inner).news(why);
        // Others are not to wait for the terminal.
        if let Some(text) = news {
            self.terminal.warn(&text);
        }
    }
}

/// Those that were said.
#[derive(Debug, Default)]
struct Reasons {
    said: Vec<String>,
    is_full: bool,
}

impl Reasons {
    /// What there is to say, if it was not said before.
    fn news(&mut self, why: &str) -> Option<String> {
        if self.is_full || self.said.iter().any(|said| said == why) {
            return None;
        }
        if self.said.len() == MOST_REASONS {
            self.is_full = true;
            return Some("the target fails for ever new reasons: only --events tells more".into());
        }
        self.said.push(why.to_owned());
        Some(format!("{why} (said once; --events tells of each client)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_take_turns_are_said_once_each() {
        let mut reasons = Reasons::default();
        let said = ["refused", "no route", "refused", "no route"].map(|why| reasons.news(why));
        assert!(said[0].as_ref().unwrap().starts_with("refused (said once"));
        assert!(said[1].as_ref().unwrap().starts_with("no route (said once"));
        assert_eq!((&said[2], &said[3]), (&None, &None));
    }

    #[test]
    fn there_is_an_end_to_reasons() {
        let mut reasons = Reasons::default();
        let said = (0..100).filter_map(|n| reasons.news(&format!("port {n}")));
        let said: Vec<_> = said.collect();
        assert_eq!(said.len(), MOST_REASONS + 1);
        assert!(said[MOST_REASONS].contains("--events tells more"));
    }
}
