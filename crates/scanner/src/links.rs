//! This machine's own addresses, and what is on its links.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use if_addrs::IfAddr;
use ipnet::{IpNet, Ipv4Net};

use crate::engine::{LocalError, Reply};
use crate::target::AddressSet;

/// The addresses and networks of the interfaces, as they were when asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    own: Vec<IpAddr>,
    networks: Vec<IpNet>,
}

impl Links {
    /// Asks the system.
    pub(crate) fn read() -> io::Result<Self> {
        let mut links = Self::default();
        for interface in if_addrs::get_if_addrs()? {
            let (address, prefix) = match interface.addr {
                IfAddr::V4(v4) => (IpAddr::V4(v4.ip), v4.prefixlen),
                IfAddr::V6(v6) => (IpAddr::V6(v6.ip), v6.prefixlen),
            };
            links.own.push(address);
            links.networks.extend(IpNet::new(address, prefix));
        }
        Ok(links)
    }

    pub(crate) fn own_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.own.iter().copied()
    }

    /// Whether packets to `address` stay on this machine.
    pub(crate) fn is_local(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.own.contains(&address)
    }

    /// What it means for a probe to `target` that `sender` says `reply` of it by ICMP, where `sender` is
    /// this machine and the target is not. The kernel tells its own failure to reach a neighbour in that
    /// form (`ipv4_link_failure` in `net/ipv4/route.c`), and its filter that it does not let a probe out.
    pub(crate) fn own_failure(
        &self,
        sender: IpAddr,
        target: IpAddr,
        reply: Reply,
    ) -> Option<LocalError> {
        let own = self.is_local(sender) && !self.is_local(target);
        own.then_some(match reply {
            Reply::HostUnreachable => LocalError::NeighbourUnresolved,
            _ => LocalError::NotPermitted,
        })
    }

    /// The network and the broadcast address of each IPv4 network on a link. A network of one or two
    /// addresses has neither (RFC 3021).
    fn broadcasts(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let networks = self.networks.iter().filter(|network| network.prefix_len() <= 30);
        networks
            .filter(|network| network.addr().is_ipv4())
            .flat_map(|network| [network.network(), network.broadcast()])
    }
}

/// This machine's own addresses: those of its interfaces, and all of 127.0.0.0/8.
///
/// # Errors
///
/// What the system says where the interfaces cannot be read.
pub fn own_addresses() -> io::Result<AddressSet> {
    let interfaces: AddressSet = Links::read()?.own_addresses().collect();
    let loopback = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8));
    Ok(interfaces.union(&AddressSet::from_range(loopback.network(), loopback.broadcast())))
}

/// The network and broadcast addresses of the IPv4 networks on this machine's links: each stands for
/// all hosts of its link (RFC 1122 section 3.2.1.3), so no scan of a prefix should ask it.
///
/// # Errors
///
/// What the system says where the interfaces cannot be read.
pub fn link_broadcasts() -> io::Result<AddressSet> {
    Ok(Links::read()?.broadcasts().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_local_and_nothing_else_is_by_chance() {
        let links = Links::read().unwrap();
        assert!(links.is_local("127.0.0.1".parse().unwrap()));
        assert!(links.is_local("127.200.3.4".parse().unwrap()));
        assert!(links.is_local("::1".parse().unwrap()));
        // TEST-NET-3 (RFC 5737): on no machine's interface.
        assert!(!links.is_local("203.0.113.77".parse().unwrap()));
        assert!(links.own_addresses().any(|address| address.is_loopback()));
    }

    #[test]
    fn what_this_machine_says_of_others_is_its_own_failure() {
        let links = Links::read().unwrap();
        let [own, router, host] =
            ["127.0.0.1", "203.0.113.1", "203.0.113.77"].map(|text| text.parse().unwrap());
        let said = |sender, target, reply| links.own_failure(sender, target, reply);
        let unresolved = Some(LocalError::NeighbourUnresolved);
        assert_eq!(said(own, host, Reply::HostUnreachable), unresolved);
        for refused in [Reply::AdminProhibited, Reply::PortUnreachable] {
            assert_eq!(said(own, host, refused), Some(LocalError::NotPermitted));
            assert_eq!(said(router, host, refused), None);
            assert_eq!(said(own, own, refused), None);
        }
    }

    #[test]
    fn networks_of_three_and_more_have_a_broadcast_address() {
        let networks = ["192.0.2.77/24", "198.51.100.4/31", "203.0.113.9/32", "2001:db8::1/64"];
        let links = Links {
            own: Vec::new(),
            networks: networks.map(|network| network.parse().unwrap()).to_vec(),
        };
        let broadcasts: AddressSet = links.broadcasts().collect();
        assert_eq!(broadcasts.to_string(), "192.0.2.0,192.0.2.255");
    }
}
