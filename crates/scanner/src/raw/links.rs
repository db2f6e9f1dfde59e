//! The open sockets of a worker, and the packets on their way out through them.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use ports_core::PortRange;
use sockets_raw::{Destination, LinkAddress, RawConfig, RawSocket};

use super::channel::{ALL_INTERFACES, Channel, open_error};
use super::filter::Traffic;
use super::neighbours::{EthernetAddress, Hop};
use super::outbox::Outbox;
use super::paths::{Path, Way};
use super::{ANY_PROTOCOL, question};
use crate::engine::{LocalError, ProbeId};

/// A channel for each family, one for the ARP of each interface in use, and the kernel's own IP. Opened
/// when needed.
#[derive(Debug)]
pub(super) struct Links {
    ports: PortRange,
    pub(super) channels: Vec<Channel>,
    /// IPv4 and IPv6.
    kernel: [Option<(RawSocket, Outbox)>; 2],
    question: Vec<u8>,
    /// Packets that wait in some outbox.
    waiting: bool,
}

impl Links {
    /// For answers to the run of ports `ports`.
    pub(super) const fn new(ports: PortRange) -> Self {
        Self {
            ports,
            channels: Vec::new(),
            kernel: [None, None],
            question: Vec::new(),
            waiting: false,
        }
    }

    /// Puts a probe's packet on its way; it leaves with [`Self::flush`].
    ///
    /// `link` is the neighbour's address on an Ethernet link.
    pub(super) fn push(
        &mut self,
        path: &Path,
        link: Option<EthernetAddress>,
        target: IpAddr,
        packet: &[u8],
        probe: ProbeId,
        unsent: impl FnMut(ProbeId, LocalError),
    ) -> Result<(), LocalError> {
        let traffic = if target.is_ipv4() { Traffic::Ipv4 } else { Traffic::Ipv6 };
        // That is where answers come in, whichever way the question goes.
        let channel = self.channel(listened_on(path.interface, traffic), traffic)?;
        if path.way == Way::Kernel {
            let (socket, outbox) = self.kernel(target.is_ipv4())?;
            if outbox.is_full() {
                outbox.flush(|batch| socket.send(batch), unsent);
            }
            outbox.push(packet, SocketAddr::new(target, 0), Some(probe))?;
        } else {
            let Channel { socket, outbox, .. } = channel;
            if outbox.is_full() {
                outbox.flush(|batch| socket.send(batch), unsent);
            }
            let to = destination(path.interface, traffic, link);
            outbox.push(packet, to, Some(probe))?;
        }
        self.waiting = true;
        Ok(())
    }

    /// Makes sure that what `hop` says of itself is heard.
    pub(super) fn listen(&mut self, hop: Hop) -> Result<(), LocalError> {
        let traffic = spoken_by(hop);
        self.channel(listened_on(hop.interface, traffic), traffic).map(|_| ())
    }

    /// Asks who `hop` is, from an address of ours on its link.
    pub(super) fn ask(
        &mut self,
        hop: Hop,
        own: EthernetAddress,
        source: IpAddr,
        unsent: impl FnMut(ProbeId, LocalError),
    ) -> Result<(), LocalError> {
        let mut packet = std::mem::take(&mut self.question);
        let to = question::write(&mut packet, own, source, hop.address);
        let traffic = spoken_by(hop);
        let channel = self.channel(listened_on(hop.interface, traffic), traffic);
        let result = channel.and_then(|Channel { socket, outbox, .. }| {
            let to = to.ok_or(LocalError::NoSourceAddress)?;
            if outbox.is_full() {
                outbox.flush(|batch| socket.send(batch), unsent);
            }
            outbox.push(&packet, destination(hop.interface, traffic, Some(to)), None)
        });
        self.waiting |= result.is_ok();
        self.question = packet;
        result
    }

    /// Sends everything that waits; `unsent` hears of probes that did not leave. `false` where
    /// nothing waited.
    pub(super) fn flush(&mut self, mut unsent: impl FnMut(ProbeId, LocalError)) -> bool {
        if !std::mem::take(&mut self.waiting) {
            return false;
        }
        for Channel { socket, outbox, .. } in &mut self.channels {
            outbox.flush(|batch| socket.send(batch), &mut unsent);
        }
        for (socket, outbox) in self.kernel.iter_mut().flatten() {
            outbox.flush(|batch| socket.send(batch), &mut unsent);
        }
        true
    }

    /// What to wait on for answers.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.channels.iter().map(|channel| channel.socket.as_fd())
    }

    /// Packets the kernel dropped for want of room since this was asked last.
    pub(super) fn new_drops(&mut self) -> u64 {
        self.channels.iter_mut().map(Channel::new_drops).sum()
    }

    fn channel(&mut self, interface: u32, traffic: Traffic) -> Result<&mut Channel, LocalError> {
        let found = self
            .channels
            .iter()
            .position(|channel| (channel.interface, channel.traffic) == (interface, traffic));
        let place = if let Some(place) = found {
            place
        } else {
            let opened = Channel::open(interface, traffic, self.ports);
            self.channels.push(opened.map_err(|error| open_error(&error))?);
            self.channels.len() - 1
        };
        Ok(&mut self.channels[place])
    }

    fn kernel(&mut self, ipv4: bool) -> Result<&mut (RawSocket, Outbox), LocalError> {
        let place = &mut self.kernel[usize::from(!ipv4)];
        if place.is_none() {
            let config =
                if ipv4 { RawConfig::v4(ANY_PROTOCOL) } else { RawConfig::v6(ANY_PROTOCOL) };
            let socket = RawSocket::open(&config.header_included(true))
                .map_err(|error| open_error(&error))?;
            *place = Some((socket, Outbox::new()));
        }
        place.as_mut().ok_or(LocalError::Resources)
    }
}

/// Where to hear what is about packets that leave by `interface`. An answer need not come back by it:
/// the route of the other side, or the source address, may be another interface's. Its port and its
/// sequence number prove that it is one. What is said on a link is true of that link only.
const fn listened_on(interface: u32, traffic: Traffic) -> u32 {
    match traffic {
        Traffic::Ipv4 | Traffic::Ipv6 => ALL_INTERFACES,
        Traffic::Arp => interface,
    }
}

/// How a neighbour says who it is.
const fn spoken_by(hop: Hop) -> Traffic {
    if hop.address.is_ipv4() { Traffic::Arp } else { Traffic::Ipv6 }
}

/// A neighbour on an interface; `None` where the link has no addresses.
fn destination(interface: u32, traffic: Traffic, link: Option<EthernetAddress>) -> Destination {
    let bytes = link.as_ref().map_or(&[][..], |link| &link[..]);
    // Six bytes are not too many; without an address the kernel refuses the packet.
    LinkAddress::new(interface, traffic.ether_type(), bytes)
        .map_or(Destination::Connected, Destination::Link)
}
