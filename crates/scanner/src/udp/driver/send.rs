//! Sending questions, and waiting with those whose neighbour is not found yet.

use std::time::{Duration, Instant};

use ports_core::Port;
use rustix::io::Errno;
use socket2::SockAddr;

use super::{Parked, UdpDriver};
use crate::connect::neighbours::Admission;
use crate::connect::outcome::open_error;
use crate::engine::{LocalError, Probe, ProbeId};
use crate::udp::question::questions;
use crate::udp::send_error::classify;
use crate::udp::socket_name::SocketName;

/// How often one datagram is tried: each try may meet the error of another one.
const SEND_TRIES: usize = 16;
/// How often the probes that wait for a neighbour are looked at.
const PARKED_LOOK: Duration = Duration::from_millis(100);

/// How a datagram would fare.
enum Way {
    /// It leaves, as far as is known.
    Open,
    /// The kernel looks for the neighbour, so far in vain.
    Unresolved,
    /// It cannot look for yet another one now.
    NoRoom,
    Refused(LocalError),
}

impl UdpDriver {
    pub(super) fn launch(&mut self, probe: &Probe) {
        let target = probe.target;
        if self.config.is_own_socket(target) {
            self.asked.end(target);
            return self.local_error(probe.id, LocalError::OwnSocket);
        }
        let name = self.config.socket_for(target, probe.id.attempt());
        if let Err(error) = self.sockets.open(name, &self.config) {
            return self.local_error(probe.id, open_error(&error));
        }
        let Some(group) = self.engine.group_of(probe.id) else { return };
        self.asked.ask(probe, group);
        match self.way_to(probe) {
            Way::Open => self.ask(name, probe),
            Way::Refused(error) => self.local_error(probe.id, error),
            Way::NoRoom => {
                self.engine.hold_for_room(probe.id);
                self.parked.push(Parked { probe: *probe, for_neighbour: false });
            }
            Way::Unresolved if self.asked.may_knock(Instant::now(), target.ip()) => {
                self.ask(name, probe);
            }
            Way::Unresolved => {
                self.engine.hold_for_neighbour(Instant::now(), probe.id);
                self.parked.push(Parked { probe: *probe, for_neighbour: true });
            }
        }
    }

    /// Sends the probes whose neighbours were found meanwhile, or may be looked for now.
    pub(super) fn send_parked(&mut self) {
        let now = Instant::now();
        if self.parked.is_empty() || now.saturating_duration_since(self.parked_seen) < PARKED_LOOK {
            return;
        }
        self.parked_seen = now;
        for parked in std::mem::take(&mut self.parked) {
            let probe = parked.probe;
            let Probe { id, target } = probe;
            if !self.engine.is_held(id) {
                continue;
            }
            match self.way_to(&probe) {
                Way::Open if self.engine.release(now, id) => {
                    self.ask(self.config.socket_for(target, id.attempt()), &probe);
                }
                // It comes again.
                Way::Open => {}
                Way::Refused(error) => self.local_error(id, error),
                Way::Unresolved if !parked.for_neighbour => {
                    // It is looked for already: from now on there is an end to that.
                    self.engine.hold_for_neighbour(now, id);
                    self.parked.push(Parked { for_neighbour: true, ..parked });
                }
                Way::NoRoom | Way::Unresolved => self.parked.push(parked),
            }
        }
    }

    fn way_to(&mut self, probe: &Probe) -> Way {
        let (now, host) = (Instant::now(), probe.target.ip());
        if self.config.links.is_local(host) {
            return Way::Open;
        }
        match self.neighbours.admit(now, host) {
            Admission::Refused(LocalError::InvalidAddress) => {
                // A group, or everybody on a link: whoever hears it answers.
                let many = self.many.entry((host.is_ipv6(), probe.target.port())).or_default();
                if !many.contains(&probe.target) {
                    many.push(probe.target);
                }
                Way::Open
            }
            Admission::Refused(error) => Way::Refused(error),
            Admission::Wait => Way::NoRoom,
            Admission::Go if self.neighbours.is_unresolved(now, host) => Way::Unresolved,
            Admission::Go => Way::Open,
        }
    }

    /// Puts the question whose turn it is.
    fn ask(&mut self, name: SocketName, probe: &Probe) {
        let target = probe.target;
        let questions = questions(Port::new(target.port()));
        let turn = probe.id.attempt().wrapping_sub(1) as usize % questions.len();
        let mut datagram = std::mem::take(&mut self.datagram);
        datagram.clear();
        questions[turn].write(target.ip(), &mut datagram);
        if let Err(error) = self.send(name, &datagram, probe) {
            self.local_error(probe.id, error);
        }
        self.datagram = datagram;
    }

    /// Sends one datagram. The kernel reports an error that an earlier one met by failing a later call
    /// (udp(7)), once for each; so only an error that comes again, and that no message explains, is
    /// this datagram's own.
    fn send(&mut self, name: SocketName, datagram: &[u8], probe: &Probe) -> Result<(), LocalError> {
        let target = SockAddr::from(probe.target);
        let mut last = None;
        for _ in 0..SEND_TRIES {
            let Some(socket) = self.sockets.at(name) else { return Err(LocalError::Resources) };
            let error = match socket.send(datagram, &target) {
                Ok(()) => return Ok(()),
                Err(Errno::AGAIN) => return Err(classify(Errno::AGAIN)),
                Err(error) => error,
            };
            let explained = self.take_errors(name) > 0;
            if self.engine.find(probe.id.index(), probe.target, probe.id.attempt()).is_none() {
                // One of the messages was about an earlier attempt at this very port.
                return Ok(());
            }
            // No datagram is refused while it is sent.
            if !explained && last == Some(error) && error != Errno::CONNREFUSED {
                return Err(classify(error));
            }
            last = Some(error);
        }
        Err(LocalError::Buffers)
    }

    fn local_error(&mut self, id: ProbeId, error: LocalError) {
        self.engine.handle_local_error(Instant::now(), id, error);
    }
}
