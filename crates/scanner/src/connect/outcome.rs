//! What the error of a `connect` means: a remote state, a local failure, or nothing yet.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rustix::io::Errno;

use crate::engine::{LocalError, Reply};

/// How far a connect has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Connected: see whether it is a service or a socket of our own.
    Connected,
    /// The target, or a router, answered.
    Answered(Reply),
    /// Still under way.
    Pending,
    /// This machine's own trouble.
    Local(LocalError),
    /// No local address or no free port at it: see [`has_source`].
    NoSource,
    /// The kernel gave up waiting; so will the engine.
    Silent,
}

/// Reads the result of a non-blocking `connect` (connect(2), tcp(7), ip(7) "Error handling").
/// `immediate`: it came from the first call, before any packet could come back.
pub(super) fn classify(result: &io::Result<()>, immediate: bool) -> Outcome {
    let Err(error) = result else { return Outcome::Connected };
    let Some(errno) = Errno::from_io_error(error) else {
        return Outcome::Local(LocalError::Resources);
    };
    match errno {
        Errno::INPROGRESS | Errno::ALREADY | Errno::INTR => Outcome::Pending,
        Errno::ISCONN => Outcome::Connected,
        Errno::CONNREFUSED => Outcome::Answered(Reply::Closed),
        // Only an established connection is reset or broken: a refusal in the handshake is
        // ECONNREFUSED (tcp_reset in net/ipv4/tcp_input.c). Something was open there.
        Errno::CONNRESET | Errno::PIPE => Outcome::Answered(Reply::Open),
        Errno::TIMEDOUT => Outcome::Silent,
        Errno::HOSTUNREACH | Errno::HOSTDOWN | Errno::NETUNREACH if immediate => {
            Outcome::Local(LocalError::NoRoute)
        }
        Errno::HOSTUNREACH | Errno::HOSTDOWN => Outcome::Answered(Reply::HostUnreachable),
        Errno::NETUNREACH => Outcome::Answered(Reply::NetworkUnreachable),
        Errno::NETDOWN => Outcome::Local(LocalError::NetworkDown),
        Errno::NOBUFS | Errno::NOMEM => Outcome::Local(LocalError::Buffers),
        Errno::ACCESS | Errno::PERM => Outcome::Local(LocalError::NotPermitted),
        Errno::INVAL | Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT => {
            Outcome::Local(LocalError::InvalidAddress)
        }
        Errno::ADDRNOTAVAIL => Outcome::NoSource,
        // EMFILE, ENFILE, EADDRINUSE, EAGAIN, and whatever else the kernel may think of: worth
        // another try, never a verdict on the target.
        _ => Outcome::Local(LocalError::Resources),
    }
}

/// What the error of opening or binding a probe socket means.
pub(crate) fn open_error(error: &io::Error) -> LocalError {
    match Errno::from_io_error(error) {
        // From bind, a lack of ports is EADDRINUSE (`inet_csk_get_port`): this is the address.
        Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT) => LocalError::NoSourceAddress,
        Some(Errno::ACCESS | Errno::PERM) => LocalError::NotPermitted,
        _ => LocalError::Resources,
    }
}

/// Whether this machine has an address to reach `target` from. EADDRNOTAVAIL of a TCP connect says
/// either that it has none or that its ports are used up; a UDP socket needs no port of that kind,
/// and its connect sends nothing.
pub(super) fn has_source(target: SocketAddr) -> bool {
    let unspecified: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    match UdpSocket::bind((unspecified, 0)).and_then(|socket| socket.connect(target)) {
        Err(error) => error.kind() != io::ErrorKind::AddrNotAvailable,
        Ok(()) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(errno: Errno, immediate: bool) -> Outcome {
        classify(&Err(errno.into()), immediate)
    }

    #[test]
    fn defect_8_only_a_refusal_is_closed() {
        for code in 1..134 {
            let errno = Errno::from_raw_os_error(code);
            for immediate in [true, false] {
                let closed = outcome(errno, immediate) == Outcome::Answered(Reply::Closed);
                assert_eq!(closed, errno == Errno::CONNREFUSED, "errno {code}");
            }
        }
    }

    #[test]
    fn out_of_descriptors_is_local() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::ADDRINUSE] {
            assert_eq!(outcome(errno, true), Outcome::Local(LocalError::Resources));
            assert_eq!(open_error(&errno.into()), LocalError::Resources);
        }
        for errno in [Errno::NOBUFS, Errno::NOMEM] {
            assert_eq!(outcome(errno, true), Outcome::Local(LocalError::Buffers));
        }
        assert_eq!(open_error(&Errno::ADDRNOTAVAIL.into()), LocalError::NoSourceAddress);
    }

    #[test]
    fn unreachable_depends_on_when_it_comes() {
        let (local, answered) = (Outcome::Local, Outcome::Answered);
        assert_eq!(outcome(Errno::HOSTUNREACH, true), local(LocalError::NoRoute));
        assert_eq!(outcome(Errno::NETUNREACH, true), local(LocalError::NoRoute));
        assert_eq!(outcome(Errno::HOSTUNREACH, false), answered(Reply::HostUnreachable));
        assert_eq!(outcome(Errno::NETUNREACH, false), answered(Reply::NetworkUnreachable));
    }

    #[test]
    fn loopback_has_a_source() {
        assert!(has_source("127.0.0.1:9".parse().unwrap()));
    }
}
