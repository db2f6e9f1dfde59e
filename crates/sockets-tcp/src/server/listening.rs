//! A listening socket: whether anyone waits on it, and taking in who does.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
#[cfg(unix)]
use std::task::ready;
use std::task::{Context, Poll};

#[cfg(unix)]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
#[cfg(unix)]
use tokio::io::Interest;
#[cfg(unix)]
use tokio::io::unix::AsyncFd;

use crate::tcp::Tcp;

/// A connection that was accepted: its stream, or why the runtime does not take that. It is closed
/// then, as no reset can be asked of a socket that is gone.
pub(super) type Accepted = (io::Result<Tcp>, SocketAddr);

/// See the module's first line.
///
/// That someone waits is known before a place is taken for him: of several accepting tasks none
/// holds a place that another one could fill.
#[derive(Debug)]
pub(super) struct Listening {
    #[cfg(unix)]
    socket: AsyncFd<StdListener>,
    #[cfg(not(unix))]
    socket: tokio::net::TcpListener,
}

#[cfg(unix)]
impl Listening {
    /// The socket does not block.
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for types that change their descriptor; std's do not"
    )]
    pub(super) fn new(socket: StdListener) -> io::Result<Self> {
        Ok(Self { socket: AsyncFd::with_interest(socket, Interest::READABLE)? })
    }

    /// Until someone may wait.
    pub(super) fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        // An error is told by the call that accepts.
        self.socket.poll_read_ready(context).map(drop)
    }

    /// Until someone does wait.
    pub(super) fn poll_waiting(&self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            // An error is told by the call that accepts.
            let Ok(mut ready) = ready!(self.socket.poll_read_ready(context)) else {
                return Poll::Pending;
            };
            let mut polled = [PollFd::new(self.socket.get_ref(), PollFlags::IN)];
            if !matches!(poll(&mut polled, Some(&Timespec::default())), Ok(0)) {
                return Poll::Ready(());
            }
            ready.clear_ready();
        }
    }

    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(context))?;
            if let Ok(accepted) = ready.try_io(|socket| socket.get_ref().accept()) {
                return Poll::Ready(accepted.map(|(stream, peer)| (Tcp::register(stream), peer)));
            }
        }
    }

    /// The socket alone; `None` where the runtime is going.
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere than on Unix it may fail")]
    pub(super) fn into_std(self) -> Option<StdListener> {
        Some(self.socket.into_inner())
    }
}

/// There is one accepting task, and it may hold a place while it waits.
#[cfg(not(unix))]
impl Listening {
    pub(super) fn new(socket: StdListener) -> io::Result<Self> {
        Ok(Self { socket: tokio::net::TcpListener::from_std(socket)? })
    }

    pub(super) fn poll_ready(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// It is not known.
    pub(super) fn poll_waiting(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        self.socket.poll_accept(context).map_ok(|(stream, peer)| (Tcp::of_tokio(stream), peer))
    }

    pub(super) fn into_std(self) -> Option<StdListener> {
        self.socket.into_std().ok()
    }
}
