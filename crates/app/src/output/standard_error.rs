//! Standard error: a thread of its own writes there, so that nobody waits for its reader.

mod queue;

use std::io::{self, Write};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use self::queue::Queue;
use super::haste::{Haste, has_room};

/// There is one standard error for the process, and so one queue; none where no thread can be had: then
/// whoever writes waits.
static BEHIND: OnceLock<Option<Arc<Queue>>> = OnceLock::new();

/// Starts the thread that else the first words start: where it cannot be had, that is known before the
/// work begins. What a handler of a connection has to say must not stop the others, nor the signals.
pub(crate) fn write_behind() {
    if behind().is_none() {
        tracing::debug!("standard error is waited for: there is no thread for it");
    }
}

fn behind() -> Option<&'static Queue> {
    // It must say nothing itself: that would come back here.
    let start = || {
        let queue = Arc::<Queue>::default();
        let of_writer = Arc::clone(&queue);
        let writer = thread::Builder::new().name("standard error".to_owned());
        writer.spawn(move || of_writer.empty_into(write_all)).ok().map(|_| queue)
    };
    BEHIND.get_or_init(start).as_deref()
}

/// Waits until all is written, so long at most: whoever ends the process, or becomes another program, has
/// this to do before.
pub(crate) fn flush_standard_error(most: Duration) {
    if let Some(Some(queue)) = BEHIND.get() {
        queue.wait_until_empty(most);
    }
}

/// As [`flush_standard_error`], for who is in a hurry: its reader is hardly waited for.
pub(crate) fn flush_standard_error_now() {
    let Some(Some(queue)) = BEHIND.get() else { return };
    let haste = Haste::begin();
    while !queue.is_empty()
        && let Some(pause) = haste.pause(|| has_room(io::stderr()))
    {
        queue.wait_until_empty(pause);
    }
}

/// Standard error. What is written at once stays in one piece, since others may write there, too. Never
/// fails: where it is closed there is nobody left to tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StandardError;

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match behind() {
            Some(queue) => queue.offer(bytes),
            None => write_all(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// To the descriptor itself: the standard library's stream is locked while it waits.
fn write_all(mut bytes: &[u8]) {
    let stderr = io::stderr();
    while !bytes.is_empty() {
        match rustix::io::write(&stderr, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                // It does not block by itself.
                let mut descriptor = [PollFd::new(&stderr, PollFlags::OUT)];
                if poll(&mut descriptor, None).is_err_and(|error| error != Errno::INTR) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}
