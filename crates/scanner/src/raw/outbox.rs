//! Packets on their way to one socket, and what becomes of those that do not leave.

use std::io;
use std::time::Instant;

use rustix::io::Errno;
use sockets_raw::{Destination, SendBatch};

use super::refusals::Refusals;
use crate::engine::{LocalError, ProbeId};

/// Packets that one system call sends.
const BATCH: usize = 256;
/// A SYN or an echo request over IPv6, a question to a neighbour.
const PACKET_SIZE: usize = 96;

/// Packets that wait to be sent together, with the probes that they are.
#[derive(Debug)]
pub(super) struct Outbox {
    batch: SendBatch,
    /// What each packet since the batch was last empty is.
    packets: Vec<Packet>,
    /// How many of them have left the batch.
    done: usize,
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    /// Where it leaves.
    interface: u32,
    /// `None` for a question to a neighbour.
    probe: Option<ProbeId>,
}

/// A probe that did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsent {
    pub(super) probe: ProbeId,
    pub(super) interface: u32,
    pub(super) error: LocalError,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            batch: SendBatch::new(BATCH, PACKET_SIZE),
            packets: Vec::with_capacity(BATCH),
            done: 0,
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.batch.is_full()
    }

    /// Adds a packet that is to leave by `interface`.
    ///
    /// # Errors
    ///
    /// [`LocalError::Buffers`] where it has no room.
    pub(super) fn push(
        &mut self,
        packet: &[u8],
        destination: impl Into<Destination>,
        interface: u32,
        probe: Option<ProbeId>,
    ) -> Result<(), LocalError> {
        self.batch.push(packet, destination.into()).map_err(|_| LocalError::Buffers)?;
        self.packets.push(Packet { interface, probe });
        Ok(())
    }

    /// Hands everything to `send`, and tells `unsent` of each probe that did not leave. Nothing is
    /// left afterwards. `refusals` hears what the interfaces took.
    pub(super) fn flush(
        &mut self,
        now: Instant,
        refusals: &mut Refusals,
        send: impl Fn(&mut SendBatch) -> io::Result<usize>,
        mut unsent: impl FnMut(Unsent),
    ) {
        // No room for one packet is no room for the rest that leaves there.
        let mut full = Vec::new();
        while let Some(Packet { interface, probe }) = self.packets.get(self.done).copied() {
            let error = if full.contains(&interface) {
                refusals.refused(now, interface)
            } else {
                match send(&mut self.batch) {
                    Ok(taken) => {
                        let left = &self.packets[self.done..self.done + taken];
                        refusals.took(left.iter().map(|packet| packet.interface));
                        self.done += taken;
                        continue;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => match cause_of(&error) {
                        LocalError::Buffers => {
                            full.push(interface);
                            refusals.refused(now, interface)
                        }
                        error => error,
                    },
                }
            };
            self.batch.skip_first();
            self.done += 1;
            if let Some(probe) = probe {
                unsent(Unsent { probe, interface, error });
            }
        }
        self.packets.clear();
        self.done = 0;
    }
}

