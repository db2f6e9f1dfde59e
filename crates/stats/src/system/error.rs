//! Why the sockets of the machine could not be read.

use std::io;
use std::path::PathBuf;

use super::Protocol;

/// Why the sockets of the machine could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Only Linux is supported yet.
    #[error("reading the sockets of the machine is not supported on this system: it needs Linux")]
    Unsupported,
    /// No netlink socket, and `/proc` was not allowed by [`Source`](super::Source).
    #[error("cannot open a netlink socket to ask for the sockets of the machine")]
    Open {
        /// The cause.
        source: io::Error,
    },
    /// The kernel did not tell, or not all.
    #[error("cannot ask the kernel for {protocol} sockets")]
    Ask {
        /// What was asked for; for UNIX sockets, the first of the three.
        protocol: Protocol,
        /// The cause.
        source: io::Error,
    },
    /// A file or directory of `/proc` could not be read.
    #[error("cannot read {}", path.display())]
    ReadProc {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}
