//! Which process has which socket: the links in `/proc/PID/fd`, read by several threads.

use std::mem::MaybeUninit;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, RawDir, SeekFrom};
use rustix::io::Errno;
use rustix::path::Arg;

use self::queue::{Queue, Unit};
use self::reader::Reader;
use crate::system::number_map::NumberMap;

mod queue;
mod reader;
mod survivors;

/// More threads gain nothing: they wait for each other in the kernel.
const MOST_THREADS: usize = 8;
/// So many descriptors in a row are one thread's; the next ones may be another's.
pub(super) const SPLIT: u32 = 4096;
/// A process with fewer descriptors is listed whole and not split.
const LISTED: u32 = 512;
/// Room for the entries of a directory, in bytes: 24 for each descriptor.
const ENTRIES: usize = 32 * 1024;
/// `.` and `..` come before the descriptors: descriptor N is at this place and N
/// (`proc_readfd_common` in `fs/proc/fd.c`).
const DOTS: u64 = 2;
/// Longer than the name of any thread (`TASK_COMM_LEN`, and the kernel's own of 64).
const COMM: usize = 80;

/// A descriptor that is a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) descriptor: u32,
    pub(super) inode: u64,
}

/// What was seen of a process: all of it, or the descriptors from one on and before another.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) pid: u32,
    pub(super) from: u32,
    pub(super) end: u32,
    pub(super) seen: Seen,
}

#[derive(Debug)]
pub(super) enum Seen {
    /// Its sockets, by descriptor; where one of them was wanted, also who it is.
    Sockets { found: Vec<Found>, holder: Option<Holder> },
    /// It is not ours to read.
    Unreadable,
    /// It ended before it was read.
    Gone,
}

/// A process, by the directory that its sockets were read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) name: Box<str>,
    pub(super) uid: u32,
}

/// What is looked for.
pub(super) struct Search<'a> {
    /// The inodes of all sockets that matter.
    pub(super) is_wanted: &'a (dyn Fn(u64) -> bool + Sync),
    /// The sockets that a process had: a descriptor whose socket is still wanted is not read again.
    pub(super) known: &'a (dyn Fn(u32) -> &'a [Found] + Sync),
    /// The search is over when each of these is found; without them, when all processes are read.
    pub(super) missing: Option<&'a Missing>,
}

/// Sockets that are looked for, and whether each was found.
pub(super) type Missing = NumberMap<AtomicBool>;

/// What all threads share.
struct Shared<'s, 'a> {
    search: &'s Search<'a>,
    proc: OwnedFd,
    queue: Queue,
    left: AtomicUsize,
    is_over: AtomicBool,
}

/// A process in the list of `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) pid: u32,
    /// Of its directory: a process has at most one at a time, and no other process has that one.
    pub(super) inode: u64,
}

/// Where processes are.
pub(super) const PROC: &str = "/proc";

/// All processes that this one can see.
pub(super) fn processes(proc: &Path) -> Result<Vec<Listing>, Errno> {
    let proc = open_directory(CWD, proc)?;
    let mut room = vec![MaybeUninit::uninit(); ENTRIES];
    let mut entries = RawDir::new(&proc, &mut room);
    let mut processes = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let pid = number(entry.file_name().to_bytes());
        processes.extend(pid.map(|pid| Listing { pid, inode: entry.ino() }));
    }
    Ok(processes)
}

/// Reads the descriptors of `pids`, the first ones first. Parts of one process may come in any
/// order.
pub(super) fn run(proc: &Path, pids: &[u32], search: &Search<'_>) -> Result<Vec<Part>, Errno> {
    let shared = Shared {
        search,
        proc: open_directory(CWD, proc)?,
        queue: Queue::new(pids),
        left: AtomicUsize::new(search.missing.map_or(usize::MAX, Missing::len)),
        is_over: AtomicBool::new(false),
    };
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = processors.min(MOST_THREADS).min(pids.len());
    thread::scope(|scope| {
        // As many as there are to be had: this one alone does it, too.
        let others: Vec<_> = (1..threads)
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, || shared.work()).ok())
            .collect();
        let mut parts = shared.work();
        for other in others {
            match (other.join(), &mut parts) {
                (Ok(Ok(more)), Ok(parts)) => parts.extend(more),
                (Ok(Err(error)), Ok(_)) => parts = Err(error),
                (Ok(_), Err(_)) => {}
                (Err(panic), _) => std::panic::resume_unwind(panic),
            }
        }
        parts
    })
}

/// A unit in work. The threads that wait for more of it are let go also where it ends in a panic.
struct Active<'w, 's, 'a>(&'w Shared<'s, 'a>);

impl Drop for Active<'_, '_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.is_over.store(true, Ordering::Relaxed);
        }
        self.0.queue.done();
    }
}

