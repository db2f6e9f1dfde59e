//! The probe sockets of one driver, each opened when it is first needed.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use ports_core::Port;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::socket::{ProbeSocket, unspecified};
use super::socket_name::SocketName;
use crate::connect::DriverConfig;

impl DriverConfig {
    /// The socket that puts an attempt at `target`. One that is bound to an interface would not hear this
    /// machine's own answers: they come by loopback.
    pub(super) fn socket_for(&self, target: SocketAddr, attempt: u32) -> SocketName {
        let name = SocketName::of(target, attempt);
        if self.interface.is_some() && self.links.is_local(target.ip()) {
            name.by_loopback()
        } else {
            name
        }
    }

    /// Whether `address` is a socket of this scan.
    pub(super) fn is_own_socket(&self, address: SocketAddr) -> bool {
        let Self { own, links, .. } = self;
        let (host, port) = (address.ip(), Port::new(address.port()));
        own.has_socket(host, port)
            || (own.has_socket(unspecified(address.is_ipv6()), port)
                && (links.is_local(host) || is_asked_from_itself(address)))
    }
}

/// The open ones.
#[derive(Debug, Default)]
pub(super) struct ProbeSockets {
    sockets: Vec<(SocketName, ProbeSocket)>,
}

impl ProbeSockets {
    pub(super) fn open(&mut self, name: SocketName, config: &DriverConfig) -> io::Result<()> {
        if self.at(name).is_none() {
            let DriverConfig { source, own, interface, .. } = config;
            let interface = interface.as_deref().filter(|_| !name.by_loopback);
            let socket = ProbeSocket::open(name.v6, *source, own, interface)?;
            self.sockets.push((name, socket));
        }
        Ok(())
    }

    pub(super) fn at(&mut self, name: SocketName) -> Option<&mut ProbeSocket> {
        self.sockets.iter_mut().find(|(other, _)| *other == name).map(|(_, socket)| socket)
    }

    /// Sleeps until there is something to read, below a second; returns where.
    pub(super) fn wait(&self, sleep: Duration) -> io::Result<Vec<SocketName>> {
        let mut entries: Vec<PollFd<'_>> =
            self.sockets.iter().map(|(_, socket)| PollFd::new(socket, PollFlags::IN)).collect();
        // Never out of range.
        let sleep = Timespec { tv_sec: 0, tv_nsec: sleep.subsec_nanos().into() };
        match poll(&mut entries, Some(&sleep)) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
        let ready = std::iter::zip(&self.sockets, &entries)
            .filter(|(_, entry)| !entry.revents().is_empty())
            .map(|((name, _), _)| *name);
        Ok(ready.collect())
    }

    /// What the kernel dropped and no datagram told of.
    pub(super) fn last_drops(&self) -> u64 {
        self.sockets.iter().map(|(_, socket)| u64::from(socket.drops_since())).sum()
    }
}

/// Whether the address is this machine's in a way that its interfaces do not show: then it is asked
/// from that very address. Sends nothing.
fn is_asked_from_itself(target: SocketAddr) -> bool {
    let local = UdpSocket::bind((unspecified(target.is_ipv6()), 0)).and_then(|socket| {
        socket.connect(target)?;
        socket.local_addr()
    });
    local.is_ok_and(|local| local.ip() == target.ip())
}
