//! Packets on their way to one socket, and what becomes of those that do not leave.

use std::io;

use rustix::io::Errno;
use sockets_raw::{Destination, SendBatch};

use crate::engine::{LocalError, ProbeId};

/// Packets that one system call sends.
const BATCH: usize = 256;
/// A SYN or an echo request over IPv6, a question to a neighbour.
const PACKET_SIZE: usize = 96;

/// Packets that wait to be sent together, with the probes that they are.
#[derive(Debug)]
pub(super) struct Outbox {
    batch: SendBatch,
    /// For each packet since the batch was last empty; `None` for a question to a neighbour.
    probes: Vec<Option<ProbeId>>,
    /// How many of them have left the batch.
    done: usize,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            batch: SendBatch::new(BATCH, PACKET_SIZE),
            probes: Vec::with_capacity(BATCH),
            done: 0,
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.batch.is_full()
    }

    /// Adds a packet.
    ///
    /// # Errors
    ///
    /// [`LocalError::Resources`] where it has no room.
    pub(super) fn push(
        &mut self,
        packet: &[u8],
        destination: impl Into<Destination>,
        probe: Option<ProbeId>,
    ) -> Result<(), LocalError> {
        self.batch.push(packet, destination.into()).map_err(|_| LocalError::Resources)?;
        self.probes.push(probe);
        Ok(())
    }

    /// Hands everything to `send`, and tells `unsent` of each probe that did not leave. Nothing is
    /// left afterwards.
    pub(super) fn flush(
        &mut self,
        send: impl Fn(&mut SendBatch) -> io::Result<usize>,
        mut unsent: impl FnMut(ProbeId, LocalError),
    ) {
        while !self.batch.is_empty() {
            match send(&mut self.batch) {
                Ok(taken) => self.done += taken,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let cause = cause_of(&error);
                    // No room for this one is no room for the rest.
                    let refused = if cause == LocalError::Resources {
                        self.batch.clear()
                    } else {
                        usize::from(self.batch.skip_first())
                    };
                    for id in self.probes[self.done..self.done + refused].iter().flatten() {
                        unsent(*id, cause);
                    }
                    self.done += refused;
                }
            }
        }
        self.probes.clear();
        self.done = 0;
    }
}

/// What it means that the kernel refused a packet (packet(7), raw(7), ip(7)).
fn cause_of(error: &io::Error) -> LocalError {
    match Errno::from_io_error(error) {
        Some(Errno::PERM | Errno::ACCESS) => LocalError::NotPermitted,
        Some(
            Errno::NETUNREACH
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::NXIO
            | Errno::NODEV
            | Errno::HOSTDOWN,
        ) => LocalError::NoRoute,
        Some(Errno::ADDRNOTAVAIL) => LocalError::NoSourceAddress,
        Some(Errno::INVAL | Errno::AFNOSUPPORT | Errno::MSGSIZE) => LocalError::InvalidAddress,
        // EAGAIN, ENOBUFS, ENOMEM, and whatever else the kernel may think of.
        _ => LocalError::Resources,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::engine::{Engine, EngineConfig};
    use crate::plan::ScanPlan;
    use crate::target::AddressSet;

    /// Ids are made by an engine only.
    fn ids(count: u64) -> Vec<ProbeId> {
        let address = AddressSet::from(std::net::IpAddr::from([192, 0, 2, 1]));
        let ports = "1-100".parse().unwrap();
        let plan = ScanPlan::new(&address, &ports, ports_core::Transport::Tcp, 0).unwrap();
        let now = std::time::Instant::now();
        let mut engine = Engine::new(now, plan.into(), EngineConfig::default());
        engine.add_work(0..count);
        std::iter::from_fn(|| engine.poll_probe(now)).map(|probe| probe.id).collect()
    }

    /// A socket that takes what `verdicts` say, one each call.
    fn flush(
        outbox: &mut Outbox,
        verdicts: Vec<Result<usize, Errno>>,
    ) -> Vec<(ProbeId, LocalError)> {
        let verdicts = RefCell::new(verdicts.into_iter());
        let mut unsent = Vec::new();
        outbox.flush(
            |batch| match verdicts.borrow_mut().next().unwrap() {
                Ok(count) => Ok((0..count).filter(|_| batch.skip_first()).count()),
                Err(errno) => Err(errno.into()),
            },
            |id, error| unsent.push((id, error)),
        );
        assert_eq!(verdicts.borrow().len(), 0);
        unsent
    }

    fn filled(ids: &[ProbeId]) -> Outbox {
        let mut outbox = Outbox::new();
        for id in ids {
            outbox.push(b"packet", Destination::Connected, Some(*id)).unwrap();
        }
        outbox
    }

    #[test]
    fn the_one_that_is_refused_is_named_and_the_rest_goes() {
        let ids = ids(5);
        let mut outbox = filled(&ids);
        let unsent = flush(&mut outbox, vec![Ok(2), Err(Errno::PERM), Ok(2)]);
        assert_eq!(unsent, [(ids[2], LocalError::NotPermitted)]);
        outbox.push(b"packet", Destination::Connected, Some(ids[0])).unwrap();
        assert_eq!(flush(&mut outbox, vec![Err(Errno::NETDOWN)]), [(ids[0], LocalError::NoRoute)]);
    }

    #[test]
    fn without_room_the_rest_did_not_leave() {
        let ids = ids(4);
        let mut outbox = filled(&ids);
        let unsent = flush(&mut outbox, vec![Err(Errno::INTR), Ok(1), Err(Errno::NOBUFS)]);
        let resources = |id: &ProbeId| (*id, LocalError::Resources);
        assert_eq!(unsent, ids[1..].iter().map(resources).collect::<Vec<_>>());
    }

    #[test]
    fn what_has_no_room_is_said_and_kept_nowhere() {
        let ids = ids(1);
        let mut outbox = Outbox::new();
        let large = [0; PACKET_SIZE + 1];
        let refused = outbox.push(&large, Destination::Connected, Some(ids[0]));
        assert_eq!(refused, Err(LocalError::Resources));
        for _ in 0..BATCH {
            outbox.push(b"packet", Destination::Connected, None).unwrap();
        }
        let refused = outbox.push(b"packet", Destination::Connected, Some(ids[0]));
        assert_eq!(refused, Err(LocalError::Resources));
        assert_eq!(flush(&mut outbox, vec![Err(Errno::NOBUFS)]), []);
    }

    #[test]
    fn a_lost_question_is_nobodys_probe() {
        let ids = ids(1);
        let mut outbox = Outbox::new();
        outbox.push(b"who has", Destination::Connected, None).unwrap();
        outbox.push(b"packet", Destination::Connected, Some(ids[0])).unwrap();
        let unsent = flush(&mut outbox, vec![Err(Errno::AGAIN)]);
        assert_eq!(unsent, [(ids[0], LocalError::Resources)]);
    }
}
