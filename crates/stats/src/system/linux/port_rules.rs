//! What the system says of ports: files of `/proc/sys/net`.

use std::fs;
use std::io;
use std::path::PathBuf;

use ports_core::{Port, PortRange, PortSet, Transport};

use super::process;
use crate::system::{PortRules, SnapshotError};

/// `CAP_NET_BIND_SERVICE`
const BIND_SERVICE: u32 = 10;
/// Below it, ports were privileged before the kernel let that be set (Linux 4.11).
const FIRST_UNPRIVILEGED: u16 = 1024;

/// Reads them; the files of `ipv4` are about IPv6, too.
pub(in crate::system) fn read() -> Result<PortRules, SnapshotError> {
    let first_unprivileged = match text("ip_unprivileged_port_start") {
        Ok(text) => parsed("ip_unprivileged_port_start", text.trim().parse::<u16>().ok())?,
        Err(SnapshotError::ReadProc { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            FIRST_UNPRIVILEGED
        }
        Err(error) => return Err(error),
    };
    let ephemeral = parsed("ip_local_port_range", range(&text("ip_local_port_range")?))?;
    let reserved = text("ip_local_reserved_ports")?;
    let reserved = match reserved.trim() {
        "" => PortSet::new(),
        ports => parsed("ip_local_reserved_ports", PortSet::parse(ports, Transport::Tcp).ok())?,
    };
    let path = PathBuf::from("/proc/thread-self/status");
    let status = fs::read(&path).map_err(|source| SnapshotError::ReadProc { path, source })?;
    Ok(PortRules {
        first_unprivileged: Port::new(first_unprivileged),
        is_privileged: has_capability(&status, BIND_SERVICE),
        ephemeral,
        reserved,
        ipv6_only: is_ipv6_only()?,
    })
}

/// Without the file there is no IPv6.
fn is_ipv6_only() -> Result<bool, SnapshotError> {
    let path = PathBuf::from("/proc/sys/net/ipv6/bindv6only");
    match fs::read(&path) {
        Ok(text) => Ok(text.trim_ascii() == b"1"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(SnapshotError::ReadProc { path, source }),
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from("/proc/sys/net/ipv4").join(name)
}

fn text(name: &str) -> Result<String, SnapshotError> {
    let path = path(name);
    fs::read_to_string(&path).map_err(|source| SnapshotError::ReadProc { path, source })
}

fn parsed<T>(name: &str, value: Option<T>) -> Result<T, SnapshotError> {
    value.ok_or_else(|| SnapshotError::ReadProc {
        path: path(name),
        source: io::Error::new(io::ErrorKind::InvalidData, "not what the kernel writes there"),
    })
}

/// Two numbers with a tabulator between them.
fn range(text: &str) -> Option<PortRange> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse::<u16>);
    PortRange::new(numbers.next()?.ok()?, numbers.next()?.ok()?).ok()
}

/// Whether a capability is in the effective set.
fn has_capability(status: &[u8], number: u32) -> bool {
    let set = process::field(status, "CapEff:");
    set.and_then(|set| u64::from_str_radix(&set, 16).ok()).is_some_and(|set| set >> number & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_this_machine_are_read() {
        let rules = read().unwrap();
        assert!(rules.ephemeral.len() > 1);
    }

    #[test]
    fn files_as_the_kernel_writes_them() {
        assert_eq!(range("32768\t60999\n"), PortRange::new(32768, 60999).ok());
        assert_eq!(range("9 1"), None);
        let status = b"Name:\tx\nCapEff:\t0000000000000400\n";
        assert!(has_capability(status, 10));
        assert!(!has_capability(status, 11));
        assert!(!has_capability(b"", 10));
    }
}
