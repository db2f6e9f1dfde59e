//! What the kernel does with ports by itself.

#[cfg(target_os = "linux")]
mod settings;

use ports_core::{Port, PortRange, PortSet};

#[cfg(target_os = "linux")]
pub(crate) use self::settings::may_bind_privileged;
use crate::error::KernelPortsError;

/// Which ports the kernel gives to sockets that ask for none, and which need a privilege: on Linux as it
/// tells for the network namespace of the caller (`ip-sysctl.rst` in its documentation), elsewhere as they
/// are unless somebody changes them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
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
    /// 32,768 to 60,999, none, and 1024. Elsewhere nothing is read: ephemeral are 49,152 to 65,535 (RFC
    /// 6335 section 6; so it is on macOS and Windows), on FreeBSD 10,000 to 65,535 and on OpenBSD 1024 to
    /// 49,151; below 1024 a privilege is needed, on Windows nowhere.
    ///
    /// # Errors
    ///
    /// [`KernelPortsError`] where a setting is there and cannot be read or understood.
    pub fn read() -> Result<Self, KernelPortsError> {
        #[cfg(target_os = "linux")]
        return settings::read();
        #[cfg(not(target_os = "linux"))]
        Ok(Self::usual())
    }

    /// As the documentation of each system has it: `ip(4)` of FreeBSD, `sysctl(2)` of OpenBSD.
    #[cfg(not(target_os = "linux"))]
    fn usual() -> Self {
        let (first, last) = if cfg!(target_os = "freebsd") {
            (10_000, 65_535)
        } else if cfg!(target_os = "openbsd") {
            (1024, 49_151)
        } else {
            (49_152, 65_535)
        };
        Self {
            // Never backwards: see above.
            ephemeral: PortRange::new(Port::new(first), Port::new(last)).unwrap_or(PortRange::ALL),
            reserved: PortSet::new(),
            privileged_below: Port::new(if cfg!(windows) { 0 } else { 1024 }),
        }
    }

    /// Whether the kernel may give the port to an outgoing connection.
    pub fn is_ephemeral(&self, port: Port) -> bool {
        self.ephemeral.contains(port) && !self.reserved.contains(port)
    }
}

/// Where it is not known, `bind` tells.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn may_bind_privileged() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_settings() {
        let kernel = KernelPorts::read().unwrap();
        assert!(kernel.ephemeral.len() > 1);
        let inside = kernel.ephemeral.iter().find(|port| !kernel.reserved.contains(*port));
        assert!(inside.is_none_or(|port| kernel.is_ephemeral(port)));
    }
}
