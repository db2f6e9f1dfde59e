//! Which network interface a multicast group is joined on, or multicast is sent from.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::SockaddrStorage;

/// A network interface, named in one of the ways people name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Interface {
    /// The one the kernel's routes choose.
    #[default]
    Default,
    /// The interface with this index, from 1.
    Index(u32),
    /// The interface with this name, such as `lo` or `eth0`.
    Name(String),
    /// The interface that has this address.
    Address(IpAddr),
}

impl Interface {
    /// The index of the interface; 0 for [`Interface::Default`].
    ///
    /// # Errors
    ///
    /// [`InterfaceError`] where there is no such interface now, or the kernel's list cannot be
    /// read.
    pub fn index(&self) -> Result<u32, InterfaceError> {
        let look_up = match self {
            Self::Default => return Ok(0),
            Self::Index(index) => check_index(*index),
            Self::Name(name) => if_nametoindex(name.as_str()),
            Self::Address(address) => index_of_address(*address),
        };
        look_up.map_err(|errno| match errno {
            Errno::ENODEV | Errno::ENXIO | Errno::EINVAL | Errno::ENAMETOOLONG => {
                InterfaceError::Unknown { interface: self.clone() }
            }
            errno => InterfaceError::Io { interface: self.clone(), source: errno.into() },
        })
    }
}

impl Interface {
    /// The names of the interfaces that take groups: up, and able to multicast (`IFF_MULTICAST`,
    /// netdevice(7)), each once, in the kernel's order. Linux does not call loopback able to, though groups
    /// can be joined there, too.
    ///
    /// # Errors
    ///
    /// Where the kernel's list cannot be read.
    pub fn for_multicast() -> io::Result<Vec<String>> {
        let wanted = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_MULTICAST;
        let mut names = Vec::new();
        // One entry for each address.
        for entry in getifaddrs()? {
            if entry.flags.contains(wanted) && !names.contains(&entry.interface_name) {
                names.push(entry.interface_name);
            }
        }
        Ok(names)
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default interface"),
            Self::Index(index) => write!(f, "interface {index}"),
            Self::Name(name) => write!(f, "interface `{name}`"),
            Self::Address(address) => write!(f, "the interface with address {address}"),
        }
    }
}

impl From<u32> for Interface {
    /// Index 0 is [`Interface::Default`], as it is to the kernel.
    fn from(index: u32) -> Self {
        if index == 0 { Self::Default } else { Self::Index(index) }
    }
}

impl From<&str> for Interface {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for Interface {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<IpAddr> for Interface {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

/// Why an interface has no index.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InterfaceError {
    /// No interface of this machine fits.
    #[error("{}", Missing(interface))]
    Unknown {
        /// The interface asked for.
        interface: Interface,
    },
    /// The kernel did not answer.
    #[error("cannot look up {interface}")]
    Io {
        /// The interface asked for.
        interface: Interface,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// That there is none.
struct Missing<'a>(&'a Interface);

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Interface::Address(address) => write!(f, "no interface here has the address {address}"),
            interface => write!(f, "there is no {interface}"),
        }
    }
}

fn check_index(index: u32) -> nix::Result<u32> {
    // Any socket will do (netdevice(7)). Not by if_indextoname(3): it opens one, too, and nix 0.31
    // tells none of its errors.
    let errno = |error: io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
    let socket = UnixDatagram::unbound().map_err(errno)?;
    if exists(&socket, index).map_err(errno)? { Ok(index) } else { Err(Errno::ENODEV) }
}

/// Whether there is an interface with this index where the socket lives; takes no descriptor.
pub(crate) fn exists(socket: &impl AsFd, index: u32) -> io::Result<bool> {
    match name(socket, index) {
        Ok(_) => Ok(true),
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENODEV | Errno::ENXIO) => Ok(false),
            // Of a name that is no text.
            Some(Errno::EILSEQ) => Ok(true),
            _ => Err(error),
        },
    }
}

/// The name of the interface with this index (`SIOCGIFNAME`, netdevice(7)).
pub(crate) fn name(socket: &impl AsFd, index: u32) -> io::Result<String> {
    Ok(rustix::net::netdevice::index_to_name(socket, index)?)
}

fn index_of_address(wanted: IpAddr) -> nix::Result<u32> {
    let holder = getifaddrs()?
        .find(|entry| entry.address.as_ref().and_then(ip_of) == Some(wanted))
        .ok_or(Errno::ENODEV)?;
    if_nametoindex(holder.interface_name.as_str())
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_naming_lo_finds_it() {
        let index = Interface::from("lo").index().unwrap();
        assert!(index > 0);
        assert_eq!(Interface::Index(index).index().unwrap(), index);
        assert_eq!(Interface::from(IpAddr::from([127, 0, 0, 1])).index().unwrap(), index);
        assert_eq!(Interface::Default.index().unwrap(), 0);
        assert_eq!(Interface::from(0), Interface::Default);
    }

    #[test]
    fn interfaces_for_multicast_are_there_and_named_once() {
        let names = Interface::for_multicast().unwrap();
        for name in &names {
            assert!(Interface::from(name.as_str()).index().unwrap() > 0);
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1);
        }
    }

    #[test]
    fn an_interface_that_is_not_there_is_named_in_the_error() {
        for (interface, message) in [
            (Interface::from("nope0"), "there is no interface `nope0`"),
            (Interface::Index(u32::MAX), "there is no interface 4294967295"),
            (
                Interface::from("a-name-much-longer-than-the-kernel-allows"),
                "there is no interface `a-name-much-longer-than-the-kernel-allows`",
            ),
            (
                Interface::from(IpAddr::from([192, 0, 2, 1])),
                "no interface here has the address 192.0.2.1",
            ),
        ] {
            assert_eq!(interface.index().unwrap_err().to_string(), message);
        }
    }
}
