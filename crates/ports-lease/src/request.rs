//! What is asked for: how many ports, of which transport, where, for whom.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ports_core::{Port, PortRange};

use crate::protocols::Protocols;

/// Which address families a leased port must be free in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
    /// IPv4, and IPv6 where this machine has it.
    #[default]
    Both,
}

/// At which local addresses a leased port must be free, and is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Everywhere,
    Loopback,
    Address(IpAddr),
}

/// A request for a lease. Fresh from [`tcp`](Self::tcp) it asks for one port, any, free at every
/// address of IPv4 and IPv6, for nobody in particular.
///
/// It may be used again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub(crate) protocols: Protocols,
    pub(crate) family: Family,
    pub(crate) reach: Reach,
    pub(crate) exact: Option<Port>,
    pub(crate) range: Option<PortRange>,
    pub(crate) count: u16,
    pub(crate) name: Option<String>,
    pub(crate) project: Option<PathBuf>,
    pub(crate) lock_directory: Option<PathBuf>,
}

impl Request {
    /// The lowest port that is looked at unless the request says otherwise, up to 65,535: 10,000,
    /// above most registered services.
    pub const DEFAULT_FIRST_PORT: Port = Port::new(10_000);
    /// How many ports are leased by default: 1.
    pub const DEFAULT_COUNT: u16 = 1;

    /// A request for a TCP port.
    #[must_use]
    pub const fn tcp() -> Self {
        Self::new(Protocols::Tcp)
    }

    /// A request for a UDP port.
    #[must_use]
    pub const fn udp() -> Self {
        Self::new(Protocols::Udp)
    }

    /// A request for a number that is free in both TCP and UDP.
    #[must_use]
    pub const fn tcp_and_udp() -> Self {
        Self::new(Protocols::Both)
    }

    const fn new(protocols: Protocols) -> Self {
        Self {
            protocols,
            family: Family::Both,
            reach: Reach::Everywhere,
            exact: None,
            range: None,
            count: Self::DEFAULT_COUNT,
            name: None,
            project: None,
            lock_directory: None,
        }
    }

    /// The address families; default: [`Family::Both`]. Not looked at where one
    /// [`address`](Self::address) is given.
    #[must_use]
    pub const fn family(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// At the loopback addresses, 127.0.0.1 and `::1`, instead of everywhere.
    #[must_use]
    pub const fn loopback(mut self) -> Self {
        self.reach = Reach::Loopback;
        self
    }

    /// At one address of this machine instead of everywhere; `0.0.0.0` and `::` mean every address
    /// of their family. The lock is for the number all the same: nobody else leases it at another
    /// address.
    #[must_use]
    pub fn address(mut self, address: impl Into<IpAddr>) -> Self {
        let address = address.into();
        if address.is_unspecified() {
            self.reach = Reach::Everywhere;
            self.family = if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        } else {
            self.reach = Reach::Address(address);
        }
        self
    }

    /// This port or none; of a run, the first. A range is not looked at then.
    #[must_use]
    pub fn exact(mut self, port: impl Into<Port>) -> Self {
        self.exact = Some(port.into());
        self
    }

    /// Where a port is looked for; default: from
    /// [`DEFAULT_FIRST_PORT`](Self::DEFAULT_FIRST_PORT) up.
    ///
    /// Of either, ports in the kernel's ephemeral range (`net.ipv4.ip_local_port_range`) are left
    /// out, since the kernel gives those to outgoing connections at any moment. Ports that
    /// `net.ipv4.ip_local_reserved_ports` keeps from that are left out of the default range, for the
    /// administrator has reserved them for something, and are taken from a range given here: to
    /// reserve a range and lease from it is the way to lease on a machine whose ephemeral range is
    /// wide. The default range is also without the ports where services usually are.
    ///
    /// Where nothing is left, as with an ephemeral range of 1024 to 65,535, ports of the ephemeral
    /// range are leased, and [`Lease::is_ephemeral`](crate::Lease::is_ephemeral) says so: still not
    /// to two, and bound leases are as good as any, but an outgoing connection may take the number
    /// before the program that it is meant for.
    ///
    /// Ports below the privilege floor are left out unless this process may bind them.
    #[must_use]
    pub const fn within(mut self, range: PortRange) -> Self {
        self.range = Some(range);
        self
    }

    /// How many neighbouring ports; default: [`DEFAULT_COUNT`](Self::DEFAULT_COUNT). 0 is an error
    /// of [`lease`](crate::lease).
    #[must_use]
    pub const fn count(mut self, count: u16) -> Self {
        self.count = count;
        self
    }

    /// For whom, as lists and errors show it: shown without control characters, and cut, with `…`, so that
    /// it has at most 255 bytes. Beyond 48 bytes a lease takes a descriptor more for each 72.
    ///
    /// The name also says where the search begins, so that it tends to get the same port again:
    /// always, while that port is free and the ranges are the same. Without a name it begins anywhere.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What the name belongs to, such as the directory of a project: the same name in another one
    /// tends to another port. Only compared, never opened.
    #[must_use]
    pub fn project(mut self, project: impl AsRef<Path>) -> Self {
        self.project = Some(project.as_ref().to_owned());
        self
    }

    /// Locks by files in this directory, which is made where it is not there, instead of by this system's
    /// own way. It has to be on a disk of this machine, and nobody may remove anything from it while a
    /// lease is held.
    ///
    /// Such leases keep away only those with the same directory, and [`leases_in`](crate::leases_in) lists
    /// them. It is for systems other than Linux where the home directory cannot be written to, and to see
    /// on Linux how leases are there.
    #[must_use]
    pub fn lock_directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.lock_directory = Some(directory.as_ref().to_owned());
        self
    }
}
