//! Linux: `sock_diag` netlink, `/proc`, and what is remembered between two snapshots.

use std::time::Duration;

use sockets_sys::{Message, Messages};

use self::cgroup_tree::CgroupTree;
use self::diag::{DiagError, Diagnosis};
use self::owners::Owners;
use self::told::Told;
use super::query::Source;
use super::{Protocol, Query, Snapshot, SnapshotError};

mod again;
mod bytecode;
mod cgroup_tree;
mod diag;
mod halves;
mod inet;
mod listener;
mod networks;
mod owners;
mod port_rules;
mod proc_net;
mod process;
mod scan;
mod stat;
mod told;
mod unix;

pub(super) use listener::Listener;
pub(super) use networks::other_networks;
pub(super) use port_rules::read as port_rules;
pub(super) use process::{
    cgroup as process_cgroup, details as process_details, uid as process_uid,
};

/// Address families of a question. Only TCP has one for both (`TCPDIAG_GETSOCK`): the kernel goes
/// through its tables once then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Ipv4,
    Ipv6,
    Both,
}

/// What a question to `sock_diag` is about; one dump, or one file of `/proc/net`, each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dump {
    Inet { protocol: Protocol, family: Family },
    Unix,
}

impl Dump {
    /// What a query needs.
    fn all(query: &Query) -> impl Iterator<Item = Self> {
        let inet = [Protocol::Tcp, Protocol::Udp, Protocol::Raw].into_iter();
        let ip = (query.wants_ipv4(), query.wants_ipv6());
        let inet = inet.filter(|protocol| query.wants(*protocol)).flat_map(move |protocol| {
            let families: &[Family] = match ip {
                (true, true) if protocol == Protocol::Tcp => &[Family::Both],
                (true, true) => &[Family::Ipv4, Family::Ipv6],
                (true, false) => &[Family::Ipv4],
                (false, true) => &[Family::Ipv6],
                (false, false) => &[],
            };
            families.iter().map(move |family| Self::Inet { protocol, family: *family })
        });
        inet.chain(query.wants(Protocol::UnixStream).then_some(Self::Unix))
    }

    /// A dump that tells of sockets of this protocol.
    const fn of(protocol: Protocol) -> Self {
        if protocol.is_unix() { Self::Unix } else { Self::Inet { protocol, family: Family::Ipv4 } }
    }

    const fn protocol(self) -> Protocol {
        match self {
            Self::Inet { protocol, .. } => protocol,
            Self::Unix => Protocol::UnixStream,
        }
    }
}

#[derive(Debug)]
pub(super) struct Backend {
    diagnosis: Option<Diagnosis>,
    /// For the second half of a large dump.
    second: Option<Diagnosis>,
    /// The sockets of the last snapshot.
    told: Told,
    owners: Owners,
    cgroups: CgroupTree,
}

impl Backend {
    pub(super) fn new(recheck_after: Duration) -> Self {
        Self {
            diagnosis: None,
            second: None,
            told: Told::default(),
            owners: Owners::new(recheck_after),
            cgroups: CgroupTree::default(),
        }
    }

    pub(super) const fn set_recheck_after(&mut self, time: Duration) {
        self.owners.recheck_after = time;
    }

    /// With those sockets of `earlier` that are there and that the dumps have left out.
    pub(super) fn snapshot(
        &mut self,
        query: &Query,
        earlier: Option<&Snapshot>,
    ) -> Result<Snapshot, SnapshotError> {
        let mut snapshot = Snapshot::new();
        for dump in Dump::all(query) {
            self.read(dump, query, &mut snapshot)?;
        }
        snapshot.coverage.interrupted |= self.told.keep_one_of_each(&mut snapshot.rows);
        // As far as they have cookies; and below only sockets are added that it has not.
        snapshot.has_each_once = true;
        // `/proc` has no cookies to look for, and where it stands in for netlink, there is none to ask.
        if let Some(earlier) = earlier.filter(|_| !snapshot.coverage.from_proc) {
            let diagnosis = Diagnosis::opened(&mut self.diagnosis)
                .map_err(|error| error.about(Protocol::Tcp))?;
            let found = again::look(diagnosis, query, earlier, &self.told, &mut snapshot)
                .map_err(|(protocol, error)| error.about(protocol))?;
            snapshot.coverage.interrupted |= found > 0;
        }
        unix::name_peers(&mut snapshot);
        if query.wants_cgroups() {
            self.cgroups.attach(&mut snapshot);
        }
        if query.wants_processes() {
            self.owners.attach(&mut snapshot)?;
        }
        Ok(snapshot)
    }

    /// Adds the sockets of one dump, by whichever way the query allows.
    fn read(
        &mut self,
        dump: Dump,
        query: &Query,
        snapshot: &mut Snapshot,
    ) -> Result<(), SnapshotError> {
        if query.reads() == Source::Proc {
            return proc_net::read(dump, query, snapshot);
        }
        let asked = self.ask(dump, query, snapshot);
        match asked {
            Err(error) if query.reads() == Source::Auto && error.is_refusal() => {
                proc_net::read(dump, query, snapshot)
            }
            Err(error) => Err(error.about(dump.protocol())),
            Ok(()) => Ok(()),
        }
    }

    fn ask(&mut self, dump: Dump, query: &Query, snapshot: &mut Snapshot) -> Result<(), DiagError> {
        let first = Diagnosis::opened(&mut self.diagnosis)?;
        // Where there is no second socket to be had, the first asks for all.
        if let Some(expected) = halves::worth_it(dump, query)
            && let Ok(second) = Diagnosis::opened(&mut self.second)
        {
            return halves::dump([first, second], (dump, expected), query, snapshot);
        }
        first.dump(dump, query, None, snapshot)
    }
}

impl Snapshot {
    /// The sockets in datagrams that the kernel has sent in answer to a question about `protocol`
    /// (any of the three stands for UNIX sockets), one after the other. Total: what is no socket is
    /// counted in [`Coverage::malformed`](super::Coverage::malformed).
    pub fn from_netlink(protocol: Protocol, datagrams: &[u8]) -> Self {
        let mut snapshot = Self::new();
        let mut messages = Messages::new(datagrams);
        for message in messages.by_ref().filter(|message| message.kind != Message::DONE) {
            diag::read(Dump::of(protocol), &message, &Query::any(), &mut snapshot);
        }
        snapshot.coverage.malformed += usize::from(!messages.rest().is_empty());
        snapshot
    }

    /// The sockets in a file of `/proc/net` that lists those of `protocol`. Total, as
    /// [`from_netlink`](Self::from_netlink).
    pub fn from_proc_net(protocol: Protocol, text: &[u8]) -> Self {
        let mut snapshot = Self::new();
        snapshot.coverage.from_proc = true;
        let mut told = proc_net::Told::new();
        proc_net::parse(Dump::of(protocol), text, &Query::any(), &mut told, &mut snapshot);
        snapshot
    }
}

#[cfg(test)]
mod tests;
