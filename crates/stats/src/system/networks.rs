//! Whether there are other network namespaces than this process's, whose sockets are not seen from here.

use super::{SnapshotError, backend};

/// The network namespaces of the processes that can be seen, beside this process's own: such as those of
/// containers. The kernel tells a process of the sockets in its own network namespace only.
///
/// Linux only: elsewhere [`OtherNetworks::look`] says [`SnapshotError::Unsupported`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct OtherNetworks {
    /// How many there are.
    pub namespaces: usize,
    /// Processes of which this one may not know: other users', without root (`CAP_SYS_PTRACE`).
    pub unreadable: usize,
}

impl OtherNetworks {
    /// Looks at `/proc/PID/ns/net` of each process: one system call for each.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::ReadProc`] where processes cannot be listed, or this one's own namespace is not
    /// to be known.
    pub fn look() -> Result<Self, SnapshotError> {
        backend::other_networks()
    }
}
