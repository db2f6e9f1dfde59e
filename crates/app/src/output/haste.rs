//! How long a process that is about to end waits for its last words to be written.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long a reader is waited for that takes nothing.
const FOR_READER: Duration = Duration::from_millis(250);
/// How long the writer is waited for, where no reader is in its way: it may have to wait for its turn.
const FOR_WRITER: Duration = Duration::from_secs(5);
/// How often it is looked whether a reader is in its way.
const LOOK: Duration = Duration::from_millis(10);

/// Since when it is waited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Haste(Instant);

impl Haste {
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    /// How long to wait now; `None` once it was long enough.
    pub(super) fn pause(self, has_room: impl FnOnce() -> bool) -> Option<Duration> {
        let waited = self.0.elapsed();
        (waited < FOR_READER || waited < FOR_WRITER && has_room()).then_some(LOOK)
    }
}

/// Whether a write would not wait for the reader.
pub(super) fn has_room(descriptor: impl AsFd) -> bool {
    let mut ready = [PollFd::new(&descriptor, PollFlags::OUT)];
    matches!(poll(&mut ready, Some(&Timespec::default())), Ok(1..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_that_nobody_is_in_the_way_of_is_waited_for_longer() {
        let now = Instant::now();
        assert_eq!(Haste(now).pause(|| false), Some(LOOK));
        if let Some(begun) = now.checked_sub(FOR_READER) {
            assert_eq!(Haste(begun).pause(|| false), None);
            assert_eq!(Haste(begun).pause(|| true), Some(LOOK));
        }
        if let Some(begun) = now.checked_sub(FOR_WRITER) {
            assert_eq!(Haste(begun).pause(|| true), None);
        }
    }

    #[test]
    fn a_full_pipe_has_no_room() {
        let (reader, writer) = std::io::pipe().unwrap();
        assert!(has_room(&writer));
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        while rustix::io::write(&writer, &[0; 4096]).is_ok() {}
        assert!(!has_room(&writer));
        // Who writes now learns at once that nobody reads.
        drop(reader);
        assert!(has_room(&writer));
    }
}
