//! That nobody can be accepted, and that it is over: said at once, and seldom where it comes and goes.
//! The rule, with the time passed in.

use std::time::Duration;

use tokio::time::Instant;

use crate::output::counted;

/// How long after one note the next may follow. At the limit of descriptors, each client that leaves
/// ends an episode, and the next one that comes begins another.
const PAUSE: Duration = Duration::from_secs(10);

/// What is known of the episodes, and what of it is said.
#[derive(Debug, Default)]
pub(super) struct Accepting {
    /// Why nobody is accepted, while that is so.
    why: Option<String>,
    /// The note that was said last is of a beginning.
    is_begin_said: bool,
    said_at: Option<Instant>,
    /// Episodes that are over, and clients refused in them, since a note told of an end.
    over: u64,
    refused: u64,
    lasted: Duration,
}

impl Accepting {
    pub(super) fn begins(&mut self, why: &str) {
        self.why = Some(why.to_owned());
    }

    pub(super) fn ends(&mut self, refused: u64, lasted: Duration) {
        self.why = None;
        self.over += 1;
        self.refused += refused;
        self.lasted += lasted;
    }

    /// When there is something to say that has to wait.
    pub(super) fn due(&self) -> Option<Instant> {
        let is_news = if self.why.is_some() { !self.is_begin_said } else { self.over > 0 };
        // It is said by the first that comes within the clock's reach.
        is_news.then(|| self.said_at.and_then(|at| at.checked_add(PAUSE))).flatten()
    }

    /// What there is to say now.
    pub(super) fn note(&mut self, now: Instant) -> Option<String> {
        let is_end_of_said = self.why.is_none() && self.is_begin_said && self.over == 1;
        if !is_end_of_said && self.due().is_some_and(|due| now < due) {
            return None;
        }
        self.rest().inspect(|_| self.said_at = Some(now))
    }

    /// What is not said yet, however short the time.
    pub(super) fn rest(&mut self) -> Option<String> {
        if let Some(why) = &self.why {
            let note = format!("cannot accept connections: {why}; trying on");
            return (!std::mem::replace(&mut self.is_begin_said, true)).then_some(note);
        }
        let (over, refused) = (self.over, std::mem::take(&mut self.refused));
        let lasted = std::mem::take(&mut self.lasted).as_millis() as u64;
        let lasted = humantime::format_duration(Duration::from_millis(lasted));
        self.is_begin_said = false;
        self.over = 0;
        let refused = counted(refused, "client was", "clients were");
        match over {
            0 => None,
            1 => Some(format!("accepting again, after {lasted}; {refused} refused meanwhile")),
            times => Some(format!(
                "accepting again, after {times} times without, {lasted} in all; {refused} refused \
                 meanwhile"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn one_episode_is_said_at_both_its_ends() {
        let (mut accepting, now) = (Accepting::default(), Instant::now());
        accepting.begins("no descriptors");
        let begin = accepting.note(now).unwrap();
        assert_eq!(begin, "cannot accept connections: no descriptors; trying on");
        assert_eq!((accepting.note(now), accepting.due()), (None, None));
        accepting.ends(1, SHORT);
        let end = accepting.note(now).unwrap();
        assert_eq!(end, "accepting again, after 20ms; 1 client was refused meanwhile");
        assert_eq!((accepting.rest(), accepting.due()), (None, None));
    }

    #[test]
    fn many_in_a_row_are_said_once_and_counted_whole() {
        let (mut accepting, begin) = (Accepting::default(), Instant::now());
        let mut said = Vec::new();
        let mut now = begin;
        for _ in 0..1000 {
            accepting.begins("no descriptors");
            said.extend(accepting.note(now));
            accepting.ends(2, SHORT);
            now += SHORT;
            said.extend(accepting.note(now));
        }
        // 20 s: the first one, and what came until the next note.
        assert!((3..=5).contains(&said.len()), "{said:?}");
        said.extend(accepting.rest());
        let refused = said.iter().filter_map(|note| note.split_once("; ")?.1.split(' ').next());
        let refused: u64 = refused.filter_map(|number| number.parse::<u64>().ok()).sum();
        assert_eq!(refused, 2000, "{said:?}");
    }

    #[test]
    fn one_that_lasts_is_said_though_it_follows_another() {
        let (mut accepting, begin) = (Accepting::default(), Instant::now());
        accepting.begins("no descriptors");
        accepting.note(begin).unwrap();
        accepting.ends(0, SHORT);
        accepting.note(begin).unwrap();
        accepting.begins("no memory");
        assert_eq!(accepting.note(begin + SHORT), None);
        let due = accepting.due().unwrap();
        assert_eq!(due, begin + PAUSE);
        assert!(accepting.note(due).unwrap().contains("no memory"));
    }
}
