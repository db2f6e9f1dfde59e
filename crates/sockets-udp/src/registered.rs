//! The socket as the runtime knows it: whether it is ready.

use std::fmt;
use std::io;
use std::net::UdpSocket as StdSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};
use tokio::runtime::Handle;

/// A socket that does not block, known to the runtime.
///
/// Who waits for a datagram is woken for a pending error, too, as one of an earlier datagram is. The kernel
/// shows it as `EPOLLERR` beside `EPOLLOUT`, and tokio wakes for that who awaits, but not who polls, as is
/// done here. Told to, the kernel adds `EPOLLPRI` (`datagram_poll` in net/core/datagram.c), which all readers
/// are woken for where the socket was registered with it.
///
/// For who waits for room the two together are an end that never goes away: tokio has it from the poller
/// that the other side of a pipe is closed, and it stays when the error is long gone. From then on every wait
/// would be over at once. Such a registration is [stuck](Readiness::Stuck); only [another
/// one](Self::register_again) knows no more of it.
pub(crate) struct Registered {
    socket: Arc<StdSocket>,
    /// `None` where registering again failed.
    registration: Option<AsyncFd<Arc<StdSocket>>>,
    /// How many registrations there were before.
    number: u64,
    /// Of the runtime that the socket was opened in: who waits may be elsewhere.
    runtime: Handle,
}

/// What the runtime says of a socket that need not be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// The kernel is to be asked.
    MayBe,
    /// The kernel was asked, and it is not; the registration with this number would say so for ever.
    Stuck(u64),
}

impl Registered {
    pub(crate) fn new(socket: StdSocket) -> io::Result<Self> {
        // Linux 3.10 and later; before that, the next call tells of an error.
        let _ = sockets_sys::report_errors_as_priority(&socket);
        let (socket, runtime) = (Arc::new(socket), Handle::current());
        let registration = Some(register(&socket)?);
        Ok(Self { socket, registration, number: 0, runtime })
    }

    /// Registers anew in place of the registration with this number; whether it was still that one. Whoever
    /// waits is to be woken then: the old one forgets them.
    pub(crate) fn register_again(&mut self, number: u64) -> io::Result<bool> {
        if self.number != number {
            return Ok(false);
        }
        let _entered = self.runtime.enter();
        // The poller knows a descriptor once only.
        self.registration = None;
        self.registration = Some(register(&self.socket)?);
        self.number += 1;
        Ok(true)
    }

    /// Until something may have come: a datagram, or an error.
    pub(crate) fn poll_recv_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Readiness>> {
        match &self.registration {
            Some(registration) => {
                registration.poll_read_ready(context).map_ok(|_| Readiness::MayBe)
            }
            None => Poll::Ready(Ok(Readiness::Stuck(self.number))),
        }
    }

    /// Until there may be room.
    pub(crate) fn poll_send_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Readiness>> {
        let Some(registration) = &self.registration else {
            return Poll::Ready(Ok(Readiness::Stuck(self.number)));
        };
        registration.poll_write_ready(context).map_ok(|guard| {
            let is_stuck = guard.ready() == Ready::WRITE_CLOSED;
            if is_stuck { Readiness::Stuck(self.number) } else { Readiness::MayBe }
        })
    }

    /// Calls if the socket may be ready, and notes where it was not; `WouldBlock` where it is known not
    /// to be.
    pub(crate) fn try_io<T>(
        &self,
        interest: Interest,
        call: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        match &self.registration {
            Some(registration) => registration.try_io(interest, |_| call()),
            None => call(),
        }
    }

    /// The pending error, which is gone with this (`SO_ERROR`).
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }
}

impl AsFd for Registered {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, for types that change their descriptor; std's do not"
)]
fn register(socket: &Arc<StdSocket>) -> io::Result<AsyncFd<Arc<StdSocket>>> {
    let interest = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
    AsyncFd::with_interest(Arc::clone(socket), interest)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// One for which an ICMP message has come and gone, as the runtime has seen.
    async fn refused() -> (Registered, StdSocket) {
        let bind = || StdSocket::bind("127.0.0.1:0").unwrap();
        let (peer, socket) = (bind(), bind());
        // Connected to itself it refuses what others send.
        peer.connect(peer.local_addr().unwrap()).unwrap();
        socket.connect(peer.local_addr().unwrap()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let sender = socket.try_clone().unwrap();
        let socket = Registered::new(socket).unwrap();
        poll_fn(|context| socket.poll_send_ready(context)).await.unwrap();
        // The kernel may limit the rate of its messages.
        loop {
            let _ = sender.send(b"to nobody");
            // The runtime sees what is there when it looks.
            tokio::task::yield_now().await;
            is_full(&socket);
            let ready = poll_fn(|context| Poll::Ready(socket.poll_send_ready(context))).await;
            if matches!(ready, Poll::Ready(Ok(Readiness::Stuck(0)))) {
                break;
            }
        }
        while sender.take_error().unwrap().is_some() {}
        (socket, peer)
    }

    /// A call that finds no room.
    fn is_full(socket: &Registered) {
        let full =
            socket.try_io(Interest::WRITABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    async fn assert_pending(socket: &Registered) {
        poll_fn(|context| {
            assert!(socket.poll_send_ready(context).is_pending(), "it does not wait");
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn a_full_buffer_is_waited_for_after_an_icmp_error() {
        let (mut socket, _peer) = refused().await;
        assert!(socket.register_again(0).unwrap());
        assert!(!socket.register_again(0).unwrap(), "one that is no more");
        let ready = poll_fn(|context| socket.poll_send_ready(context)).await.unwrap();
        assert_eq!(ready, Readiness::MayBe, "there is room");
        is_full(&socket);
        for _ in 0..3 {
            assert_pending(&socket).await;
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn who_waits_elsewhere_registers_with_the_sockets_own_runtime() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let (mut socket, _peer) = runtime.block_on(refused());
        assert!(socket.register_again(0).unwrap());
        let ready = poll_fn(|context| socket.poll_send_ready(context));
        assert_eq!(runtime.block_on(ready).unwrap(), Readiness::MayBe);
        drop(runtime);
        assert!(socket.register_again(1).is_err(), "there is none any more");
        let waiting = socket.poll_send_ready(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(matches!(waiting, Poll::Ready(Ok(Readiness::Stuck(1)))));
    }
}
