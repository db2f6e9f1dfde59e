//! The 5-tuple that identifies a connection.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::Transport;

/// `<transport, local address, local port, remote address, remote port>`: what identifies one
/// connection on a machine. Addresses, never names: a name may mean another host tomorrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FiveTuple {
    /// The transport protocol.
    pub transport: Transport,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
}

impl FiveTuple {
    /// The tuple of a connection from `local` to `remote`.
    pub const fn new(transport: Transport, local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport, local, remote }
    }

    /// The same connection as its other end sees it.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { transport: self.transport, local: self.remote, remote: self.local }
    }

    /// Whether both ends are one: a TCP simultaneous open with oneself (RFC 9293 section 3.5).
    pub fn is_self_connection(self) -> bool {
        self.local == self.remote
    }
}

/// `tcp 127.0.0.1:50000 <-> 127.0.0.1:80`.
impl fmt::Display for FiveTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} <-> {}", self.transport, self.local, self.remote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defect_13_addresses_print_and_reverse() {
        let tuple = FiveTuple::new(
            Transport::Tcp,
            "127.0.0.1:50000".parse().unwrap(),
            "[::1]:80".parse().unwrap(),
        );
        assert_eq!(tuple.to_string(), "tcp 127.0.0.1:50000 <-> [::1]:80");
        assert_eq!(tuple.reversed().to_string(), "tcp [::1]:80 <-> 127.0.0.1:50000");
        assert_eq!(tuple.reversed().reversed(), tuple);
        assert!(!tuple.is_self_connection());
    }
}