/// What it means that the kernel refused a packet (packet(7), raw(7), ip(7)).
fn cause_of(error: &io::Error) -> LocalError {
    match Errno::from_io_error(error) {
        Some(Errno::PERM | Errno::ACCESS) => LocalError::NotPermitted,
        Some(Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::HOSTDOWN) => LocalError::NoRoute,
        Some(Errno::NETDOWN | Errno::NXIO | Errno::NODEV) => LocalError::NetworkDown,
        Some(Errno::ADDRNOTAVAIL) => LocalError::NoSourceAddress,
        Some(Errno::INVAL | Errno::AFNOSUPPORT | Errno::MSGSIZE) => LocalError::InvalidAddress,
        // EAGAIN, ENOBUFS, ENOMEM, and whatever else the kernel may think of. Past the queue, ENOBUFS is also
        // what a link without a carrier and a filter on the way out say (`packet_direct_xmit` in
        // `net/packet/af_packet.c`).
        _ => LocalError::Buffers,
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
        refusals: &mut Refusals,
        verdicts: Vec<Result<usize, Errno>>,
    ) -> Vec<(ProbeId, LocalError)> {
        let verdicts = RefCell::new(verdicts.into_iter());
        let mut unsent = Vec::new();
        outbox.flush(
            Instant::now(),
            refusals,
            |batch| match verdicts.borrow_mut().next().unwrap() {
                Ok(count) => Ok((0..count).filter(|_| batch.skip_first()).count()),
                Err(errno) => Err(errno.into()),
            },
            |one| unsent.push((one.probe, one.error)),
        );
        assert_eq!(verdicts.borrow().len(), 0);
        unsent
    }

    const LINK: u32 = 3;

    fn filled(ids: &[ProbeId]) -> Outbox {
        let mut outbox = Outbox::new();
        for id in ids {
            outbox.push(b"packet", Destination::Connected, LINK, Some(*id)).unwrap();
        }
        outbox
    }

    #[test]
    fn the_one_that_is_refused_is_named_and_the_rest_goes() {
        let ids = ids(5);
        let (mut outbox, mut refusals) = (filled(&ids), Refusals::default());
        let unsent = flush(&mut outbox, &mut refusals, vec![Ok(2), Err(Errno::PERM), Ok(2)]);
        assert_eq!(unsent, [(ids[2], LocalError::NotPermitted)]);
        let mut outbox = filled(&ids[..1]);
        let unsent = flush(&mut outbox, &mut refusals, vec![Err(Errno::NETDOWN)]);
        assert_eq!(unsent, [(ids[0], LocalError::NetworkDown)]);
    }

    #[test]
    fn without_room_the_rest_of_the_link_did_not_leave() {
        let ids = ids(4);
        let (mut outbox, mut refusals) = (filled(&ids), Refusals::default());
        let verdicts = vec![Err(Errno::INTR), Ok(1), Err(Errno::NOBUFS)];
        let unsent = flush(&mut outbox, &mut refusals, verdicts);
        let buffers = |id: &ProbeId| (*id, LocalError::Buffers);
        assert_eq!(unsent, ids[1..].iter().map(buffers).collect::<Vec<_>>());
        assert!(refusals.is_refusing(LINK));
    }

    #[test]
    fn what_leaves_by_another_link_is_tried_all_the_same() {
        let ids = ids(4);
        let (mut outbox, mut refusals) = (Outbox::new(), Refusals::default());
        for (id, link) in ids.iter().zip([LINK, 4, LINK, 4]) {
            outbox.push(b"packet", Destination::Connected, link, Some(*id)).unwrap();
        }
        let verdicts = vec![Err(Errno::NOBUFS), Ok(1), Ok(1)];
        let unsent = flush(&mut outbox, &mut refusals, verdicts);
        assert_eq!(unsent, [0, 2].map(|place| (ids[place], LocalError::Buffers)));
        assert!(refusals.is_refusing(LINK) && !refusals.is_refusing(4));
    }

    #[test]
    fn what_has_no_room_is_said_and_kept_nowhere() {
        let ids = ids(1);
        let (mut outbox, mut refusals) = (Outbox::new(), Refusals::default());
        let large = [0; PACKET_SIZE + 1];
        let refused = outbox.push(&large, Destination::Connected, LINK, Some(ids[0]));
        assert_eq!(refused, Err(LocalError::Buffers));
        for _ in 0..BATCH {
            outbox.push(b"packet", Destination::Connected, LINK, None).unwrap();
        }
        let refused = outbox.push(b"packet", Destination::Connected, LINK, Some(ids[0]));
        assert_eq!(refused, Err(LocalError::Buffers));
        assert_eq!(flush(&mut outbox, &mut refusals, vec![Err(Errno::NOBUFS)]), []);
    }

    #[test]
    fn a_lost_question_is_nobodys_probe() {
        let ids = ids(1);
        let (mut outbox, mut refusals) = (Outbox::new(), Refusals::default());
        outbox.push(b"who has", Destination::Connected, LINK, None).unwrap();
        outbox.push(b"packet", Destination::Connected, LINK, Some(ids[0])).unwrap();
        let unsent = flush(&mut outbox, &mut refusals, vec![Err(Errno::AGAIN)]);
        assert_eq!(unsent, [(ids[0], LocalError::Buffers)]);
    }
}
