//! The sockets of the machine at one moment.

use std::slice;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::address::UnixNames;
use super::cgroup::CgroupPaths;
use super::process::{Holding, Process};
use super::row::{Row, SocketRow};
use super::{Details, Traffic};

/// The sockets of the machine at one moment, as far as a dump that takes some milliseconds is one.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(super) taken: SystemTime,
    pub(super) taken_at: Instant,
    pub(super) rows: Vec<Row>,
    /// Whether it is known that no two rows are of one socket.
    pub(super) has_each_once: bool,
    pub(super) traffic: Vec<Traffic>,
    pub(super) details: Vec<Details>,
    pub(super) unix: Vec<UnixNames>,
    /// The names of UNIX sockets, one behind the other.
    pub(super) names: Vec<u8>,
    /// Index of a process, and descriptor; those of one row in a run.
    pub(super) holdings: Vec<(u32, u32)>,
    pub(super) processes: Vec<Arc<Process>>,
    pub(super) cgroups: Arc<CgroupPaths>,
    pub(super) coverage: Coverage,
}

impl Snapshot {
    pub(super) fn new() -> Self {
        Self {
            taken: SystemTime::now(),
            taken_at: Instant::now(),
            rows: Vec::new(),
            has_each_once: false,
            traffic: Vec::new(),
            details: Vec::new(),
            unix: Vec::new(),
            names: Vec::new(),
            holdings: Vec::new(),
            processes: Vec::new(),
            cgroups: Arc::default(),
            coverage: Coverage::default(),
        }
    }

    /// When it was begun.
    pub const fn taken(&self) -> SystemTime {
        self.taken
    }

    /// The same by a clock that nobody sets.
    pub const fn taken_at(&self) -> Instant {
        self.taken_at
    }

    /// The sockets, in the kernel's order.
    pub fn iter(&self) -> Rows<'_> {
        Rows { snapshot: self, rows: self.rows.iter() }
    }

    /// The socket at this place of [`iter`](Self::iter).
    pub fn row(&self, index: usize) -> Option<SocketRow<'_>> {
        Some(SocketRow { snapshot: self, row: self.rows.get(index)? })
    }

    /// How many sockets.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The processes that hold these sockets, each once.
    pub fn processes(&self) -> impl ExactSizeIterator<Item = &Process> {
        self.processes.iter().map(Arc::as_ref)
    }

    /// What could not be seen, and which way the rest was.
    pub const fn coverage(&self) -> Coverage {
        self.coverage
    }

    pub(super) fn unix_names(&self, row: &Row) -> Option<&UnixNames> {
        self.unix.get(row.unix as usize)
    }

    pub(super) fn name_bytes(&self, (from, to): (u32, u32)) -> &[u8] {
        self.names.get(from as usize..to as usize).unwrap_or_default()
    }

    pub(super) fn details(&self, row: &Row) -> Option<&Details> {
        self.details.get(row.details as usize)
    }

    pub(super) fn traffic(&self, row: &Row) -> Option<Traffic> {
        match self.traffic.get(row.traffic as usize) {
            Some(traffic) => Some(*traffic),
            None => Traffic::of(self.details(row)?.tcp.as_ref()?),
        }
    }

    pub(super) fn cgroup_path(&self, id: u64) -> Option<&str> {
        self.cgroups.path(id)
    }

    /// `index` lies in the run of a row, which `attach` made.
    pub(super) fn holding(&self, index: u32) -> Holding<'_> {
        let (process, descriptor) = self.holdings[index as usize];
        Holding { process: &self.processes[process as usize], descriptor }
    }

    /// The length of each list, to go back to.
    pub(super) const fn mark(&self) -> Mark {
        Mark {
            rows: self.rows.len(),
            traffic: self.traffic.len(),
            details: self.details.len(),
            unix: self.unix.len(),
            names: self.names.len(),
            malformed: self.coverage.malformed,
        }
    }

    /// Adds the rows of a part that was read at the same time, before UNIX sockets are given the names
    /// of their peers and processes are looked for.
    pub(super) fn append(&mut self, mut part: Self) {
        if !part.traffic.is_empty() {
            let traffic_before = self.traffic.len() as u32;
            for row in part.rows.iter_mut().filter(|row| row.traffic != Row::NONE) {
                row.traffic += traffic_before;
            }
        }
        let details_before = self.details.len() as u32;
        if !part.details.is_empty() {
            for row in part.rows.iter_mut().filter(|row| row.details != Row::NONE) {
                row.details += details_before;
            }
        }
        if !part.unix.is_empty() {
            let (unix_before, names_before) = (self.unix.len() as u32, self.names.len() as u32);
            for row in part.rows.iter_mut().filter(|row| row.unix != Row::NONE) {
                row.unix += unix_before;
            }
            for names in &mut part.unix {
                names.local = (names.local.0 + names_before, names.local.1 + names_before);
            }
            self.unix.append(&mut part.unix);
            self.names.append(&mut part.names);
        }
        self.rows.append(&mut part.rows);
        self.traffic.append(&mut part.traffic);
        self.details.append(&mut part.details);
        self.coverage.malformed += part.coverage.malformed;
        self.coverage.interrupted |= part.coverage.interrupted;
    }

    /// Forgets the rows since the mark: they were of an answer that is asked for again.
    pub(super) fn back_to(&mut self, mark: Mark) {
        self.rows.truncate(mark.rows);
        self.traffic.truncate(mark.traffic);
        self.details.truncate(mark.details);
        self.unix.truncate(mark.unix);
        self.names.truncate(mark.names);
        self.coverage.malformed = mark.malformed;
    }
}

