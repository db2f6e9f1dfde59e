//! ICMP echo: is a host there, and how far away.

mod error;
mod message;
mod ping;
mod result;

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::RecvFlags;
use socket2::{Domain, Protocol, Socket, Type};

use crate::wire::write_echo_message;
use message::Matcher;

pub use error::{EchoOpenError, EchoReceiveError, EchoSendError};
pub use ping::{PingConfig, ping};
pub use result::{PingOutcome, PingResult};

/// What an [`EchoSocket`] is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EchoMethod {
    /// A raw socket: needs `CAP_NET_RAW`. Sees ICMP errors, too.
    Raw,
    /// An ICMP datagram socket: needs the process's group in `net.ipv4.ping_group_range`. Sees
    /// replies only.
    Datagram,
}

/// A socket that asks hosts of one IP version whether they are there.
#[derive(Debug)]
pub struct EchoSocket {
    socket: Socket,
    method: EchoMethod,
    matcher: Matcher,
    message: Vec<u8>,
    buffer: Vec<u8>,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct EchoEvent {
    /// The host that was asked.
    pub about: IpAddr,
    /// Who answered: the host itself, or for an error whoever could not deliver.
    pub from: IpAddr,
    /// The sequence number of the request.
    pub sequence: u16,
    /// When this process saw it.
    pub at: Instant,
    /// What it says.
    pub answer: EchoAnswer,
}

/// What an answer to an echo request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EchoAnswer {
    /// The host is there.
    Reply,
    /// This machine found nobody with the host's address on the link: the request did not leave it.
    Unresolved,
    /// The request could not be delivered.
    Error(crate::wire::IcmpErrorKind),
}

/// Larger than any message that answers one of ours.
const BUFFER: usize = 2048;
/// Room for the answers of some thousand hosts, in bytes as the kernel counts them.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

impl EchoSocket {
    /// Opens a socket to ask over IPv4, by the best method that the process may use.
    ///
    /// # Errors
    ///
    /// [`EchoOpenError`].
    pub fn v4() -> Result<Self, EchoOpenError> {
        Self::best(true)
    }

    /// Opens a socket to ask over IPv6, by the best method that the process may use.
    ///
    /// # Errors
    ///
    /// [`EchoOpenError`].
    pub fn v6() -> Result<Self, EchoOpenError> {
        Self::best(false)
    }

    fn best(is_ipv4: bool) -> Result<Self, EchoOpenError> {
        match Self::open(is_ipv4, EchoMethod::Raw) {
            Err(EchoOpenError::NotPermitted { .. }) => Self::open(is_ipv4, EchoMethod::Datagram),
            result => result,
        }
    }

    /// Opens a socket to ask over IPv4, by this method.
    ///
    /// # Errors
    ///
    /// [`EchoOpenError`].
    pub fn open_v4(method: EchoMethod) -> Result<Self, EchoOpenError> {
        Self::open(true, method)
    }

    /// Opens a socket to ask over IPv6, by this method.
    ///
    /// # Errors
    ///
    /// [`EchoOpenError`].
    pub fn open_v6(method: EchoMethod) -> Result<Self, EchoOpenError> {
        Self::open(false, method)
    }

    fn open(is_ipv4: bool, method: EchoMethod) -> Result<Self, EchoOpenError> {
        let kind = match method {
            EchoMethod::Raw => Type::RAW,
            EchoMethod::Datagram => Type::DGRAM,
        };
        let (domain, protocol) = if is_ipv4 {
            (Domain::IPV4, Protocol::ICMPV4)
        } else {
            (Domain::IPV6, Protocol::ICMPV6)
        };
        let opened = Socket::new(domain, kind.nonblocking(), Some(protocol));
        let socket = opened.map_err(|source| EchoOpenError::of(method, source))?;
        sockets_sys::set_receive_buffer(&socket, RECEIVE_BUFFER)
            .map_err(|source| EchoOpenError::Socket { method, source })?;
        Ok(Self {
            socket,
            method,
            matcher: Matcher::new(is_ipv4, method),
            message: Vec::new(),
            buffer: vec![0; BUFFER],
        })
    }

    /// What it is built on.
    pub const fn method(&self) -> EchoMethod {
        self.method
    }

    /// Asks from this address.
    ///
    /// # Errors
    ///
    /// What the kernel says: `AddrNotAvailable` for an address that is not this machine's.
    pub fn bind(&self, source: IpAddr) -> io::Result<()> {
        self.socket.bind(&SocketAddr::new(source, 0).into())
    }

    /// Asks through the interface with this name only.
    ///
    /// # Errors
    ///
    /// What the kernel says: `ENODEV` for an interface that is not there.
    pub fn bind_interface(&self, name: &str) -> io::Result<()> {
        self.socket.bind_device(Some(name.as_bytes()))
    }

    /// Asks a host, without waiting. `scope` is the index of the interface for an IPv6 link-local
    /// address, else 0.
    ///
    /// # Errors
    ///
    /// [`EchoSendError`]: this machine did not send it; nothing is said about the host.
    pub fn send(&mut self, host: IpAddr, scope: u32, sequence: u16) -> Result<(), EchoSendError> {
        let Matcher { is_ipv4, identifier, nonce, .. } = self.matcher;
        if host.is_ipv4() != is_ipv4 {
            return Err(EchoSendError::OtherVersion { host });
        }
        write_echo_message(&mut self.message, is_ipv4, identifier, sequence, &nonce);
        let to = match host {
            IpAddr::V4(_) => SocketAddr::new(host, 0),
            IpAddr::V6(host) => SocketAddrV6::new(host, 0, 0, scope).into(),
        };
        match self.socket.send_to(&self.message, &to.into()) {
            Ok(_) => Ok(()),
            Err(source) => Err(EchoSendError::Send { host, source }),
        }
    }

    /// Waits up to `timeout` for an answer to one of this socket's requests; `None`: none came.
    /// Messages for others are passed over.
    ///
    /// # Errors
    ///
    /// [`EchoReceiveError`].
    pub fn receive(&mut self, timeout: Duration) -> Result<Option<EchoEvent>, EchoReceiveError> {
        let started = Instant::now();
        loop {
            while let Some((length, from)) = self.receive_now()? {
                let answer =
                    self.buffer.get(..length).and_then(|message| self.matcher.read(message, from));
                if answer.is_some() {
                    return Ok(answer);
                }
                // Others' messages must not keep it here for longer than it may stay.
                if started.elapsed() > timeout {
                    return Ok(None);
                }
            }
            let rest = timeout.saturating_sub(started.elapsed());
            let ready = sockets_sys::wait_readable([self.as_fd()], rest)
                .map_err(|source| self.receive_error(source))?;
            if !ready {
                return Ok(None);
            }
        }
    }

    const fn receive_error(&self, source: io::Error) -> EchoReceiveError {
        let version = if self.matcher.is_ipv4 { 4 } else { 6 };
        EchoReceiveError { method: self.method, version, source }
    }

    fn receive_now(&mut self) -> Result<Option<(usize, IpAddr)>, EchoReceiveError> {
        loop {
            let received =
                rustix::net::recvfrom(&self.socket, &mut self.buffer[..], RecvFlags::DONTWAIT);
            let (length, from) = match received {
                Ok((_, length, from)) => (length, from),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(self.receive_error(error.into())),
            };
            let from = from.and_then(|from| SocketAddr::try_from(from).ok());
            if let Some(from) = from {
                return Ok(Some((length, from.ip())));
            }
        }
    }
}

impl AsFd for EchoSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests;
