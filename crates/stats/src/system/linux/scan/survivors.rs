//! Processes whose first thread has ended while others go on. `/proc/PID/fd` is that thread's, and is
//! empty then; the others still have the descriptors.

use std::mem::MaybeUninit;

use rustix::fs::{AtFlags, RawDir};
use rustix::io::Errno;

use super::reader::Reader;
use super::{Found, Holder, Shared, name, number, open_directory};

/// The links to `PID/task` where there is one thread: one for each, `.`, and its own
/// (`proc_task_getattr` in `fs/proc/base.c`).
const OF_ONE_THREAD: u64 = 3;

impl Shared<'_, '_> {
    /// The sockets of a process that seems to have no descriptors, as the first of its other threads has
    /// them.
    pub(super) fn sockets_of_survivors(
        &self,
        pid: u32,
        room: &mut [MaybeUninit<u8>],
    ) -> Result<(Vec<Found>, Option<Holder>), Errno> {
        let tasks = format!("{pid}/task");
        // As most that have none: the kernel's own processes.
        if rustix::fs::statat(&self.proc, &tasks, AtFlags::empty())?.st_nlink == OF_ONE_THREAD {
            return Ok((Vec::new(), None));
        }
        let tasks = open_directory(&self.proc, tasks)?;
        let mut threads = Vec::new();
        let mut entries = RawDir::new(&tasks, room);
        while let Some(entry) = entries.next() {
            let thread = number(entry?.file_name().to_bytes());
            threads.extend(thread.filter(|thread| *thread != pid));
        }
        for thread in threads {
            match self.sockets_of_thread(pid, thread, room) {
                Err(Errno::NOENT | Errno::SRCH) => {}
                seen => return seen,
            }
        }
        Ok((Vec::new(), None))
    }

    fn sockets_of_thread(
        &self,
        pid: u32,
        thread: u32,
        room: &mut [MaybeUninit<u8>],
    ) -> Result<(Vec<Found>, Option<Holder>), Errno> {
        let directory = open_directory(&self.proc, format!("{pid}/task/{thread}/fd"))?;
        let mut reader = Reader::new(&directory, self.search, pid);
        let mut next = Some(0);
        while let Some(from) = next {
            next = reader.list(from, u32::MAX, room)?.next;
        }
        let Reader { found, any_wanted, .. } = reader;
        self.note(&found);
        if !any_wanted {
            return Ok((found, None));
        }
        let uid = rustix::fs::fstat(&directory)?.st_uid;
        // The process's own, and not the thread's.
        let name = name(&directory, c"../../../comm")?.ok_or(Errno::SRCH)?;
        Ok((found, Some(Holder { name, uid })))
    }
}
