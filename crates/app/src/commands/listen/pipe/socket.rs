//! The socket of a pipe's connection once more: what its peer has acknowledged, and how it is cut.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

/// See the module's first line. Where there is no descriptor left for it, nothing is known, and the
/// connection ends as the kernel ends it.
#[derive(Debug, Default)]
pub(super) struct Socket(Mutex<Option<OwnedFd>>);

impl Socket {
    pub(super) fn hold(&self, tcp: &TcpStream) {
        *self.lock() = tcp.as_fd().try_clone_to_owned().ok();
    }

    /// The connection is about to be closed.
    pub(super) fn let_go(&self) {
        self.lock().take();
    }

    /// From here on its close is a reset, that of a process which ends at once, too.
    pub(super) fn make_close_a_reset(&self) {
        if let Some(socket) = &*self.lock() {
            // It fails only on a socket that is gone.
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }

    /// What the kernel has to say against the connection, and no call was told yet. Taken.
    pub(super) fn error(&self) -> Option<io::Error> {
        SockRef::from(self.lock().as_ref()?).take_error().ok()?
    }

    /// How many bytes of the peer wait in the kernel to be read.
    pub(super) fn unread(&self) -> u64 {
        self.lock().as_ref().map_or(0, |socket| rustix::io::ioctl_fionread(socket).unwrap_or(0))
    }

    fn lock(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(target_os = "linux")]
impl Socket {
    /// How many bytes the peer has acknowledged, over TLS those of its records.
    pub(super) fn acknowledged(&self) -> Option<u64> {
        sockets_sys::tcp_info(self.lock().as_ref()?).ok()?.bytes_acked
    }

    /// How many bytes the kernel has taken, over TLS those of its records. To be asked before the end of
    /// the stream, which counts like a byte.
    pub(super) fn taken(&self) -> Option<u64> {
        let mut acknowledged = self.acknowledged()?;
        loop {
            let held = sockets_sys::unacknowledged_bytes(self.lock().as_ref()?).ok()?;
            // Nothing was acknowledged in between: the two belong together.
            let now = self.acknowledged()?;
            if now == acknowledged {
                return Some(acknowledged + held as u64);
            }
            acknowledged = now;
        }
    }
}

/// Elsewhere it is not known.
#[cfg(not(target_os = "linux"))]
impl Socket {
    pub(super) fn acknowledged(&self) -> Option<u64> {
        None
    }

    pub(super) fn taken(&self) -> Option<u64> {
        None
    }
}