impl Shared<'_, '_> {
    fn work(&self) -> Result<Vec<Part>, Errno> {
        let mut room = vec![MaybeUninit::uninit(); ENTRIES];
        let mut parts = Vec::new();
        while let Some(unit) = self.queue.next(&self.is_over) {
            let active = Active(self);
            let part = self.part(unit, &mut room);
            drop(active);
            match part {
                Ok(part) => parts.push(part),
                Err(error) => {
                    self.is_over.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(parts)
    }

    fn part(&self, unit: Unit, room: &mut [MaybeUninit<u8>]) -> Result<Part, Errno> {
        let mut end = u32::MAX;
        let seen = match self.sockets(unit, &mut end, room) {
            Ok((found, holder)) => Seen::Sockets { found, holder },
            Err(Errno::NOENT | Errno::SRCH) => Seen::Gone,
            Err(Errno::ACCESS | Errno::PERM) => Seen::Unreadable,
            Err(error) => return Err(error),
        };
        Ok(Part { pid: unit.pid, from: unit.from, end, seen })
    }

    fn sockets(
        &self,
        unit: Unit,
        end: &mut u32,
        room: &mut [MaybeUninit<u8>],
    ) -> Result<(Vec<Found>, Option<Holder>), Errno> {
        let directory = self.open(unit.pid)?;
        let mut reader = Reader::new(&directory, self.search, unit.pid);
        let limit = unit.from.saturating_add(SPLIT);
        let mut next = unit.from;
        let mut has_more = None;
        if unit.from > 0 {
            has_more = Some(self.split(unit.pid, limit)?);
            next = reader.probe(next, limit)?;
        }
        while next < limit {
            let listed = reader.list(next, limit, room)?;
            if has_more.is_none() && (listed.is_beyond || listed.next.is_some()) {
                has_more = Some(self.split(unit.pid, limit)?);
            }
            let Some(behind) = listed.next else { break };
            next = if listed.is_dense { reader.probe(behind, limit)? } else { behind };
        }
        if has_more == Some(true) {
            *end = limit;
        }
        let Reader { found, any_wanted, any, .. } = reader;
        if !any && unit.from == 0 {
            return self.sockets_of_survivors(unit.pid, room);
        }
        self.note(&found);
        if !any_wanted {
            return Ok((found, None));
        }
        let uid = rustix::fs::fstat(&directory)?.st_uid;
        // Through the directory, so that it is of the same process.
        let name = name(&directory, c"../comm")?.ok_or(Errno::SRCH)?;
        Ok((found, Some(Holder { name, uid })))
    }

    /// Gives the descriptors of a process from one on to whichever thread comes first. Returns
    /// whether there are any.
    fn split(&self, pid: u32, from: u32) -> Result<bool, Errno> {
        let directory = self.open(pid)?;
        rustix::fs::seek(&directory, SeekFrom::Start(u64::from(from) + DOTS))?;
        let mut room = [MaybeUninit::uninit(); 64];
        let has_more = match RawDir::new(&directory, &mut room).next() {
            Some(entry) => number(entry?.file_name().to_bytes()).is_some_and(|next| next >= from),
            None => false,
        };
        if has_more {
            self.queue.push(Unit { pid, from });
        }
        Ok(has_more)
    }

    fn open(&self, pid: u32) -> Result<OwnedFd, Errno> {
        let mut path = [0; 16];
        open_directory(&self.proc, descriptors_path(pid, &mut path))
    }

    /// Counts what was missing and is found.
    fn note(&self, found: &[Found]) {
        let Some(missing) = self.search.missing else { return };
        let is_first = |found: &&Found| {
            missing
                .get(&found.inode)
                .is_some_and(|is_found| !is_found.swap(true, Ordering::Relaxed))
        };
        let hits = found.iter().filter(is_first).count();
        if self.left.fetch_sub(hits, Ordering::Relaxed) == hits {
            self.is_over.store(true, Ordering::Relaxed);
        }
    }
}

fn open_directory(at: impl AsFd, path: impl Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(at, path, flags, Mode::empty())
}

/// `PID/fd`, written into `room`: a pid has ten digits at most.
fn descriptors_path(pid: u32, room: &mut [u8; 16]) -> &[u8] {
    const TAIL: &[u8] = b"/fd";
    let mut begin = room.len() - TAIL.len();
    room[begin..].copy_from_slice(TAIL);
    let mut rest = pid;
    loop {
        begin -= 1;
        room[begin] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return &room[begin..];
        }
    }
}

/// The short name of a process, in a file `comm`; `None` where the process is gone.
pub(super) fn name(at: impl AsFd, path: impl Arg) -> Result<Option<Box<str>>, Errno> {
    let mut buffer = [0; COMM];
    let read = rustix::fs::openat(at, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|file| rustix::io::read(file, &mut buffer));
    match read {
        Ok(length) => {
            let name = buffer[..length].strip_suffix(b"\n").unwrap_or(&buffer[..length]);
            Ok(Some(String::from_utf8_lossy(name).into()))
        }
        Err(Errno::NOENT | Errno::SRCH | Errno::ACCESS | Errno::PERM) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A name that is a number; `None` for `.`, `..` and all else.
fn number(name: &[u8]) -> Option<u32> {
    if name.is_empty() {
        return None;
    }
    name.iter().try_fold(0_u32, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests;
