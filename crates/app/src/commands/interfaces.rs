//! Interfaces that sockets are bound to, by name and number.

use std::collections::BTreeMap;

use rustix::net::netdevice::index_to_name;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use sockets_udp::{Interface, InterfaceError};
use stats::system::SocketRow;

use crate::exit::UsageError;

/// The names of the interfaces that some sockets are bound to.
#[derive(Debug, Default)]
pub(super) struct Interfaces(BTreeMap<u32, String>);

impl Interfaces {
    /// Asks for each once, and for nothing where no socket is bound to any. One without a name that can be
    /// told, as it is gone, is `if7`, as `ss` has it.
    pub(super) fn of<'a>(sockets: impl IntoIterator<Item = SocketRow<'a>>) -> Self {
        let mut names = BTreeMap::new();
        for index in sockets.into_iter().filter_map(|socket| socket.interface()) {
            names.entry(index).or_insert_with(|| name(index));
        }
        Self(names)
    }

    /// That of the interface that a socket is bound to.
    pub(super) fn name(&self, socket: &SocketRow<'_>) -> Option<&str> {
        self.0.get(&socket.interface()?).map(String::as_str)
    }
}

fn name(index: u32) -> String {
    // Any socket asks.
    let asking = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    let name = asking.and_then(|asking| index_to_name(&asking, index));
    name.unwrap_or_else(|error| {
        tracing::debug!(%error, index, "the interface has no name");
        format!("if{index}")
    })
}

/// Puts the interface that a socket is bound to before the port at the end of `text`, as `ss` does:
/// `0.0.0.0%eth0:68`, `[::]%eth0:546`.
pub(super) fn bind(text: &mut String, interface: Option<&str>) {
    if let (Some(interface), Some(port)) = (interface, text.rfind(':')) {
        text.insert_str(port, interface);
        text.insert(port, '%');
    }
}

/// The index of the interface that the user names, or numbers (RFC 4007 section 11).
pub(super) fn interface_index(zone: &str) -> anyhow::Result<u32> {
    let interface = match zone.parse::<u32>() {
        Ok(index) => Interface::Index(index),
        Err(_) => Interface::from(zone),
    };
    interface.index().map_err(|error| match error {
        error @ InterfaceError::Unknown { .. } => UsageError(error.to_string()).into(),
        error => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_stands_before_the_port() {
        for (local, interface, shown) in [
            ("0.0.0.0:68", Some("eth0"), "0.0.0.0%eth0:68"),
            ("[::]:546", Some("eth0"), "[::]%eth0:546"),
            ("0.0.0.0:68", None, "0.0.0.0:68"),
        ] {
            let mut text = format!("tcp {local}");
            bind(&mut text, interface);
            assert_eq!(text, format!("tcp {shown}"));
        }
    }

    #[test]
    fn names_are_those_of_the_kernel() {
        assert_eq!(name(1), "lo");
        assert_eq!(name(u32::MAX), "if4294967295");
        assert_eq!(interface_index("lo").unwrap(), 1);
        assert_eq!(interface_index("1").unwrap(), 1);
        assert!(interface_index("no-such-link").unwrap_err().is::<UsageError>());
    }
}
