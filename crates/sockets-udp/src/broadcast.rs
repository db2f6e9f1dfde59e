//! Broadcast on chosen interfaces: one datagram for each IPv4 network.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::{InterfaceFlags, if_nametoindex};

use crate::interface::{Interface, InterfaceError};
use crate::send::{Outgoing, SendError};
use crate::socket::UdpSocket;

/// What became of a broadcast on one network.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "it may hold an error"]
pub struct InterfaceBroadcast {
    /// The name of the interface.
    pub interface: String,
    /// Its index.
    pub index: u32,
    /// This machine's address in the network, which the datagram comes from where the socket is
    /// bound to the wildcard.
    pub address: Ipv4Addr,
    /// The broadcast address it was sent to: the network's own, such as 192.168.1.255, or
    /// 255.255.255.255 where the network has none.
    pub target: SocketAddrV4,
    /// Whether the kernel took it.
    pub result: Result<(), SendError>,
}

/// What became of a broadcast, on each network it was for.
#[derive(Debug, Default)]
#[non_exhaustive]
#[must_use = "it may hold errors"]
pub struct BroadcastReport {
    /// The networks, in the kernel's order; none where there was none to send on.
    pub networks: Vec<InterfaceBroadcast>,
}

impl BroadcastReport {
    /// Whether the kernel took it on each of the networks.
    pub fn is_complete(&self) -> bool {
        self.networks.iter().all(|network| network.result.is_ok())
    }
}

/// Why a broadcast was not tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BroadcastError {
    /// The interface is not there.
    #[error("cannot broadcast on {interface} to port {port}")]
    Interface {
        /// The interface asked for.
        interface: Interface,
        /// The port asked for.
        port: u16,
        /// What is wrong with it.
        #[source]
        source: InterfaceError,
    },
    /// The interface is down, or has no IPv4 address: IPv6 has no broadcast.
    #[error("cannot broadcast on {interface} to port {port}: it is down or has no IPv4 address")]
    NoNetwork {
        /// The interface asked for.
        interface: Interface,
        /// The port asked for.
        port: u16,
    },
    /// The kernel's list of interfaces could not be read.
    #[error("cannot broadcast to port {port}: cannot list the interfaces")]
    List {
        /// The port asked for.
        port: u16,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// An IPv4 address of an interface that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Network {
    interface: String,
    index: u32,
    address: Ipv4Addr,
    /// Of an interface that can broadcast at all.
    broadcast: Option<Ipv4Addr>,
    can_broadcast: bool,
}

impl Network {
    fn of(entry: &InterfaceAddress) -> Option<Self> {
        let ip = |address: &nix::sys::socket::SockaddrStorage| {
            address.as_sockaddr_in().map(nix::sys::socket::SockaddrIn::ip)
        };
        if !entry.flags.contains(InterfaceFlags::IFF_UP) {
            return None;
        }
        let can_broadcast = entry.flags.contains(InterfaceFlags::IFF_BROADCAST);
        let address = ip(entry.address.as_ref()?)?;
        // One that went away since the list was read has no index, and no network any more.
        let index = if_nametoindex(entry.interface_name.as_str()).ok()?;
        let broadcast = entry.broadcast.as_ref().and_then(ip);
        // A network of one or two hosts has no broadcast address; the kernel then names none, or
        // the host's own (RFC 3021).
        let broadcast =
            broadcast.filter(|own| can_broadcast && *own != address && !own.is_unspecified());
        let interface = entry.interface_name.clone();
        Some(Self { interface, index, address, broadcast, can_broadcast })
    }
}

impl UdpSocket {
    /// Sends one datagram to every machine on each IPv4 network of one interface, whatever the
    /// routes say: to the network's broadcast address, or to 255.255.255.255 where it has none. An
    /// interface with two networks is sent two. [`Interface::Address`] means the one network with
    /// that address; [`Interface::Default`] every network, as
    /// [`broadcast_everywhere`](Self::broadcast_everywhere).
    ///
    /// There is a result for each network, since one may work where another does not; without
    /// [`broadcast`](crate::UdpSocketBuilder::broadcast) each is an error.
    ///
    /// # Errors
    ///
    /// [`BroadcastError`] where there is no network to try.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: if it is dropped before it is ready, it may have been sent on some of the
    /// networks.
    pub async fn broadcast_on(
        &self,
        data: &[u8],
        port: u16,
        interface: &Interface,
    ) -> Result<BroadcastReport, BroadcastError> {
        if *interface == Interface::Default {
            return self.broadcast_everywhere(data, port).await;
        }
        let index = interface.index().map_err(|source| {
            let interface = interface.clone();
            BroadcastError::Interface { interface, port, source }
        })?;
        let chosen = |network: &Network| {
            network.index == index
                && !matches!(interface, Interface::Address(own) if *own != network.address)
        };
        let networks: Vec<_> = networks(port)?.into_iter().filter(chosen).collect();
        if networks.is_empty() {
            return Err(BroadcastError::NoNetwork { interface: interface.clone(), port });
        }
        Ok(self.broadcast_to_networks(data, port, networks).await)
    }

    /// As [`broadcast_on`](Self::broadcast_on), on every interface that is up and can broadcast;
    /// loopback cannot. Where there is none, the report has none.
    ///
    /// # Errors
    ///
    /// [`BroadcastError::List`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe, as [`broadcast_on`](Self::broadcast_on).
    pub async fn broadcast_everywhere(
        &self,
        data: &[u8],
        port: u16,
    ) -> Result<BroadcastReport, BroadcastError> {
        let networks = networks(port)?.into_iter().filter(|network| network.can_broadcast);
        Ok(self.broadcast_to_networks(data, port, networks.collect()).await)
    }

    async fn broadcast_to_networks(
        &self,
        data: &[u8],
        port: u16,
        networks: Vec<Network>,
    ) -> BroadcastReport {
        let mut report = BroadcastReport::default();
        for Network { interface, index, address, broadcast, .. } in networks {
            let target = SocketAddrV4::new(broadcast.unwrap_or(Ipv4Addr::BROADCAST), port);
            let mut outgoing = Outgoing::new(data, target.into()).broadcast().interface(index);
            // A socket that is bound to one address sends from no other: answers would not reach it.
            if self.inner.local.ip().is_unspecified() {
                outgoing = outgoing.source(address.into());
            }
            let result = self.send(&outgoing).await;
            let result = InterfaceBroadcast { interface, index, address, target, result };
            report.networks.push(result);
        }
        report
    }
}

fn networks(port: u16) -> Result<Vec<Network>, BroadcastError> {
    let entries =
        getifaddrs().map_err(|errno| BroadcastError::List { port, source: errno.into() })?;
    Ok(entries.filter_map(|entry| Network::of(&entry)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_networks_but_cannot_broadcast() {
        let all = networks(9).unwrap();
        let lo = all.iter().find(|network| network.address == Ipv4Addr::LOCALHOST).unwrap();
        assert_eq!(
            *lo,
            Network {
                interface: "lo".to_owned(),
                index: Interface::from("lo").index().unwrap(),
                address: Ipv4Addr::LOCALHOST,
                broadcast: None,
                can_broadcast: false
            }
        );
    }
}
