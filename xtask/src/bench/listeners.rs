//! The open ports of a bench, and those that other programs hold open meanwhile.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use socket2::{Domain, Protocol, Socket, Type};

use super::plan::Ports;

/// The kernel's tables of TCP sockets (`proc_pid_net(5)`).
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// `TCP_LISTEN` in `include/net/tcp_states.h`, as the tables print it.
const LISTENING: &str = "0A";
/// As much as `net.core.somaxconn` allows by default: a full queue leaves a probe unanswered.
const BACKLOG: i32 = 4096;

/// Opens one port in each nth part of the range, its middle one or the next that is free: sockets
/// that accept and close whatever comes, until the process ends.
///
/// # Errors
///
/// Where not one of them can be bound.
pub(super) fn listen(address: Ipv4Addr, range: Ports, n: u32) -> Result<BTreeSet<u16>> {
    let mut ports = BTreeSet::new();
    for part in range.parts(n) {
        let bound = part.middle_first().find_map(|port| Some((port, bind(address, port).ok()?)));
        if let Some((port, listener)) = bound {
            ports.insert(port);
            thread::spawn(move || drain(&listener));
        }
    }
    ensure!(!ports.is_empty(), "no port in {range} can be bound on {address}");
    Ok(ports)
}

/// Without `SO_REUSEADDR`: a port on which another program listens must not be shared.
fn bind(address: Ipv4Addr, port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddrV4::new(address, port).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Keeps the queue of connections from filling.
fn drain(listener: &TcpListener) {
    for connection in listener.incoming() {
        // A connection that was reset before it was accepted is an error here, and expected.
        drop(connection);
    }
}

/// The ports of 127.0.0.1 that this process holds open.
pub(super) struct Listeners {
    ports: BTreeSet<u16>,
}

impl Listeners {
    /// Opens this many, spread evenly over the range.
    pub(super) fn open(range: Ports, n: u32) -> Result<Self> {
        Ok(Self { ports: listen(Ipv4Addr::LOCALHOST, range, n)? })
    }

    /// The ports, in order.
    pub(super) const fn ports(&self) -> &BTreeSet<u16> {
        &self.ports
    }

    /// The ports on which other programs listen now, where 127.0.0.1 reaches them.
    ///
    /// Empty where there is no /proc: then their ports count as false.
    pub(super) fn others(&self) -> Result<BTreeSet<u16>> {
        let mut ports = BTreeSet::new();
        for table in TABLES {
            match std::fs::read_to_string(table) {
                Ok(text) => ports.extend(text.lines().skip(1).filter_map(reachable_listener)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("cannot read {table}")),
            }
        }
        Ok(ports.difference(&self.ports).copied().collect())
    }
}

/// The port of a line such as `0: 0100007F:1F90 00000000:0000 0A ...`, where the socket listens
/// and a connection to 127.0.0.1 reaches it. Which IPv6 wildcards also take IPv4 is not shown, so
/// every one counts.
fn reachable_listener(line: &str) -> Option<u16> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (address, port) = fields.next()?.split_once(':')?;
    let state = fields.nth(1)?;
    let reaches = address.bytes().all(|digit| digit == b'0')
        || address.eq_ignore_ascii_case(&loopback_word())
        || address.to_ascii_uppercase().ends_with(&format!("FFFF0000{}", loopback_word()));
    (state == LISTENING && reaches).then(|| u16::from_str_radix(port, 16).ok())?
}

/// 127.0.0.1 as the tables print it: the network-order word read in the machine's own order.
fn loopback_word() -> String {
    format!("{:08X}", u32::from_ne_bytes(Ipv4Addr::LOCALHOST.octets()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn reads_the_lines_of_the_kernel() {
        let line = |address: &str, state: &str| {
            format!("   0: {address}:1F90 00000000:0000 {state} 00000000:00000000 00:00000000")
        };
        for address in [
            "0100007F",
            "00000000",
            "00000000000000000000000000000000",
            "0000000000000000FFFF00000100007F",
        ] {
            assert_eq!(reachable_listener(&line(address, "0A")), Some(8080), "{address}");
            assert_eq!(reachable_listener(&line(address, "01")), None, "{address}");
        }
        for address in ["0200007F", "0100000A", "00000000000000000000000001000000"] {
            assert_eq!(reachable_listener(&line(address, "0A")), None, "{address}");
        }
        assert_eq!(reachable_listener("  sl  local_address rem_address   st"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn sees_the_listener_of_another_and_not_its_own() {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        let mut listeners = Listeners { ports: BTreeSet::new() };
        assert!(listeners.others().unwrap().contains(&port));
        listeners.ports.insert(port);
        assert!(!listeners.others().unwrap().contains(&port));
    }
}
