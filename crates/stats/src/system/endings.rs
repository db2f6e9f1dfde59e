//! Sockets that end, told by the kernel as they do.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::{Protocol, TcpDetails, backend};

/// A socket that has ended, as the kernel told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedSocket {
    /// What it spoke.
    pub protocol: Protocol,
    /// Its address.
    pub local: SocketAddr,
    /// The peer's; all zero where it had none, and where this side aborted the connection: the kernel
    /// has forgotten it then.
    pub peer: SocketAddr,
    /// The index of the interface that it was bound to, where it was.
    pub interface: Option<u32>,
    /// The number that snapshots know it by, where the kernel tells.
    pub cookie: Option<u64>,
    /// When this process heard of it.
    pub heard: SystemTime,
    /// What it did, of a TCP connection; `None` where this side aborted it.
    pub tcp: Option<TcpDetails>,
}

/// Listens to the end of every TCP and UDP socket of this network namespace: also of those that no
/// snapshot sees, because they were opened and closed in between (`SKNLGRP_INET_TCP_DESTROY` and its
/// like, Linux 4.7).
///
/// Everybody may listen, and hears of the sockets of other users, too.
///
/// A connection ends for its process here; the kernel may keep it in TIME-WAIT after that. Sockets
/// that only listened are told, too. Who held a socket is not.
#[derive(Debug)]
pub struct Endings {
    listener: backend::Listener,
}

impl Endings {
    /// How many bytes of endings the kernel is asked to keep until they are read: some 10,000.
    pub const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

    /// From now on.
    ///
    /// # Errors
    ///
    /// [`EndingsError`]: where the kernel tells nobody, and on other systems than Linux.
    pub fn open() -> Result<Self, EndingsError> {
        Ok(Self { listener: backend::Listener::open(Self::RECEIVE_BUFFER)? })
    }

    /// Waits up to `timeout` for a first ending, and adds all that are there to `ended`, but no more
    /// than `most`: the rest stays where it is. Returns how many were added.
    ///
    /// # Errors
    ///
    /// [`EndingsError`]. That the kernel had to drop some is no error: see [`losses`](Self::losses).
    pub fn wait(
        &mut self,
        timeout: Duration,
        most: usize,
        ended: &mut Vec<EndedSocket>,
    ) -> Result<usize, EndingsError> {
        self.listener.wait(timeout, most, ended)
    }

    /// How often the kernel said that it had to drop endings, because they were not read fast enough
    /// (`ENOBUFS`). How many it were each time, it does not say.
    pub const fn losses(&self) -> u64 {
        self.listener.losses()
    }
}

/// Why the ends of sockets are not heard.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndingsError {
    /// Only Linux is supported yet.
    #[error("listening to the end of sockets is not supported on this system: it needs Linux")]
    Unsupported,
    /// There is no netlink socket, or it may not listen.
    #[error("cannot listen to the end of sockets")]
    Open {
        /// The cause.
        source: io::Error,
    },
    /// Nothing more is heard.
    #[error("cannot read what ended from the netlink socket")]
    Receive {
        /// The cause.
        source: io::Error,
    },
}
