//! One TCP connection, registered with the runtime.
//!
//! It is tokio's `TcpStream` with one difference: it is told of urgent bytes, too. A read ends before
//! such a byte (`tcp_recvmsg_locked` in net/ipv4/tcp.c), and whoever takes a short read for an empty
//! socket, as tokio does, leaves what is behind it lying until more comes.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream as StdStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;

/// What its poller tells of.
#[cfg(target_os = "linux")]
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE).add(Interest::PRIORITY);
#[cfg(not(target_os = "linux"))]
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// See the module's first lines.
#[derive(Debug)]
pub(crate) struct Tcp(AsyncFd<StdStream>);

impl Tcp {
    /// Registers a connection, whose socket then does not block.
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for types that change their descriptor; std's do not"
    )]
    pub(crate) fn register(stream: StdStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self(AsyncFd::with_interest(stream, INTEREST)?))
    }

    /// As [`Tcp::register`], a connection that is registered already.
    pub(crate) fn of_tokio(stream: TcpStream) -> io::Result<Self> {
        Self::register(stream.into_std()?)
    }

    /// For those who want tokio's.
    #[cfg(feature = "tls")]
    pub(crate) fn into_tokio(self) -> io::Result<TcpStream> {
        TcpStream::from_std(self.0.into_inner())
    }

    /// Its own address.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }

    /// What the kernel has to say against the connection, and no call was told yet. Taken.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        SockRef::from(self).take_error()
    }

    /// Until there may be something to read.
    pub(crate) fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(context).map_ok(drop)
    }

    /// Until the kernel may take more.
    pub(crate) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_write_ready(context).map_ok(drop)
    }

    /// One read, as far as the poller says that there is something; takes that back where the read
    /// shows that the socket is empty.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut short = None;
        let result = self.0.try_io(Interest::READABLE, |mut stream| {
            let read = stream.read(buffer)?;
            if (1..buffer.len()).contains(&read) && self.is_emptied_by_short_read() {
                short = Some(read);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(read)
        });
        short.map_or(result, Ok)
    }

    /// One read, whatever the poller says.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.get_ref().read(buffer)
    }

    /// One write, as far as the poller says that there is room.
    pub(crate) fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        self.0.try_io(Interest::WRITABLE, |mut stream| stream.write(data))
    }

    /// As [`Tcp::try_write`], of many pieces.
    pub(crate) fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_io(Interest::WRITABLE, |mut stream| stream.write_vectored(pieces))
    }

    /// Whether a read that brought some bytes, and fewer than there was room for, has emptied the
    /// socket: what comes later is a new edge for the poller (epoll(7)). Without urgent bytes this
    /// costs a look at what the poller has told, no system call.
    #[cfg(target_os = "linux")]
    fn is_emptied_by_short_read(&self) -> bool {
        // An error here is of the descriptor, which the next read tells.
        let at_mark = |stream: &StdStream| match sockets_sys::is_at_urgent_mark(stream) {
            Ok(true) => Ok(()),
            // Behind the mark, or still before it: the mark itself will be a new edge.
            Ok(false) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error),
        };
        self.0.try_io(Interest::PRIORITY, at_mark).is_err()
    }

    /// Elsewhere another read tells.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "as on Linux")]
    const fn is_emptied_by_short_read(&self) -> bool {
        false
    }
}

impl AsFd for Tcp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}
