//! The ports that raw probes leave from: held against all other sockets, and never listening.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use ports_core::{Port, PortRange};
use socket2::{Domain, Protocol, Socket, Type};

/// The lowest port tried: what is below may be a service that is only down for now.
const LOWEST: u16 = 32_768;
/// Runs tried before it is said that none is free.
const TRIES: u64 = 4_096;

/// A run of ports that nothing else on this machine can use while it is held: each is bound, on every
/// address of both families, by a TCP socket that does not listen. To whatever arrives there the
/// kernel answers with a reset.
///
/// Attempt n at a port leaves from the n-th: each attempt is a connection of its own to the target,
/// and the port that an answer comes to says which attempt it answers.
#[derive(Debug)]
pub(super) struct SourcePorts {
    range: PortRange,
    _held: Vec<Socket>,
}

impl SourcePorts {
    /// How many ports are in a run: the engine makes no more attempts at a port than that. Were there
    /// more, they would begin again with the first.
    pub(super) const RUN: u32 = 12;

    /// Finds and holds a run.
    ///
    /// # Errors
    ///
    /// The last run's error where none could be held.
    pub(super) fn reserve() -> io::Result<Self> {
        let random = RandomState::new();
        let runs = u64::from((u32::from(u16::MAX - LOWEST) + 1) / Self::RUN);
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for number in 0..TRIES {
            let run = (random.hash_one(number) % runs) as u16;
            match Self::hold(LOWEST + run * Self::RUN as u16) {
                Ok(ports) => return Ok(ports),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn hold(first: u16) -> io::Result<Self> {
        let last = first + (Self::RUN as u16 - 1);
        let range = PortRange::new(first, last).map_err(io::Error::other)?;
        let held = range.iter().map(hold).collect::<io::Result<_>>()?;
        Ok(Self { range, _held: held })
    }

    /// The run.
    pub(super) const fn range(&self) -> PortRange {
        self.range
    }

    /// Where attempt `attempt`, from 1, leaves from.
    pub(super) const fn of_attempt(&self, attempt: u32) -> u16 {
        self.range.first().number() + (attempt.wrapping_sub(1) % Self::RUN) as u16
    }

    /// The first attempt that leaves from `port`, where that is one of the run.
    pub(super) fn attempt_of(&self, port: u16) -> Option<u32> {
        let place = u32::from(port.checked_sub(self.range.first().number())?);
        (place < Self::RUN).then_some(place + 1)
    }
}

/// On both families at once where there are both.
fn hold(port: Port) -> io::Result<Socket> {
    let both = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).and_then(|socket| {
        socket.set_only_v6(false)?;
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port.number())).into())?;
        Ok(socket)
    });
    match both {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port.number())).into())?;
            Ok(socket)
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn nobody_else_gets_a_held_port_and_nobody_listens_there() {
        let ports = SourcePorts::reserve().unwrap();
        let other = SourcePorts::reserve().unwrap();
        assert_ne!(ports.range(), other.range());
        for attempt in 1..=SourcePorts::RUN {
            let port = ports.of_attempt(attempt);
            let error = TcpListener::bind(("127.0.0.1", port)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            let error = TcpStream::connect(("127.0.0.1", port)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        }
    }

    #[test]
    fn the_port_says_the_attempt() {
        let ports = SourcePorts {
            range: PortRange::new(u16::MAX - 11, u16::MAX).unwrap(),
            _held: Vec::new(),
        };
        assert_eq!(ports.of_attempt(1), u16::MAX - 11);
        assert_eq!(ports.of_attempt(12), u16::MAX);
        assert_eq!(ports.of_attempt(13), ports.of_attempt(1));
        for attempt in 1..=12 {
            assert_eq!(ports.attempt_of(ports.of_attempt(attempt)), Some(attempt));
        }
        assert_eq!(ports.attempt_of(u16::MAX - 12), None);
    }
}
