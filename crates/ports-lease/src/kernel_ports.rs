//! What the kernel does with ports by itself.

use std::fs;
use std::io;

use ports_core::{Port, PortRange, PortSet};

use crate::error::KernelPortsError;

const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const RESERVED: &str = "/proc/sys/net/ipv4/ip_local_reserved_ports";
const PRIVILEGED: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

/// Which ports the kernel gives to sockets that ask for none, and which need a privilege, in the
/// network namespace of the caller (`ip-sysctl.rst` in the kernel's documentation).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KernelPorts {
    /// What outgoing connections and sockets bound to port 0 get (`ip_local_port_range`; for IPv6,
    /// too).
    pub ephemeral: PortRange,
    /// What they do not get, though it lies there (`ip_local_reserved_ports`).
    pub reserved: PortSet,
    /// The lowest port that can be bound without privilege (`ip_unprivileged_port_start`).
    pub privileged_below: Port,
}

impl KernelPorts {
    /// Reads the settings, where the kernel shows them; what it does not show has Linux's default:
    /// 32,768 to 60,999, none, and 1024.
    ///
    /// # Errors
    ///
    /// [`KernelPortsError`] where a setting is there and cannot be read or understood.
    pub fn read() -> Result<Self, KernelPortsError> {
        Ok(Self {
            ephemeral: setting(EPHEMERAL, "32768\t60999", parse_ephemeral)?,
            reserved: setting(RESERVED, "", parse_reserved)?,
            privileged_below: setting(PRIVILEGED, "1024", |text| text.parse().ok())?,
        })
    }

    /// Whether the kernel may give the port to an outgoing connection.
    pub fn is_ephemeral(&self, port: Port) -> bool {
        self.ephemeral.contains(port) && !self.reserved.contains(port)
    }
}

fn setting<T>(
    path: &'static str,
    default: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, KernelPortsError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => default.to_owned(),
        Err(source) => return Err(KernelPortsError::Read { path, source }),
    };
    let text = text.trim();
    parse(text).ok_or_else(|| KernelPortsError::Parse { path, text: text.to_owned() })
}

/// Two numbers with a tab between.
fn parse_ephemeral(text: &str) -> Option<PortRange> {
    let (first, last) = text.split_once(char::is_whitespace)?;
    let (first, last): (Port, Port) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    PortRange::new(first, last).ok()
}

/// `8080,9000-9010`, or nothing.
fn parse_reserved(text: &str) -> Option<PortSet> {
    let ranges = text.split(',').map(str::trim).filter(|range| !range.is_empty());
    ranges.map(|range| range.parse::<PortRange>().ok()).collect()
}

/// Whether this process may bind ports below the floor (`CAP_NET_BIND_SERVICE`, capabilities(7)).
/// Where that cannot be known it may not; a port asked for by its number is then refused.
pub(crate) fn may_bind_privileged() -> bool {
    const CAP_NET_BIND_SERVICE: u64 = 1 << 10;
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| effective_capabilities(&status))
        .is_some_and(|capabilities| capabilities & CAP_NET_BIND_SERVICE != 0)
}

fn effective_capabilities(status: &str) -> Option<u64> {
    let digits = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(digits.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_ephemeral("32768\t60999"), "32768-60999".parse().ok());
        assert_eq!(parse_ephemeral("60999 32768"), None);
        assert_eq!(parse_ephemeral(""), None);
        assert_eq!(parse_reserved(""), Some(PortSet::new()));
        assert_eq!(parse_reserved("8080,9000-9002"), "8080,9000-9002".parse().ok());
        assert_eq!(parse_reserved("8080,x"), None);
        assert_eq!(effective_capabilities("Name:\tx\nCapEff:\t0000000000000400\n"), Some(1 << 10));
    }

    #[test]
    fn this_machine_has_settings() {
        let kernel = KernelPorts::read().unwrap();
        assert!(kernel.ephemeral.len() > 1);
        let inside = kernel.ephemeral.iter().find(|port| !kernel.reserved.contains(*port));
        assert!(inside.is_none_or(|port| kernel.is_ephemeral(port)));
    }
}
