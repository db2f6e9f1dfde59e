//! Finding out by trying: capabilities count in a network's own user namespace only, so that reading
//! them does not tell.

use std::fs;
use std::str::FromStr;

use socket2::{Domain, Protocol, Socket, Type};

use super::{Capability, Privilege};

/// Where the first port is that anybody may bind, unless set (`inet_init_net`).
const USUAL_UNPRIVILEGED_PORT: u16 = 1024;

pub(super) fn probe() -> Privilege {
    let opens = |domain, kind, protocol| Socket::new_raw(domain, kind, protocol).is_ok();
    let raw = opens(Domain::IPV4, Type::RAW.cloexec(), Some(Protocol::TCP));
    let unprivileged = value("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let unprivileged = unprivileged.unwrap_or(USUAL_UNPRIVILEGED_PORT);
    Privilege {
        raw_sockets: raw,
        packet_sockets: opens(Domain::PACKET, Type::DGRAM.cloexec(), None),
        echo_sockets: opens(Domain::IPV4, Type::DGRAM.cloexec(), Some(Protocol::ICMPV4)),
        administration: may_force_a_buffer(),
        // Without trying: a port that is bound, if only for a moment, is missing elsewhere.
        lowest_port: match effective() {
            Some(set) if set >> Capability::NetBindService.bit() & 1 == 1 => 1,
            _ => unprivileged.max(1),
        },
    }
}

/// `SO_RCVBUFFORCE` asks for `CAP_NET_ADMIN` where the network is, and changes one socket.
fn may_force_a_buffer() -> bool {
    Socket::new(Domain::IPV4, Type::DGRAM, None).is_ok_and(|socket| {
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 64 * 1024).is_ok()
    })
}

/// The effective set, of proc(5); `None` where it cannot be read.
fn effective() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn value<T: FromStr>(path: &str) -> Option<T> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_probed_is_what_happens() {
        let privilege = Privilege::probe();
        assert_eq!(privilege.packet_sockets, Socket::new(Domain::PACKET, Type::RAW, None).is_ok());
        // One who may do everything may do each of it.
        if effective() == Some(u64::MAX >> 23) && privilege.administration {
            assert_eq!(privilege.missing(&[Capability::NetRaw, Capability::NetBindService]), []);
        }
        assert!(privilege.lowest_port >= 1);
    }

    #[test]
    fn what_is_missing_is_said_once_and_in_order() {
        let nobody = Privilege {
            raw_sockets: false,
            packet_sockets: false,
            echo_sockets: false,
            administration: false,
            lowest_port: 1024,
        };
        let needed = [Capability::NetRaw, Capability::NetAdmin, Capability::NetRaw];
        assert_eq!(nobody.missing(&needed), needed[..2]);
        assert_eq!(Privilege { raw_sockets: true, ..nobody }.missing(&needed), needed[..2]);
        let sniffer = Privilege { raw_sockets: true, packet_sockets: true, ..nobody };
        assert_eq!(sniffer.missing(&needed), [Capability::NetAdmin]);
    }
}
