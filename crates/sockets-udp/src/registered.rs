//! The socket as the runtime knows it: whether it is ready.

use std::fmt;
use std::io;
use std::net::UdpSocket as StdSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A socket that does not block, known to the runtime.
///
/// Who waits for a datagram is woken for a pending error, too, as one of an earlier datagram is. The kernel
/// shows it as `EPOLLERR` beside `EPOLLOUT`, and tokio wakes for that who awaits, but not who polls, as is
/// done here. Told to, the kernel adds `EPOLLPRI` (`datagram_poll` in net/core/datagram.c), which all readers
/// are woken for where the socket was registered with it.
pub(crate) struct Registered(AsyncFd<StdSocket>);

impl Registered {
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for types that change their descriptor; std's do not"
    )]
    pub(crate) fn new(socket: StdSocket) -> io::Result<Self> {
        // Linux 3.10 and later; before that, the next call tells of an error.
        let _ = sockets_sys::report_errors_as_priority(&socket);
        let interest = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
        Ok(Self(AsyncFd::with_interest(socket, interest)?))
    }

    /// Until something may have come: a datagram, or an error.
    pub(crate) fn poll_recv_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(context).map_ok(drop)
    }

    /// Until there may be room.
    pub(crate) fn poll_send_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_write_ready(context).map_ok(drop)
    }

    /// Calls if the socket may be ready, and notes where it was not; `WouldBlock` where it is known not
    /// to be.
    pub(crate) fn try_io<T>(
        &self,
        interest: Interest,
        call: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        self.0.try_io(interest, |_| call())
    }

    /// The pending error, which is gone with this (`SO_ERROR`).
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.get_ref().take_error()
    }
}

impl AsFd for Registered {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.get_ref().fmt(f)
    }
}
