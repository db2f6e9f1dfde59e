//! Where an answer goes, and which of this machine's addresses it comes from.

use std::net::{IpAddr, SocketAddr};

use crate::batch::BorrowedDatagram;
use crate::datagram::{Datagram, Received};
use crate::send::{Outgoing, SendError};
use crate::socket::UdpSocket;

/// The way back to who sent a datagram. A host may have many addresses, and a client takes an answer
/// only from the one it asked: of a socket on the wildcard, the routes would often choose another.
///
/// Two datagrams of one sender to two addresses of this machine have two return paths, so that it
/// is what clients are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReturnPath {
    peer: SocketAddr,
    local: Option<IpAddr>,
    interface: u32,
}

impl ReturnPath {
    /// Who sent the datagram, and gets the answer.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The address that an answer comes from, as [`Datagram::local`]; `None` where the routes choose
    /// it.
    pub const fn local(&self) -> Option<IpAddr> {
        self.local
    }

    /// The index of the interface that an answer leaves by; 0 where the routes choose it. They do,
    /// unless the datagram was sent to a link-local address (RFC 4007 section 4, RFC 3927 section
    /// 2.6): a host may be asked on one interface and have its route on another.
    pub const fn interface(&self) -> u32 {
        self.interface
    }

    /// These bytes, on the way back.
    #[must_use]
    pub const fn answer<'a>(&self, data: &'a [u8]) -> Outgoing<'a> {
        let mut answer = Outgoing::new(data, self.peer).interface(self.interface);
        if let Some(local) = self.local {
            answer = answer.source(local);
        }
        answer
    }

    fn of(peer: SocketAddr, local: Option<IpAddr>, interface: u32) -> Self {
        let on_link = match local {
            Some(IpAddr::V4(ip)) => ip.is_link_local(),
            Some(IpAddr::V6(ip)) => ip.is_unicast_link_local(),
            None => false,
        };
        Self { peer, local, interface: if on_link { interface } else { 0 } }
    }
}

impl Datagram {
    /// The way back to who sent it.
    #[must_use]
    pub fn return_path(&self) -> ReturnPath {
        ReturnPath::of(self.source, self.local, self.interface)
    }
}

impl BorrowedDatagram<'_> {
    /// The way back to who sent it.
    #[must_use]
    pub fn return_path(&self) -> ReturnPath {
        ReturnPath::of(self.source, self.local, self.interface)
    }
}

impl Received {
    /// The way back to who sent it.
    #[must_use]
    pub fn return_path(&self) -> ReturnPath {
        ReturnPath::of(self.source, self.local, self.interface)
    }
}

impl UdpSocket {
    /// Sends one datagram back to who sent another, from the address that one was sent to.
    ///
    /// # Errors
    ///
    /// As [`send_from`](Self::send_from).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`send_to`](Self::send_to).
    pub async fn send_back(&self, data: &[u8], path: &ReturnPath) -> Result<(), SendError> {
        self.send(&path.answer(data)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_local_address_binds_the_answer_to_the_link() {
        let peer = "10.0.0.1:9".parse().unwrap();
        for (local, interface) in [
            (Some("10.0.0.2"), 0),
            (Some("169.254.0.2"), 3),
            (Some("fd00::2"), 0),
            (Some("fe80::2"), 3),
            (None, 0),
        ] {
            let path = ReturnPath::of(peer, local.map(|ip| ip.parse().unwrap()), 3);
            assert_eq!(path.interface(), interface, "{local:?}");
            let answer = path.answer(b"x");
            assert_eq!((answer.target, answer.from), (peer, path.local()));
            assert_eq!(answer.control().interface, interface);
        }
    }
}
