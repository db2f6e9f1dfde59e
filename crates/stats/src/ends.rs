//! The addresses of a socket, as far as they are known.

use std::fmt;
use std::net::SocketAddr;

use ports_core::{FiveTuple, SocketInfo};
use serde::{Deserialize, Serialize};

/// The two ends of a socket, as far as they are known: both for a connection, the local one for a
/// UDP socket. Made from a [`FiveTuple`], a local [`SocketAddr`], a [`SocketInfo`], or an `Option`
/// of the first two.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Ends {
    /// This end.
    pub local: Option<SocketAddr>,
    /// The other end.
    pub peer: Option<SocketAddr>,
}

impl From<FiveTuple> for Ends {
    fn from(tuple: FiveTuple) -> Self {
        Self { local: Some(tuple.local), peer: Some(tuple.remote) }
    }
}

impl From<Option<FiveTuple>> for Ends {
    fn from(tuple: Option<FiveTuple>) -> Self {
        tuple.map_or_else(Self::default, Self::from)
    }
}

impl From<SocketAddr> for Ends {
    fn from(local: SocketAddr) -> Self {
        Self { local: Some(local), peer: None }
    }
}

impl From<Option<SocketAddr>> for Ends {
    fn from(local: Option<SocketAddr>) -> Self {
        Self { local, peer: None }
    }
}

impl From<SocketInfo> for Ends {
    fn from(info: SocketInfo) -> Self {
        Self { local: Some(info.local()), peer: info.peer() }
    }
}

/// `127.0.0.1:80 <-> 127.0.0.1:50000`, or `127.0.0.1:53`; an end that is not known is a `?`.
impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.local {
            Some(local) => write!(f, "{local}")?,
            None => f.write_str("?")?,
        }
        match self.peer {
            Some(peer) => write!(f, " <-> {peer}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use ports_core::Transport;

    use super::*;

    #[test]
    fn prints_what_is_known() {
        let local: SocketAddr = "127.0.0.1:53".parse().unwrap();
        let peer: SocketAddr = "[::1]:9".parse().unwrap();
        let tuple = FiveTuple::new(Transport::Tcp, local, peer);
        assert_eq!(Ends::from(tuple).to_string(), "127.0.0.1:53 <-> [::1]:9");
        assert_eq!(Ends::from(SocketInfo::connected(tuple)), Ends::from(Some(tuple)));
        assert_eq!(Ends::from(SocketInfo::new(Transport::Udp, local)), Ends::from(local));
        assert_eq!(Ends::from(local).to_string(), "127.0.0.1:53");
        assert_eq!(Ends::default().to_string(), "?");
    }
}
