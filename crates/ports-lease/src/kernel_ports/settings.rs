//! Linux's settings, as /proc/sys shows them.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;

use ports_core::{Port, PortRange, PortSet};

use super::KernelPorts;
use crate::error::KernelPortsError;

const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const RESERVED: &str = "/proc/sys/net/ipv4/ip_local_reserved_ports";
const PRIVILEGED: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

/// What a setting is read into: what is usual, and what the longest list takes, each second port with
/// a comma.
const USUAL_ROOM: usize = 1024;
const LARGEST_ROOM: usize = 256 * 1024;

pub(super) fn read() -> Result<KernelPorts, KernelPortsError> {
    Ok(KernelPorts {
        ephemeral: setting(EPHEMERAL, "32768\t60999", parse_ephemeral)?,
        reserved: setting(RESERVED, "", parse_reserved)?,
        privileged_below: setting(PRIVILEGED, "1024", |text| text.parse().ok())?,
    })
}

fn setting<T>(
    path: &'static str,
    default: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, KernelPortsError> {
    let text = match read_at_once(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => default.to_owned(),
        Err(source) => return Err(KernelPortsError::Read { path, source }),
    };
    let text = text.trim();
    parse(text).ok_or_else(|| KernelPortsError::Parse { path, text: text.to_owned() })
}

/// A setting, in one read: of a list of ports the kernel writes as much as fits into the first, be that
/// in the middle of a number, and nothing into a second (`proc_do_large_bitmap` of kernel/sysctl.c).
fn read_at_once(path: &str) -> io::Result<String> {
    let file = File::open(path)?;
    let mut text = Vec::new();
    for room in [USUAL_ROOM, LARGEST_ROOM] {
        text.resize(room, 0);
        let length = file.read_at(&mut text, 0)?;
        text.truncate(length);
        if length < room {
            break;
        }
    }
    String::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
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
}
