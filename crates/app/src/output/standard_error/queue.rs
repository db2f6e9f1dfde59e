//! What waits for the reader of standard error, which may take nothing for ever.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many bytes wait, some thousand lines; what finds no room is counted.
const MOST_BYTES: usize = 256 * 1024;

/// See the module's first line.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    texts: VecDeque<Vec<u8>>,
    /// In `texts`.
    bytes: usize,
    /// How many found no room, and are not told yet.
    missed: u64,
    is_writing: bool,
}

impl Queue {
    /// Takes a text, or counts it; never waits for the reader.
    pub(super) fn offer(&self, text: &[u8]) {
        self.waiting().offer(text);
        self.changed.notify_all();
    }

    /// Writes what is offered, for ever.
    pub(super) fn empty_into(&self, write: impl Fn(&[u8])) {
        loop {
            let mut waiting = self.waiting();
            let text = loop {
                if let Some(text) = waiting.next() {
                    break text;
                }
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            };
            drop(waiting);
            write(&text);
            self.waiting().is_writing = false;
            self.changed.notify_all();
        }
    }

    /// Until all that was offered is written, but so long at most.
    pub(super) fn wait_until_empty(&self, most: Duration) {
        let started = Instant::now();
        let mut waiting = self.waiting();
        while !waiting.is_over() {
            let left = most.saturating_sub(started.elapsed());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(waiting, left);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether all that was offered is written.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting().is_over()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn offer(&mut self, text: &[u8]) {
        // Where some are missing it is said before what follows.
        let notice = self.notice();
        let notice_bytes = notice.as_ref().map_or(0, Vec::len);
        if self.bytes + notice_bytes + text.len() > MOST_BYTES {
            self.missed += 1;
            return;
        }
        if let Some(notice) = notice {
            self.missed = 0;
            self.push(notice);
        }
        self.push(text.to_vec());
    }

    fn push(&mut self, text: Vec<u8>) {
        self.bytes += text.len();
        self.texts.push_back(text);
    }

    /// What is to be written next, and counts as being written from now on.
    fn next(&mut self) -> Option<Vec<u8>> {
        let text = match self.texts.pop_front() {
            Some(text) => {
                self.bytes -= text.len();
                text
            }
            None => self.notice().inspect(|_| self.missed = 0)?,
        };
        self.is_writing = true;
        Some(text)
    }

    fn notice(&self) -> Option<Vec<u8>> {
        let missed = self.missed;
        let (what, are) = if missed == 1 { ("note", "is") } else { ("notes", "are") };
        let text =
            || format!("note: standard error took too little: {missed} {what} {are} missing\n");
        (missed > 0).then(|| text().into_bytes())
    }

    fn is_over(&self) -> bool {
        self.texts.is_empty() && self.missed == 0 && !self.is_writing
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;

    fn texts(waiting: &mut Waiting) -> Vec<String> {
        std::iter::from_fn(|| waiting.next()).map(|text| String::from_utf8(text).unwrap()).collect()
    }

    #[test]
    fn what_finds_no_room_is_told_where_it_is_missing() {
        let half = vec![b'x'; MOST_BYTES / 2];
        let mut waiting = Waiting::default();
        for _ in 0..4 {
            waiting.offer(&half);
        }
        assert_eq!((waiting.texts.len(), waiting.missed), (2, 2));
        // There is room again, and not yet for the notice as well.
        assert!(waiting.next().is_some());
        waiting.offer(&half);
        assert_eq!(waiting.missed, 3);
        waiting.offer(b"last\n");
        assert!(waiting.next().is_some());
        assert_eq!(
            texts(&mut waiting),
            ["note: standard error took too little: 3 notes are missing\n", "last\n"]
        );
    }

    #[test]
    fn what_is_missing_at_the_end_is_told_too() {
        let mut waiting = Waiting::default();
        waiting.offer(&vec![b'x'; MOST_BYTES + 1]);
        assert!(!waiting.is_over());
        assert_eq!(
            texts(&mut waiting),
            ["note: standard error took too little: 1 note is missing\n"]
        );
        assert!(!waiting.is_over(), "it is being written");
        waiting.is_writing = false;
        assert!(waiting.is_over());
    }

    #[test]
    fn a_reader_that_takes_nothing_stops_nobody() {
        let queue = Arc::<Queue>::default();
        let ((begun, is_writing), (read, reader)) = (mpsc::channel(), mpsc::channel::<()>());
        let reader = Mutex::new(reader);
        let writing = Arc::clone(&queue);
        std::thread::spawn(move || {
            writing.empty_into(|text| {
                // Whether anybody listens any more does not matter.
                let _ = begun.send(text.to_vec());
                let _ = reader.lock().unwrap().recv();
            });
        });
        queue.offer(b"one");
        assert_eq!(is_writing.recv().unwrap(), b"one");
        // The writer stands still.
        queue.offer(b"two");
        queue.wait_until_empty(Duration::ZERO);
        assert!(!queue.waiting().is_over());
        read.send(()).unwrap();
        assert_eq!(is_writing.recv().unwrap(), b"two");
        read.send(()).unwrap();
        queue.wait_until_empty(Duration::from_mins(1));
        assert!(queue.waiting().is_over());
    }
}
