//! Why a raw or packet socket could not be opened.

use std::fmt;
use std::io;
use std::net::IpAddr;

/// Why a raw or packet socket could not be opened. Nothing of it is left open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The process lacks the capability. Display says how to get it.
    #[error(
        "cannot open {socket} without the capability CAP_NET_RAW: \
         run as root, or once `sudo setcap cap_net_raw=ep PROGRAM`"
    )]
    NotPermitted {
        /// What was to be opened.
        socket: String,
        /// The cause.
        source: io::Error,
    },
    /// The system does not make such a socket.
    #[error("cannot open {socket}")]
    Socket {
        /// What was to be opened.
        socket: String,
        /// The cause.
        source: io::Error,
    },
    /// The address to bind to is an IPv6 address and the socket an IPv4 one, or the other way round.
    /// Linux itself would bind an IPv4 socket to every address then (`raw_bind` in `net/ipv4/raw.c`).
    #[error("{socket} cannot be bound to {address}: it is of the other IP version")]
    FamilyMismatch {
        /// What was to be opened.
        socket: String,
        /// The address.
        address: IpAddr,
    },
    /// The socket was made, and could not be made ready.
    #[error("cannot {step}")]
    Step {
        /// What was being done, and to what.
        step: OpenStep,
        /// The cause.
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn from_open(socket: &str, source: io::Error) -> Self {
        let socket = socket.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::NotPermitted { socket, source },
            _ => Self::Socket { socket, source },
        }
    }
}

/// What is done to a socket between its making and its use.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenStep {
    /// Asking for a receive buffer.
    ReceiveBuffer {
        /// The size asked for.
        bytes: usize,
    },
    /// Making a ring of shared memory.
    Ring {
        /// The size asked for.
        bytes: usize,
    },
    /// Attaching the filter.
    Filter {
        /// The program's length.
        instructions: usize,
    },
    /// Locking the filter.
    LockFilter,
    /// Discarding what a raw socket received before it was bound.
    DiscardReceived,
    /// Taking away the filter that kept packets out until then.
    DetachFilter,
    /// Keeping out what this machine sends.
    IgnoreOutgoing,
    /// Going past the queueing discipline.
    BypassQueue,
    /// Turning timestamps on.
    Timestamps,
    /// Making the interface promiscuous.
    Promiscuous {
        /// Its index.
        interface: u32,
    },
    /// Binding to an interface by its index.
    BindLink {
        /// The index; 0 for all.
        interface: u32,
    },
    /// Binding to an interface by its name.
    BindInterface {
        /// The name.
        interface: String,
    },
    /// Binding to a local address.
    BindAddress {
        /// The address.
        address: IpAddr,
    },
    /// Taking headers from the caller.
    HeaderIncluded,
    /// Setting the time to live or hop limit.
    HopLimit {
        /// The limit.
        limit: u8,
    },
}

/// In the words of an error, behind "cannot": "bind to 127.0.0.1".
impl fmt::Display for OpenStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReceiveBuffer { bytes } => {
                write!(f, "ask for a receive buffer of {bytes} bytes")
            }
            Self::Ring { bytes } => write!(f, "make a ring of {bytes} bytes"),
            Self::Filter { instructions } => {
                write!(f, "attach a filter of {instructions} instructions")
            }
            Self::LockFilter => f.write_str("lock the filter"),
            Self::DiscardReceived => f.write_str("discard what came before it was bound"),
            Self::DetachFilter => f.write_str("detach the filter of an unbound socket"),
            Self::IgnoreOutgoing => f.write_str("keep out this machine's own packets"),
            Self::BypassQueue => f.write_str("go past the interface's queue"),
            Self::Timestamps => f.write_str("turn timestamps on"),
            Self::Promiscuous { interface } => {
                write!(f, "make interface {interface} promiscuous")
            }
            Self::BindLink { interface: 0 } => f.write_str("bind to all interfaces"),
            Self::BindLink { interface } => write!(f, "bind to interface {interface}"),
            Self::BindInterface { interface } => write!(f, "bind to interface `{interface}`"),
            Self::BindAddress { address } => write!(f, "bind to {address}"),
            Self::HeaderIncluded => f.write_str("take headers from the caller"),
            Self::HopLimit { limit } => write!(f, "set the hop limit to {limit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn the_lack_of_privilege_is_said_with_its_remedy() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = OpenError::from_open("an AF_PACKET socket", denied);
        assert!(matches!(error, OpenError::NotPermitted { .. }));
        assert_eq!(
            error.to_string(),
            "cannot open an AF_PACKET socket without the capability CAP_NET_RAW: run as root, or once \
             `sudo setcap cap_net_raw=ep PROGRAM`"
        );
        assert!(error.source().is_some());
    }

    #[test]
    fn a_step_names_its_object() {
        let address = "127.0.0.1".parse().unwrap();
        let source = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let error = OpenError::Step { step: OpenStep::BindAddress { address }, source };
        assert_eq!(error.to_string(), "cannot bind to 127.0.0.1");
    }
}
