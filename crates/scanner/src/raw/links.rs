//! The open sockets of a worker, and the packets on their way out through them.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use ports_core::PortRange;
use sockets_raw::{Destination, LinkAddress, RawConfig, RawSocket};

use super::channel::{ALL_INTERFACES, Channel, open_error};
use super::filter::Traffic;
use super::neighbours::{EthernetAddress, Hop};
use super::outbox::{Outbox, Unsent};
use super::paths::{Path, Way};
use super::refusals::Refusals;
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
    refusals: Refusals,
    /// Packets that wait in some outbox.
    waiting: bool,
}

impl Links {
    /// For answers to the run of ports `ports`.
    pub(super) fn new(ports: PortRange) -> Self {
        Self {
            ports,
            channels: Vec::new(),
            kernel: [None, None],
            question: Vec::new(),
            refusals: Refusals::default(),
            waiting: false,
        }
    }

    /// Puts a probe's packet on its way; it leaves with [`Self::flush`].
    ///
    /// `link` is the neighbour's address on an Ethernet link. Where an outbox is full it is flushed: `unsent`
    /// hears of probes that did not leave.
    pub(super) fn push(
        &mut self,
        path: &Path,
        link: Option<EthernetAddress>,
        target: IpAddr,
        packet: &[u8],
        probe: ProbeId,
        unsent: impl FnMut(Unsent),
    ) -> Result<(), LocalError> {
        let traffic = if target.is_ipv4() { Traffic::Ipv4 } else { Traffic::Ipv6 };
        // That is where answers come in, whichever way the question goes.
        let channel = self.channel(listened_on(path.interface, traffic), traffic)?;
        let (interface, now) = (path.interface, Instant::now());
        if path.way == Way::Kernel {
            self.kernel(target.is_ipv4())?;
            let Self { kernel, refusals, .. } = self;
            let kernel = kernel[usize::from(!target.is_ipv4())].as_mut();
            let (socket, outbox) = kernel.ok_or(LocalError::Resources)?;
            if outbox.is_full() {
                outbox.flush(now, refusals, |batch| socket.send(batch), unsent);
            }
            outbox.push(packet, SocketAddr::new(target, 0), interface, Some(probe))?;
        } else {
            let Self { channels, refusals, .. } = self;
            let Channel { socket, outbox, .. } = &mut channels[channel];
            if outbox.is_full() {
                outbox.flush(now, refusals, |batch| socket.send(batch), unsent);
            }
            let to = destination(interface, traffic, link);
            outbox.push(packet, to, interface, Some(probe))?;
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
        unsent: impl FnMut(Unsent),
    ) -> Result<(), LocalError> {
        let (traffic, interface) = (spoken_by(hop), hop.interface);
        let channel = self.channel(listened_on(interface, traffic), traffic)?;
        let Self { channels, question, refusals, waiting, .. } = self;
        let Channel { socket, outbox, .. } = &mut channels[channel];
        let to = question::write(question, own, source, hop.address)
            .ok_or(LocalError::NoSourceAddress)?;
        if outbox.is_full() {
            outbox.flush(Instant::now(), refusals, |batch| socket.send(batch), unsent);
        }
        outbox.push(question, destination(interface, traffic, Some(to)), interface, None)?;
        *waiting = true;
        Ok(())
    }

    /// Sends everything that waits; `unsent` hears of probes that did not leave. `false` where
    /// nothing waited.
    pub(super) fn flush(&mut self, mut unsent: impl FnMut(Unsent)) -> bool {
        if !std::mem::take(&mut self.waiting) {
            return false;
        }
        let (now, Self { channels, kernel, refusals, .. }) = (Instant::now(), self);
        for Channel { socket, outbox, .. } in channels {
            outbox.flush(now, refusals, |batch| socket.send(batch), &mut unsent);
        }
        for (socket, outbox) in kernel.iter_mut().flatten() {
            outbox.flush(now, refusals, |batch| socket.send(batch), &mut unsent);
        }
        true
    }

    /// Whether nothing leaves by the interface now.
    pub(super) fn is_refusing(&self, interface: u32) -> bool {
        self.refusals.is_refusing(interface)
    }

    /// What to wait on for answers.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.channels.iter().map(|channel| channel.socket.as_fd())
    }

    /// Packets the kernel dropped for want of room since this was asked last.
    pub(super) fn new_drops(&mut self) -> u64 {
        self.channels.iter_mut().map(Channel::new_drops).sum()
    }

    /// The place of that channel; it is opened where it has none.
    fn channel(&mut self, interface: u32, traffic: Traffic) -> Result<usize, LocalError> {
        let found = self
            .channels
            .iter()
            .position(|channel| (channel.interface, channel.traffic) == (interface, traffic));
        if let Some(place) = found {
            return Ok(place);
        }
        let opened = Channel::open(interface, traffic, self.ports);
        self.channels.push(opened.map_err(|error| open_error(&error))?);
        Ok(self.channels.len() - 1)
    }

    fn kernel(&mut self, ipv4: bool) -> Result<(), LocalError> {
        let place = &mut self.kernel[usize::from(!ipv4)];
        if place.is_none() {
            let config =
                if ipv4 { RawConfig::v4(ANY_PROTOCOL) } else { RawConfig::v6(ANY_PROTOCOL) };
            let socket = RawSocket::open(&config.header_included(true))
                .map_err(|error| open_error(&error))?;
            *place = Some((socket, Outbox::new()));
        }
        Ok(())
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