#[derive(Clone, Copy)]
pub(super) struct Mark {
    rows: usize,
    traffic: usize,
    details: usize,
    unix: usize,
    names: usize,
    malformed: usize,
}

/// The sockets of a [`Snapshot`], in the kernel's order.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    snapshot: &'a Snapshot,
    rows: slice::Iter<'a, Row>,
}

impl<'a> Iterator for Rows<'a> {
    type Item = SocketRow<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self { snapshot, rows } = self;
        rows.next().map(|row| SocketRow { snapshot, row })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Rows<'_> {}

impl<'a> IntoIterator for &'a Snapshot {
    type Item = SocketRow<'a>;
    type IntoIter = Rows<'a>;

    fn into_iter(self) -> Rows<'a> {
        self.iter()
    }
}

/// What a snapshot does not show, and which way it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// Some of it was read from `/proc/net`: without cookies, cgroups, details and bound TCP
    /// sockets. Without cookies a socket that nobody has any more is not known again, so that
    /// [`SocketWatch`](super::SocketWatch) does not remember whose it was.
    pub from_proc: bool,
    /// Sockets are known to have come and gone in a way that made the kernel tell of some twice, or leave
    /// some out: those told twice are here once, but others may be missing.
    ///
    /// It is not always known: the kernel does not say when it leaves a socket out, and a snapshot alone
    /// does not show it. So even where this is not set, a socket may be missing while others come and
    /// go; [`SystemSockets::snapshot_after`](super::SystemSockets::snapshot_after) looks again.
    pub interrupted: bool,
    /// Entries that could not be understood, and are not among the rows.
    pub malformed: usize,
    /// Cgroups that were seen and not read, because there are more than 100,000; and those below them are
    /// not even seen. Sockets of theirs have no [`SocketRow::cgroup_path`].
    pub unread_cgroups: usize,
    /// What was seen of processes; `None` where they were not asked for.
    pub processes: Option<ProcessCoverage>,
}

/// How many processes were looked at for the sockets that they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessCoverage {
    /// Whose descriptors were read.
    pub read: usize,
    /// Whose descriptors are not ours to read: other users', without root (`CAP_SYS_PTRACE`); to root, those
    /// that a security module keeps. The sockets without a process may be theirs; whose they are says [`SocketRow::uid`].
    pub unreadable: usize,
    /// The lowest number of one of these.
    pub first_unreadable: Option<u32>,
    /// Whether the processes of other users are not even listed, so that [`unreadable`](Self::unreadable)
    /// does not count them: `/proc` is mounted so that only root sees them (`hidepid`, proc(5)).
    pub are_hidden: bool,
    /// Whose descriptors were not read again, since an earlier snapshot's are new enough: see
    /// [`SystemSockets::recheck_after`](super::SystemSockets::recheck_after).
    pub remembered: usize,
}

/// Why a socket is shown without a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoProcess {
    /// The query did not ask for processes.
    NotAsked,
    /// No process has it any more, or yet: the kernel finishes the connection, or holds it until it
    /// is accepted.
    Released,
    /// There are processes whose descriptors this one may not read, or which it may not even see. It
    /// is one of theirs, or none's.
    NotPermitted,
    /// All processes that can be seen were read: it is the kernel's own, of a process in another
    /// PID namespace, of a thread with descriptors of its own (`CLONE_FILES` in clone(2)), or on its way
    /// from one process to another (`SCM_RIGHTS`); or it changed hands meanwhile.
    Elsewhere,
}
